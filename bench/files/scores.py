"""Two sides of a comparison, as files or as what they hold, and the scores of their pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench import scoring
from veristem.bench.files.simulation import read_truth_file
from veristem.datasets import CurveSet, InputError, LineTruth, formats
from veristem.datasets.kinds import KINDS

PLANAR = ("masks", "disparity")


def sides(truth, reconstruction, burgers_magnitude_nm: float | None = None) -> tuple[Any, Any]:
    """Truth and reconstruction, read where they are paths."""
    if isinstance(truth, str | Path):
        truth = read_truth_file(Path(truth), burgers_magnitude_nm)
    if isinstance(reconstruction, str | Path):
        reconstruction = formats.read(reconstruction, *(kind.result for kind in KINDS.values()))
    return truth, reconstruction


def score_pixels(truth, reconstruction, of: str, view: int) -> dict[str, float | None]:
    """Scores of the lines as pixels of a view, or of their disparity in the widest pair; as of `veristem.score`."""
    from veristem.bench.metrics.disparity_pair import disparity_of, true_disparity
    from veristem.bench.metrics.mask_pair import mask_of, true_mask

    if of not in PLANAR:
        raise InputError(f"`of`: {of!r} found, allowed are {', '.join(PLANAR)}")
    if isinstance(truth, str | Path):
        truth = read_truth_file(Path(truth))
    if not isinstance(truth, LineTruth):
        raise InputError(f"`of` {of}: no truth.h5 of lines found, one allowed, which tells where lines show")
    if not 0 <= view < len(truth.expected):
        raise InputError(f"`view`: {view} found, 0 to {len(truth.expected) - 1} allowed")
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
