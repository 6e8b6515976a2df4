"""The files of one simulation and of its reconstruction, in one folder."""

from __future__ import annotations

from pathlib import Path

from veristem.bench.files.missed import save_result
from veristem.datasets import formats
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.formats.atomic import together
from veristem.datasets.kinds import KINDS, TRUTHS, kind_of
from veristem.datasets.reconstruction import Reconstruction
from veristem.datasets.truth import Truth

LAST_WRITTEN = tuple(f"truth{kind.suffix}" for kind in KINDS.values())


def save_simulation(folder: Path, truth: Truth, acquisition: Acquisition) -> list[Path]:
    """Write acquisition.h5, truth.h5 and, for people, truth.vtp or truth.csv into an existing folder: all or none."""
    path = folder / "acquisition.h5"
    with together():  # an acquisition without its truth would look whole
        formats.write(path, acquisition)
        return [path, *save_truth(folder, truth)]


def save_truth(folder: Path, truth: Truth) -> list[Path]:
    """Write truth.h5 and, for people, truth.vtp or truth.csv into an existing folder."""
    paths = [folder / "truth.h5", folder / f"truth{kind_of(truth).suffix}"]
    with together():
        for path in paths:
            formats.write(path, truth)
    return paths


def save_reconstruction(folder: Path, found: Reconstruction, method: str, acquisition: Acquisition) -> list[Path]:
    """Write reconstruction.vtp or, of particles, reconstruction.csv into an existing folder, and `missed.save_result`'s
    map."""
    return save_result(folder / f"reconstruction{kind_of(found).suffix}", found, method, acquisition)


def read_truth_file(path: Path, burgers_magnitude_nm: float | None = None):
    """A truth from truth.h5, a network or curves from .vtp, .data (in units of |b|) or .ca, or particles."""
    return formats.read(path, *TRUTHS, burgers_magnitude_nm=burgers_magnitude_nm)
