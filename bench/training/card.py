"""What is to be known of weights before they are used: the card that lies beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from veristem.bench.training.draws import FIRST_SEED
from veristem.bench.training.stage import Stage
from veristem.bench.training.trained import Trained
from veristem.datasets.recipe import Recipe

_FEW = 3  # examples of a group, below which its scores say little


def card(
    stage: Stage,
    trained: Trained,
    command: str,
    recipes: Sequence[Recipe],
    used: Sequence[str],
    seed: int,
    steps: int,
    cpu_s: float,
    digest: str,
) -> str:
    """The card of a network, as Markdown; ``used`` are the recipes, as JSON, of the examples it was trained on."""
    best, groups, them = trained.best, trained.groups, f"{stage.example}s"
    factors = " and ".join(f"{factor:.2f}" for factor in best.calibration)
    return "\n".join([
        f"# Weights: {stage.name}",
        "",
        f"SHA-256 of the .safetensors: `{digest}`",
        "",
        "## Made by",
        "",
        f"`{command or 'vs.train'}`",
        "",
        f"- {len(used)} {them}, {steps} steps, training seed {seed}; seeds of {them} from {FIRST_SEED * (seed + 1)}",
        f"- {cpu_s / 60:.0f} CPU-minutes in this process, without {them} that others made or that were there",
        f"- {_of(stage, recipes)}",
        *(f"- {line}" for line in stage.described([json.loads(recipe) for recipe in used])),
        "",
        f"## How well, on simulated {them} that were not trained on",
        "",
        f"{stage.measure}: precision {best.precision:.2f}, recall {best.recall:.2f}.",
        f"The same {them} chose the step whose weights are kept, so that these numbers are a little too good.",
        f"Standard deviations are multiplied by {factors}, so that they fit the errors.",
        *_boundaries(trained),
        "",
        f"| | {them} | precision | recall |",
        "| --- | --- | --- | --- |",
        *(f"| {row.group}: {row.name} | {row.examples} | {row.precision:.2f} | {row.recall:.2f} |"
          for row in groups.to_records()),
        "",
        f"Groups of fewer than {_FEW} {them} say little.",
        "",
        "## Where it fails",
        "",
        *_failing(trained),
        *(f"- {line}" for line in stage.failing),
        "",
        *(f"Note: {note}." for note in trained.notes),
    ])  # fmt: skip


def _of(stage: Stage, recipes: Sequence[Recipe]) -> str:
    if not recipes:
        return stage.mixture
    spread = ", ".join(f"{path.rpartition('.')[2]} by up to x {factor:g}" for path, factor in stage.spread.items())
    return f"about {', '.join(recipe.recipe.name for recipe in recipes)}, spread either way: {spread}"


def _boundaries(trained: Trained) -> list[str]:
    best = trained.best
    wrong = best.claimed - best.true
    if wrong <= 0 or best.at_boundary is None:
        return []
    return [f"Of the false length {best.at_boundary / wrong:.0%} lies where boundaries between regions are seen."]


def _failing(trained: Trained) -> list[str]:
    """The groups with the lowest scores, where there are enough examples to tell."""
    rows = [row for row in trained.groups.to_records() if row.examples >= _FEW and np.isfinite(row.f_score)]
    worst = sorted(rows, key=lambda row: row.f_score)[:3]
    return [f"- {row.group} {row.name}: precision {row.precision:.2f}, recall {row.recall:.2f}" for row in worst]
