"""How a page shows a scene of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veristem.datasets.geometry import pair_angle_rad
from veristem.reports import figures
from veristem.reports.crystal_axes import WORDS
from veristem.reports.missed import missed_figure
from veristem.reports.registration import registration_figure
from veristem.reports.scenes import MOST_TUBES, Scene, reconstruction_plotter, truth_plotter
from veristem.reports.words import box_words, counted, dose_numbers, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from veristem.datasets import Acquisition

__all__ = ["COLUMNS", "FILE", "TITLE", "reconstruction_plotter", "truth_plotter"]

TITLE, FILE = "Dislocation lines", "scene"
COLUMNS = {  # of the table of scores, by the ending of their names
    "": "all lines",
    "_visible": "visible",
    "_psi_above_25": "visible, ψ > 25°",
    "_psi_below_25": "visible, ψ ≤ 25°",
}


def figures_of(scene: Scene) -> dict[str, Figure]:
    """The flat figures by name; no anaglyph of a single view, and no second plan without a truth to leave out."""
    drawn = {"pair": figures.stereo_pair(scene.acquisition)}
    if figures.pair(scene.acquisition) is not None:
        drawn["anaglyph"] = figures.anaglyph(scene.acquisition)
    if scene.registration is not None and len(scene.registration.places_nm):
        drawn["registration"] = registration_figure(scene.acquisition, scene.registration)
    drawn["plan"] = figures.overlay_plan(scene)
    if scene.truth is not None:
        drawn["plan-without-truth"] = figures.overlay_plan(scene, with_truth=False)
    if scene.missed is not None:
        drawn["missed"] = missed_figure(scene)
    return drawn | {"depth": figures.overlay_depth(scene)}


def alts(scene: Scene) -> dict[str, str]:
    """What each picture shows, by its name, for who does not see it."""
    count = counted(len(scene.curves.curves_nm), "reconstructed curve")
    colour = f", coloured by {scene.shade.label}" if scene.curves.curves_nm else ""
    foil, image = box_words(scene, "foil"), image_words(scene.acquisition)
    truth = scene.truth is not None and bool(len(scene.truth.network.segments))
    over = " over the true lines in grey" if truth else ""
    there, seen = _true_um(scene) if truth else (0.0, 0.0)
    lines = f"{there:.2g} µm of true lines, {seen:.2g} µm of them visible"
    views = len(scene.acquisition.views)
    shown = "the two views farthest apart" if figures.pair(scene.acquisition) is not None else "a view"
    return {
        "pair": f"Images: {shown} of {views} on one grey scale, with a scale bar",
        "registration": "The left image twice, with arrows at points that were tracked to the other: residuals before "
        "and after registration",
        "anaglyph": "Red and cyan overlay of the two images, for stereo glasses",
        "plan": f"{image}, with {count}{colour} projected onto it" + (" and the true lines in white" if truth else ""),
        "plan-without-truth": f"{image}, with {count}{colour} projected onto it, without the true lines",
        "missed": f"{image} twice: as it is, and under the probability that a visible line was missed, in "
        "squares from blue (found) to yellow (missed)",
        "depth": f"Depth against x of {count}{colour}{over}",
        "truth": f"3D picture of {lines}, {foil}",
        "truth_beam": f"The same {lines}, seen along the beam, x against y",
        "reconstruction": f"3D picture of {count}{colour}{over}, {foil}",
        "reconstruction_edge": f"The same {count} seen edge-on, y against depth{over}",
    }


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
    """Values and what they are, each to be understood alone; what is not known is left out."""
    found = []
    for key, name, unit in (
        ("f_score", "F of {}, 1 is perfect", ""),
        ("depth_rmse_nm", "depth error (rms) of {}", " nm"),
    ):
        seen, plain = scene.scores.get(key + "_visible"), scene.scores.get(key)
        value = plain if seen is None else seen
        if value is not None and np.isfinite(value) and has_lines(scene, visible=seen is not None):
            whose = ("all lines" if seen is None else "the visible lines") + (", where found" if unit else "")
            found.append((number(value) + unit, name.format(whose)))
    if scene.truth is not None:
        there, seen = _true_um(scene)
        if there:
            found.append((f"{seen:.2g} of {there:.2g} µm", "of true lines show with this reflection"))
        else:
            found.append(("0", "lines in the foil"))
    count = len(scene.curves.curves_nm)
    found.append((f"{count:,}", f"curve{'s' if count != 1 else ''} reconstructed"))
    views, chosen = len(scene.acquisition.views), figures.pair(scene.acquisition)
    if chosen is not None:
        angle = np.degrees(pair_angle_rad(*scene.acquisition.directions_rad[list(chosen)]))
        found.append(
            (f"{angle:.3g}°", "between the two views" if views == 2 else f"between the outer of {views} views")
        )
    return found + dose_numbers(scene.acquisition)


def words(scene: Scene) -> dict[str, str]:
    """What captions call things."""
    views, chosen = len(scene.acquisition.views), figures.pair(scene.acquisition)
    if chosen is None:
        pair = "The image" if views == 1 else f"The first of {views} images from one direction"
    else:
        pair = (
            "The stereo pair" if views == 2 else f"Views {chosen[0]} and {chosen[1]} of {views}, the two farthest apart"
        )
    axes = "" if scene.curves.crystal_from_specimen is None else f"; {WORDS}"
    return {"image": image_words(scene.acquisition), "pair_words": pair, "crystal": axes}


def has_lines(scene: Scene, visible: bool = True) -> bool:
    """Whether the truth is known to hold a line, or one that shows: without one no score means anything."""
    if scene.truth is None:
        return False
    return bool(scene.truth.visible.any()) if visible else bool(len(scene.truth.network.segments))


def image_words(acquisition: Acquisition) -> str:
    """What the image is on which a reconstruction is drawn."""
    chosen = figures.pair(acquisition)
    if chosen is None:
        return "The image" if len(acquisition.views) == 1 else "The first image"
    return "The left image" if len(acquisition.views) == 2 else f"View {chosen[0]}, the left of the two farthest apart"


def _true_um(scene: Scene) -> tuple[float, float]:
    """Length of the true lines, and of those that the reflection shows [µm]."""
    assert scene.truth is not None
    length = 1e-3 * scene.truth.network.lengths_nm
    return float(length.sum()), float(length[scene.truth.visible].sum())
