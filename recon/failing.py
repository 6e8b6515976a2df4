"""failing: always raises. It tests that a failure becomes a row of the results and costs nothing else."""

from __future__ import annotations

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.reconstruction import Reconstruction


def reconstruct(acquisition: Acquisition) -> Reconstruction:
    """Raise RuntimeError."""
    raise RuntimeError(f"this method always fails; it was given {len(acquisition.views)} views")
