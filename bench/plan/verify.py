"""A plan tried before it is trusted: the method itself, on the same specimens, half of the set-ups each time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from veristem.bench.plan.answer import LEAST_RECALL, Option, Plan
from veristem.bench.study.runner import run_study
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Study

_FIRST_SEEDS, _MOST_SEEDS = 2, 8
_FIRST = 8100  # no study has these seeds


def verified(plan: Plan, count: int, tell: Callable[[str], object] = lambda _: None, workers: int = 2) -> Plan:
    """The plan with its best set-ups in the order of what the method reaches in them, each with what was measured.

    Successive halving: all of them on two specimens, the better half on four, and so on; all see the same.

    Parameters
    ----------
    plan : Plan
        Its recipe's specimens are imaged.
    count : int
        Set-ups tried, the best by prediction first.
    tell : callable
        Gets a line before each round.
    workers : int
        Processes.
    """
    if count < 2:
        raise InputError(f"`verify`: {count} found, at least 2 allowed")
    tried, rest = plan.options[:count], plan.options[count:]
    alive, out, seeds = list(range(len(tried))), [], _FIRST_SEEDS
    measured: dict[int, tuple[float, float, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        while True:
            tell(f"trying {len(alive)} set-ups on {seeds} specimens")
            for number in alive:
                measured[number] = _run(plan, tried[number], seeds, Path(folder) / str(number), workers)
            depth, recall = (np.array([measured[n][i] for n in alive]) for i in (0, 1))
            order = np.lexsort((depth, recall < np.nanmax(recall) - LEAST_RECALL))
            kept = len(alive) // 2
            if kept < 2 or seeds >= _MOST_SEEDS:
                out = [alive[i] for i in order] + out
                break
            out = [alive[i] for i in order[kept:]] + out
            alive, seeds = [alive[i] for i in order[:kept]], 2 * seeds
    found = [replace(tried[n], warnings=(*tried[n].warnings, _words(plan, measured[n]))) for n in out]
    return replace(plan, options=[*found, *rest], chosen=1)


def _words(plan: Plan, measured: tuple[float, float, int]) -> str:
    depth, recall, seeds = measured
    is_film = plan.recipe.specimen.kind == "particles"
    tried = f"tried on {seeds} {'films' if is_film else 'foils'}"
    if not np.isfinite(depth):
        return f"{tried}: nothing found"
    return f"{tried}: {recall:.2f} of the {'particles' if is_film else 'line'} found, depths scatter by {depth:.2g} nm"


def _run(plan: Plan, option: Option, seeds: int, folder: Path, workers: int) -> tuple[float, float, int]:
    """Depth scatter [nm] and share of the line found, means over foils, and their number."""
    values = option.setup.values | {
        "microscope.current_nA": option.shot.current_nA,
        "scan.dwell_us": option.shot.dwell_us,
    }
    recipe = plan.recipe.with_values(values | {"scan.registered": True})
    study = Study.from_table(
        {"name": "plan", "recipe": "plan", "methods": [plan.method], "seeds": seeds, "first_seed": _FIRST}
        | ({"tolerance_nm": 20.0} if plan.recipe.specimen.kind == "dislocations" else {}),
        "plan",
    )  # fmt: skip
    table: pd.DataFrame = run_study(study, recipe, folder, lambda items, _: items, workers=workers)
    good = table[table["failure"].isna()] if "failure" in table else table
    if good.empty:
        raise InputError(f"verify: {plan.method} failed on every specimen in {option.setup.text}")
    depth, recall = (np.asarray(good[name], float) for name in ("depth_spread_nm", "recall"))
    scatter = float(np.sqrt(np.nanmean(depth**2))) if np.isfinite(depth).any() else np.inf
    return scatter, float(recall.mean()), len(good)
