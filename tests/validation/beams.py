"""Check of the number of beams: the default row against more beams, in the views of recipes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from scripts import script
from validation.check import Check
from veristem.datasets.recipe import load_recipe
from veristem.reports.style import METHODS

# material and recipe; beams of the default, and what it is held to
_SEEN = {
    "CoCrFeMnNi, 5 mrad": ("CoCrFeMnNi", "tilt-series", (7, 9)),
    "γ-TiAl, 12.8 mrad": ("gamma-TiAl", "tial-stem", (7, 9)),
    "γ-TiAl, 60 mrad": ("gamma-TiAl", "tial-corrected", (7, 9)),
    "CoCrFeMnNi, 91 mrad": ("CoCrFeMnNi", "cantor-stereo", (5, 7)),
}


@cache
def _study() -> Any:
    """The published study, whose lines these are; loaded when it is needed, as studies load the checks."""
    return script("reports/published/beams/make.py")


@cache
def _profiles() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    study, found = _study(), {}
    for name, (material, recipe, beams) in _SEEN.items():
        microscope, crystal = load_recipe(recipe).microscope, study.Crystal.of(material)
        view = microscope.detector.regions(np.pi / 2)[0], microscope.convergence_mrad
        found[name] = tuple(study.profiles(crystal, *view, n) for n in beams)
    return found


def contrast() -> Check:
    """Check 22: the default row shows lines as dark as more beams do."""
    off = {name: _study().difference(*both)[0] for name, both in _profiles().items()}
    return Check(
        "22a",
        "The default number of beams: contrast of a line",
        "CoCrFeMnNi at 91 mrad 5 beams against 7, the others 7 against 9; the views of the recipes of lines, at three "
        f"depths, {', '.join(f'{name} {value:.1%}' for name, value in off.items())}",
        "the same rays and columns, more beams",
        max(off.values()),
        _study().BOUNDS[0],
        "",
        partial(_draw, found=_profiles()),
    )


def place() -> Check:
    """Check 22: the default row shows lines where more beams do."""
    off = {name: _study().difference(*both)[3] for name, both in _profiles().items()}
    return Check(
        "22b",
        "The default number of beams: place of a line",
        "how far its profile must be moved to be most like that of more beams; the same views",
        "the same rays and columns, more beams",
        max(off.values()),
        _study().BOUNDS[2],
        "nm",
        partial(_draw, found=_profiles()),
    )


def _draw(figure, found) -> None:
    study, axes = _study(), figure.subplots(1, len(found))
    for axis, (name, both) in zip(axes, found.items()):
        for profile, beams, style, colour in zip(both, _SEEN[name][2], ("-", "--"), METHODS):
            axis.plot(study._X, study.contrast(profile[1]), style, color=colour, label=f"{beams} beams", lw=1)
        axis.set(title=name, xlabel="x (nm)")
        axis.title.set_fontsize(7)
        axis.tick_params(labelsize=6)
        axis.legend(frameon=False, fontsize=6)
    axes[0].set_ylabel("I / background − 1")


CHECKS: dict[str, Callable[[], Check]] = {"22a": contrast, "22b": place}
