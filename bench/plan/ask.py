"""The way in: what `import veristem` calls ``plan``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from veristem.bench.plan import answer
from veristem.bench.plan.films import depth_for_peak, neighbour_nm
from veristem.bench.plan.question import Session, Wish
from veristem.bench.plan.setups import KINDS
from veristem.bench.plan.verify import verified
from veristem.datasets.errors import InputError
from veristem.datasets.instruments import load_instrument
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.datasets.shapes import check_positive


def plan(
    recipe: str | Path | Recipe = "cantor-stereo",
    microscope: str = "themis-4d",
    *,
    values: dict[str, Any] | None = None,
    dose_per_nm2: float | None = None,
    time_s: float | None = None,
    drift_nm_per_s: float = 0.0,
    data_GB: float | None = None,
    depth_nm: float | None = None,
    completeness: float | None = None,
    peak_nm: float | None = None,
    setups: Sequence[str] = (),
    method: str | None = None,
    verify: int = 0,
    progress: Callable[[Iterable, int], Iterable] = lambda groups, _: groups,
    tell: Callable[[str], Any] = lambda _: None,
) -> answer.Plan:
    """Conditions for a session, and what to expect of them.

    Parameters
    ----------
    recipe : name, path or Recipe
        Of the foil (material, reflection, thickness, density) or the film (particles, concentration, thickness) and the
        scan (pixels); the set-up is what is chosen.
    microscope : name or path
        What can be chosen; `veristem list microscopes` shows the names.
    values : dict, optional
        Changes by dotted path into the recipe.
    dose_per_nm2, time_s, data_GB : float, optional
        Most of all scans together; the dose of the recipe if neither dose nor time is limited.
    drift_nm_per_s : float
        Of the specimen [nm/s].
    depth_nm, completeness : float, optional
        Wishes: largest scatter of depths [nm], least share that is found, 0.5 with a depth alone.
    peak_nm : float, optional
        Wish of particles, instead of a depth: by how much the mean distance of neighbours may come out too long [nm].
    setups : sequence of "discs", "segments", "aperture", "tilts"
        All that the microscope has if not given.
    method : str, optional
        That will reconstruct; one that the planner knows. The learned one if not given.
    verify : int
        Run the method on so many of the best and order them by what it reaches; 0 does not.
    progress : callable
        Wraps the loop over (groups of set-ups that have to be imaged first, and their number).
    tell : callable
        Gets a line before foils are imaged.

    Raises
    ------
    InputError
        For what the microscope has not, limits that exclude every set-up, or a bad recipe.
    """
    session = Session(dose_per_nm2, time_s, drift_nm_per_s, data_GB)
    asked = (recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))).with_values(values or {})
    if peak_nm is not None:
        depth_nm = _depth_for(asked, peak_nm, depth_nm)
    how: dict[str, Any] = {"session": session, "wish": Wish(depth_nm, completeness), "method": method, "say": tell}
    how["progress"] = progress
    made = answer.plan(asked, load_instrument(microscope), kinds=tuple(setups) or tuple(KINDS), **how)
    return verified(made, verify, tell) if verify else made


def _depth_for(recipe: Recipe, peak_nm: float, depth_nm: float | None) -> float:
    """Scatter of depths [nm] with which the first peak of g(r) is right to so much."""
    check_positive("peak_nm", peak_nm)
    if recipe.specimen.kind != "particles":
        raise InputError("`peak_nm`: a wish for a foil of lines found, one of particles allowed")
    if depth_nm is not None:
        raise InputError("`peak_nm` and `depth_nm`: both found, one allowed")
    return depth_for_peak(neighbour_nm(recipe), peak_nm)
