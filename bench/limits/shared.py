"""Views that count the same electrons: how far their noise goes together, and what they then tell together."""

from __future__ import annotations

import numpy as np

from veristem.datasets.microscope import Response
from veristem.datasets.recipe import Recipe
from veristem.sim.noise import mean_and_variance
from veristem.sim.views import shared_parts

_SAME = 1 - 1e-6  # correlation of views that tell the same


def groups_of_views(recipe: Recipe) -> list[tuple[list[int], np.ndarray]]:
    """Numbers of the views whose detector regions overlap, and the correlation (n, n) of their electrons.

    The correlation is that of areas in a cone filled evenly. A view alone is a group of one; one that counts the same
    electrons as an earlier one tells nothing new, and is left out.
    """
    alpha = 1e-3 * recipe.microscope.convergence_mrad
    regions = recipe.microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    tilts = len(recipe.stage.angles_deg)
    parts, member = shared_parts(recipe, regions)
    if not parts:
        return [([view], np.ones((1, 1))) for view in range(tilts * len(regions))]
    common = member @ np.diag([part.fraction(alpha) for part in parts]) @ member.T
    correlation = common / np.maximum(np.sqrt(np.outer(common.diagonal(), common.diagonal())), 1e-300)
    kept = [n for n in range(len(regions)) if not (correlation[n, :n] > _SAME).any()]
    groups = []
    while kept:
        group = [kept[0]]
        for one in group:  # grows as neighbours of neighbours are found
            group += [n for n in kept if n not in group and correlation[one, n] > 0]
        kept = [n for n in kept if n not in group]
        groups.append(sorted(group))
    return [
        ([tilt * len(regions) + n for n in group], correlation[np.ix_(group, group)])
        for tilt in range(tilts)
        for group in groups
    ]


def joint_variance(expected: np.ndarray, response: Response, correlation: np.ndarray) -> np.ndarray:
    """One over the inverse of the covariance of n views in each pixel, (n, n, Y, X): of one view its variance.

    Parameters
    ----------
    expected : (n, Y, X) float
        Expected electrons.
    response : Response
        Of the detector; what is read out is each view's own.
    correlation : (n, n) float
        Of the electrons, as `groups_of_views` gives it.
    """
    variance = mean_and_variance(expected, response)[1]
    if len(expected) == 1:
        return variance[None]
    shared = np.sqrt(np.maximum(1 - response.readout_electrons**2 / np.maximum(variance, 1e-300), 0.0))
    within = np.einsum("ij,iyx,jyx->yxij", correlation, shared, shared)
    number = np.arange(len(expected))
    within[..., number, number] = 1.0
    if not response.readout_electrons:  # the same in all pixels
        within = correlation[None, None]
    inverse = np.moveaxis(np.linalg.pinv(within, rcond=1e-6, hermitian=True), (0, 1), (2, 3))
    deviation = np.sqrt(variance)
    with np.errstate(divide="ignore"):
        return deviation[:, None] * deviation[None] / inverse
