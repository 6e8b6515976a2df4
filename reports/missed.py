"""How likely visible lines were missed, over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veristem.reports import figures
from veristem.reports.scenes import Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@figures.styled
def missed_figure(scene: Scene) -> Figure:
    """The left image, and the same under P(missed): blue and yellow, which all eyes tell apart."""
    assert scene.missed is not None
    acquisition = scene.acquisition
    index = (figures.pair(acquisition) or (0,))[0]
    image = acquisition.views[index]
    low, high = np.percentile(image, [0.2, 99.8])
    figure, (axes,) = figures.new_figure((7.2, 3.5), 2)
    for ax in axes:
        figures.show_view(ax, acquisition, image, cmap="gray", vmin=low, vmax=high)
    axes[1].set_ylabel("")
    height, width = np.multiply(image.shape, acquisition.pixel_nm)
    shown = axes[1].imshow(
        scene.missed[index], extent=(0, width, height, 0), cmap="cividis", vmin=0, vmax=1, alpha=0.6,
        interpolation="nearest",
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, shrink=0.9)
    bar.set_label("P(missed) of a visible line")
    return figure
