"""How both sides of a comparison differ in an image taken from elsewhere (the thesis's figure 3.6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from veristem.bench.metrics.base import mean, rms
from veristem.bench.metrics.lines import Lines
from veristem.bench.metrics.pair import Samples
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Tilt, project

MOST_DEG = 89.0


def reprojected(truth: Lines, found: Lines, tilt_deg: float, axis_rad: float) -> dict[str, float | None]:
    """Scores in the image plane of the specimen tilted by an angle.

    Depth errors show there by the sine of the angle, and errors along the tilt axis as they are: a reconstruction that
    agrees at every tilt is right. Lines that are close in the image count as found whatever their depths.

    Parameters
    ----------
    truth, found : Lines
        In space.
    tilt_deg : float
        Of the specimen, right-handed about the axis [degree].
    axis_rad : float
        Azimuth of the axis in the image [rad].

    Returns
    -------
    dict
        ``tilt_deg``; ``precision``, the share of the projected length of the reconstruction within the tolerance of any
        true line; ``recall`` of the visible truth, or of all where that is not known; ``f_score``; ``rms_nm`` of the
        distance of what is within it [nm]. None without a value.

    Raises
    ------
    InputError
        For an angle beyond `MOST_DEG`.
    """
    if not abs(tilt_deg) <= MOST_DEG:
        raise InputError(f"`reproject`: {tilt_deg:g} deg found, -{MOST_DEG:g} to {MOST_DEG:g} allowed")
    tilt = Tilt(float(np.radians(tilt_deg)), axis_rad)
    truth, found = _flat(truth, tilt), _flat(found, tilt)
    wanted = truth if truth.visible is None else truth.where(truth.visible)
    got, had = Samples.along(found, truth), Samples.along(wanted, found)
    near = got.distance_nm <= truth.tolerance_nm
    precision = mean(near.astype(float), got.weight_nm)
    recall = mean((had.distance_nm <= truth.tolerance_nm).astype(float), had.weight_nm)
    f_score = None
    if precision is not None and recall is not None:
        f_score = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    off = rms(got.distance_nm[near], got.weight_nm[near])
    return {"tilt_deg": float(tilt_deg), "precision": precision, "recall": recall, "f_score": f_score, "rms_nm": off}


def _flat(lines: Lines, tilt: Tilt) -> Lines:
    """Lines as the image of a tilted specimen shows them, foreshortened across the axis."""
    to_image = tilt.to_image((0.0, 0.0))

    def shown(points_nm: np.ndarray) -> np.ndarray:
        return np.pad(project(points_nm, tilt.direction_rad, 0.0, to_image), ((0, 0), (0, 1)))

    flat = replace(lines, start_nm=shown(lines.start_nm), stop_nm=shown(lines.stop_nm))
    return flat.where(flat.lengths_nm > 0)
