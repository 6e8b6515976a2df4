"""Whether two sides of a comparison can be of one specimen: where each one lies, and how large it is."""

from __future__ import annotations

import numpy as np

from veristem.datasets import CurveSet, DislocationNetwork, LineTruth, ParticleDispersion, ParticleTruth, PointSet

_MARGIN_NM = 10.0
_FACTOR = 200.0  # a micrometre taken for a nanometre is a thousand; one short line in a large field some tens

Side = LineTruth | DislocationNetwork | CurveSet | ParticleTruth | ParticleDispersion | PointSet


def mismatch(truth: Side, reconstruction: CurveSet | PointSet) -> str | None:
    """One line that tells where both sides lie when they do not overlap, or one is 200 times as large as the other.

    None when they fit, and when one of them is empty. A method that has diverged is still scored: this is a warning.
    """
    there, found = truth.places_nm, reconstruction.places_nm
    if not len(there) or not len(found):
        return None
    low, high = (np.maximum(there.min(axis=0), found.min(axis=0)), np.minimum(there.max(axis=0), found.max(axis=0)))
    sizes = np.array([np.ptp(points[:, :2], axis=0).max() for points in (there, found)])
    if (low > high + _MARGIN_NM).any():
        what = "they do not overlap"
    elif min(len(there), len(found)) > 1 and sizes.max() > _FACTOR * sizes.min():
        what = f"one is {sizes.max() / max(sizes.min(), 1e-9):.3g} times as large as the other"
    else:
        return None
    return f"the reconstruction lies in {_box(found)}, the truth in {_box(there)}: {what}; same unit and origin?"


def _box(points: np.ndarray) -> str:
    ends = zip("xyz", points.min(axis=0), points.max(axis=0))
    return ", ".join(f"{name} {low:.3g} to {high:.3g}" for name, low, high in ends) + " nm"
