"""Two sides of a comparison, as files or as what they hold, and their scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench import scoring
from veristem.bench.files.simulation import read_truth_file
from veristem.bench.limits.lines import full_line_limits, line_limits
from veristem.datasets import Acquisition, CurveSet, InputError, LineTruth, formats
from veristem.datasets.kinds import KINDS
from veristem.datasets.shapes import check_positive

PLANAR = ("masks", "disparity")


def sides(truth, reconstruction, burgers_magnitude_nm: float | None = None) -> tuple[Any, Any]:
    """Truth and reconstruction, read where they are paths."""
    if isinstance(truth, str | Path):
        truth = read_truth_file(Path(truth), burgers_magnitude_nm)
    if isinstance(reconstruction, str | Path):
        reconstruction = formats.read(reconstruction, *(kind.result for kind in KINDS.values()))
    return truth, reconstruction


def score_sides(
    truth,
    reconstruction,
    *,
    tolerance_nm: float | None = None,
    acquisition: str | Path | Acquisition | None = None,
    of: str | None = None,
    view: int = 0,
    metrics: Sequence[str] = (),
    full_limits: bool = False,
    burgers_magnitude_nm: float | None = None,
) -> dict[str, float | None]:
    """Scores by name; parameters and errors as of `veristem.score`."""
    if tolerance_nm is not None:
        check_positive("`tolerance_nm`", tolerance_nm)
    if of is not None:
        return _planar(truth, reconstruction, of, view)
    truth, found = sides(truth, reconstruction, burgers_magnitude_nm)
    limits: dict[str, Any] = {}
    if isinstance(truth, LineTruth):
        limits = {"limits": full_line_limits(truth) if full_limits else line_limits(truth)}
    elif full_limits:
        raise InputError("full_limits: no truth.h5 of lines found, one allowed, which tells how it was imaged")
    directions = None
    if acquisition is not None:
        images = acquisition if isinstance(acquisition, Acquisition) else formats.read(acquisition, Acquisition)
        directions = images.directions_rad
    how: dict[str, Any] = {"tolerance_nm": tolerance_nm, "directions_rad": directions, "metrics": metrics}
    return scoring.score(truth, found, **how, **limits)


def _planar(truth, reconstruction, of: str, view: int) -> dict[str, float | None]:
    """Scores of the lines as pixels of a view, or of their disparity in the widest pair."""
    from veristem.bench.metrics.disparity_pair import disparity_of, true_disparity
    from veristem.bench.metrics.mask_pair import mask_of, true_mask

    if of not in PLANAR:
        raise InputError(f"of: {of!r} found, allowed are {', '.join(PLANAR)}")
    if isinstance(truth, str | Path):
        truth = read_truth_file(Path(truth))
    if not isinstance(truth, LineTruth):
        raise InputError(f"of {of}: no truth.h5 of lines found, one allowed, which tells where lines show")
    if not 0 <= view < len(truth.expected):
        raise InputError(f"view: {view} found, 0 to {len(truth.expected) - 1} allowed")
    found = reconstruction
    if isinstance(found, str | Path):
        found = formats.read(found, CurveSet) if Path(found).suffix.lower() == ".vtp" else _image(Path(found), of)
    if of == "disparity":
        found = disparity_of(found.curves_nm, truth) if isinstance(found, CurveSet) else found
        return scoring.score_disparity(true_disparity(truth), found)
    found = mask_of(found.curves_nm, truth, view) if isinstance(found, CurveSet) else np.asarray(found) != 0
    pixel_nm = truth.field_nm[0] / truth.expected.shape[2]
    return scoring.score_masks(true_mask(truth, view), found, pixel_nm=pixel_nm)


def _image(path: Path, of: str) -> np.ndarray:
    from veristem.datasets.formats.images import read_image

    return read_image(path, gaps=of == "disparity")[0]
