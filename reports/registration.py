"""How views that were taken one after the other lie upon each other: points before and after they were registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from veristem.datasets import Acquisition
from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Alignment
from veristem.reports.figures import new_figure, show_view, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ARROW_PX = 10.0  # rms of the residuals is drawn so long, in pixels of the image


@dataclass(frozen=True, eq=False)
class Registered:
    """What registration found.

    Parameters
    ----------
    alignment : Alignment
        Where the views lie.
    text : str
        The same in words.
    view : int
        The view of a pair in which places are shown.
    places_nm, before_nm, after_nm : (N, 2) float
        Patches in that view, and how far across the epipolar direction the other shows them from where they should be,
        without and with registration [nm].
    point, lost : (N,) bool
        Which of them are points that were tracked, and which were found nowhere.
    """

    alignment: Alignment
    text: str
    view: int
    places_nm: np.ndarray
    before_nm: np.ndarray
    after_nm: np.ndarray
    point: np.ndarray
    lost: np.ndarray

    def project(self, acquisition: Acquisition, points_nm, view: int) -> np.ndarray:
        """Where points (..., 3) are in a view, (..., 2) [nm]."""
        to_image = None if self.alignment.to_image is None else self.alignment.to_image[view]
        return project(points_nm, self.alignment.directions_rad[view], acquisition.focus_nm, to_image)


@styled
def registration_figure(acquisition: Acquisition, found: Registered) -> Figure:
    """Residuals across the epipolar direction as arrows on a view, before and after, each to a scale of its own."""
    image, pixel = acquisition.views[found.view], acquisition.pixel_nm
    low, high = np.percentile(image, [0.2, 99.8])
    figure, (axes,) = new_figure((7.2, 4.4), 2)
    at = found.places_nm
    for ax, title, off in zip(axes, ("as taken", "registered"), (found.before_nm, found.after_nm)):
        show_view(ax, acquisition, image, cmap="gray", vmin=low, vmax=high + 0.6 * (high - low))
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        ax.plot(*at[found.lost].T, "x", color="#D55E00", ms=3, mew=0.6, label="found nowhere")
        rms = float(np.sqrt((off[found.point] ** 2).sum(axis=1).mean())) / pixel if found.point.any() else np.nan
        if rms > 0:
            larger = _ARROW_PX / rms
            ax.quiver(
                *at[found.point].T, *(larger * off[found.point]).T, angles="xy", scale_units="xy", scale=1,
                color="#56B4E9", width=0.004, label="tracked point",
            )  # fmt: skip
            ax.set_title(f"{title}: {rms:.2f} pixels rms (arrows × {larger:.2g})")
        ax.set_xlim(left, right)
        ax.set_ylim(bottom, top)
    axes[1].set_ylabel("")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
