"""The points of a specimen that registration followed from view to view, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.intermediate import Alignment
from veristem.recon import registration
from veristem.recon.tomography import series


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where points were seen.

    Parameters
    ----------
    view, feature : (N,) int
        Which view shows which point; of lines any point along them will do.
    at_nm : (N, 2) float
        Where, in that view's image [nm].
    alignment : Alignment
        Where the views lie.
    told : list of str
        The same in lines for people; warnings begin as such.
    """

    view: np.ndarray
    feature: np.ndarray
    at_nm: np.ndarray
    alignment: Alignment
    told: list[str]

    def by_view(self, views: int) -> np.ndarray:
        """Places (F, V, 2) of every point in every view [nm]; NaN where it was not seen."""
        _, feature = np.unique(self.feature, return_inverse=True)
        found = np.full((feature.max(initial=-1) + 1, views, 2), np.nan)
        found[feature, self.view] = self.at_nm
        return found


def tracks(acquisition: Acquisition, progress: series.Progress = lambda steps, _: steps) -> Tracks:
    """What was followed: of a tilt series of lines through all views, else from each view to its neighbour.

    Of views of one scan nothing is followed, since nothing has moved.

    Parameters
    ----------
    acquisition : Acquisition
        The views.
    progress : callable
        Wraps the loop over (steps of a series, their number).
    """
    a = acquisition
    if a.kind == "dislocations" and series.of_series(a):
        found, lines = series.align(a, progress=progress), series.told(a)
        return Tracks(found.seen.view, found.seen.feature, found.seen.at, found.alignment, lines)
    if not registration.sequential(a):
        none = np.zeros(0, int)
        return Tracks(none, none, np.zeros((0, 2)), Alignment(a.directions_rad, a.to_image), [])
    view, feature, at = registration.tracked(a)
    return Tracks(view, feature, at, registration.register(a).alignment, registration.told(a))
