"""How a page shows a scene of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veristem.datasets.geometry import pair_angle_rad
from veristem.reports import figures
from veristem.reports.scenes import MOST_TUBES, Scene, reconstruction_plotter, truth_plotter
from veristem.reports.words import dose_numbers, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLUMNS", "FILE", "TITLE", "reconstruction_plotter", "truth_plotter"]

TITLE, FILE = "Dislocation lines", "scene"
COLUMNS = {  # of the table of scores, by the ending of their names
    "": "all lines",
    "_visible": "visible",
    "_psi_above_25": "visible, ψ > 25°",
    "_psi_below_25": "visible, ψ ≤ 25°",
}


def figures_of(scene: Scene) -> dict[str, Figure]:
    """The flat figures by name; no anaglyph of a single view."""
    drawn = {"pair": figures.stereo_pair(scene.acquisition)}
    if figures.pair(scene.acquisition) is not None:
        drawn["anaglyph"] = figures.anaglyph(scene.acquisition)
    return drawn | {"plan": figures.overlay_plan(scene), "depth": figures.overlay_depth(scene)}


def as_lines(scene: Scene) -> tuple[str, ...]:
    """The figures that are smaller as lines than as pixels."""
    lines = sum(map(len, scene.curves.curves_nm)) + (len(scene.truth.network.segments) if scene.truth else 0)
    return ("depth",) if lines < MOST_TUBES else ()


def most_spheres(scene: Scene) -> int:
    """Up to how many spheres are drawn, where there are more; lines are no spheres."""
    return 0


def is_empty(scene: Scene) -> bool:
    """Whether the truth holds no line."""
    return scene.truth is not None and not len(scene.truth.network.segments)


def tolerance_nm(scene: Scene) -> float | None:
    """Of the scores [nm]."""
    return scene.tolerance_nm


def numbers(scene: Scene) -> list[tuple[str, str]]:
    """Values and names of the numbers under the headline; what is not known is left out."""
    found = []
    for key, name, unit in (("f_score", "F", ""), ("depth_rmse_nm", "depth RMSE", " nm")):
        seen, plain = scene.scores.get(key + "_visible"), scene.scores.get(key)
        value = plain if seen is None else seen
        if value is not None and np.isfinite(value):
            found.append((number(value) + unit, name + ("" if seen is None else ", visible lines")))
    if scene.truth is not None:
        count, visible = _count_lines(scene)
        found.append((str(count), f"line{'s' if count != 1 else ''} in the foil, {visible} visible"))
    count = len(scene.curves.curves_nm)
    found.append((str(count), f"curve{'s' if count != 1 else ''} reconstructed"))
    chosen = figures.pair(scene.acquisition)
    if chosen is not None:
        angle = np.degrees(pair_angle_rad(*scene.acquisition.directions_rad[list(chosen)]))
        found.append((f"{angle:.3g}°", "stereo angle"))
    return found + dose_numbers(scene.acquisition)


def _count_lines(scene: Scene) -> tuple[int, int]:
    """Connected pieces of the true network, and those of which some part is visible."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    assert scene.truth is not None
    network, size = scene.truth.network, len(scene.truth.network.nodes_nm)
    if not len(network.segments):
        return 0, 0
    first, second = network.segments.T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    piece = connected_components(graph, directed=False)[1][first]
    return len(np.unique(piece)), len(np.unique(piece[scene.truth.visible]))
