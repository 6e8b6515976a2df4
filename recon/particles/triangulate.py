"""From particles detected in each view to places in space: what all methods share after detection."""

from __future__ import annotations

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import widest_pair
from veristem.datasets.intermediate import Detections, PointMatches
from veristem.datasets.particle_rays import shown
from veristem.datasets.reconstruction import PointSet
from veristem.recon.particles.matching import match_points, triangulate_points

_SLACK = 0.05  # of a radius: errors of a detection that are not noise, such as overlap
_UNKNOWN_DEPTHS_NM = 500.0


def depth_range_nm(acquisition: Acquisition) -> tuple[float, float]:
    """Depths below the focus plane where particles may be [nm]; 500 nm in all when the thickness is not known."""
    if acquisition.thickness_nm is None:
        return -_UNKNOWN_DEPTHS_NM / 2, _UNKNOWN_DEPTHS_NM / 2
    return -acquisition.focus_nm, acquisition.thickness_nm - acquisition.focus_nm


def slack_nm(detections: Detections) -> float:
    """Standard deviation added to each detection for what is not noise [nm]."""
    radii = np.concatenate(detections.radii_nm)
    return _SLACK * float(np.median(radii)) if len(radii) else _SLACK


def points_from(
    acquisition: Acquisition,
    detections: Detections | None,
    matches: PointMatches | None,
    fewest_views: int,
    rescattering: bool = True,
) -> PointSet:
    """Detections, or their matches, to points.

    Parameters
    ----------
    acquisition : Acquisition
        Its nominal geometry.
    detections : Detections or None
        In every view; not needed with ``matches``.
    matches : PointMatches or None
        Which of them are one particle; found here if not given.
    fewest_views : int
        Views in which a particle must have been found.
    rescattering : bool
        Whether particles scatter into the views, and so show under other directions than the mean of a view.

    Raises
    ------
    InputError
        With fewer than two views or views without parallax.
    """
    fewest = fewest_allowed(acquisition, fewest_views)
    seen = detections if matches is None else matches.detections
    assert seen is not None
    range_nm, radii = depth_range_nm(acquisition), np.concatenate(seen.radii_nm)
    seem = shown(acquisition, float(np.median(radii)) if len(radii) else 0.0, range_nm, rescattering)
    if matches is None:
        low, high = (float(seem.apparent(depth)) for depth in range_nm)
        matches = match_points(seen, seem.directions_rad, (low, high), fewest, slack_nm(seen))
    places, covariance, _ = triangulate_points(seen, matches.index, seem.directions_rad)
    stretch = np.column_stack([np.ones((len(places), 2)), seem.stretch(places[:, 2])])
    covariance = covariance * stretch[:, :, None] * stretch[:, None]
    places[:, 2] = seem.depth(places[:, 2])
    focus = np.array([0.0, 0.0, acquisition.focus_nm])
    views = (matches.index >= 0).sum(axis=1)
    return PointSet(places + focus, covariance, mean_radii(seen, matches.index), views, matches.ambiguity)


def fewest_allowed(acquisition: Acquisition, fewest_views: int) -> int:
    """Views in which a particle must have been found: no more than there are.

    Raises
    ------
    InputError
        For fewer than two, views without parallax or of a tilted specimen.
    """
    widest_pair(acquisition.directions_rad)
    if acquisition.tilts_rad is not None:
        raise InputError(
            "tilts_rad: views of a tilted film found, views taken at once allowed; `points-tomo` takes series"
        )
    if fewest_views < 2:
        raise InputError(f"fewest_views: {fewest_views} found, 2 or more allowed")
    return min(fewest_views, len(acquisition.directions_rad))


def mean_radii(detections: Detections, index: np.ndarray) -> np.ndarray:
    """Mean radius (M,) over the views in which each match (M, V) was seen [nm]."""
    total, seen = np.zeros(len(index)), index >= 0
    for view, radii in enumerate(detections.radii_nm):
        total[seen[:, view]] += radii[index[seen[:, view], view]]
    return total / np.maximum(seen.sum(axis=1), 1)
