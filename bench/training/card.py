"""What is to be known of weights before they are used: the card that lies beside them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np

from veristem.bench.training.checks import TOLERANCE_PX
from veristem.bench.training.draws import FIRST_SEED, SPREAD
from veristem.bench.training.foils import TrainingFoil
from veristem.bench.training.trained import Trained
from veristem.datasets.recipe import Recipe

_FEW = 3  # foils of a group, below which its scores say little


def card(
    trained: Trained,
    command: str,
    recipes: Sequence[Recipe],
    used: Sequence[TrainingFoil],
    seed: int,
    steps: int,
    cpu_s: float,
    digest: str,
    calibration: float,
) -> str:
    """The card of a network of contours, as Markdown."""
    best, groups = trained.best, trained.groups
    tables = [json.loads(foil.recipe) for foil in used]
    return "\n".join([
        "# Weights: contours",
        "",
        f"SHA-256 of the .safetensors: `{digest}`",
        "",
        "## Made by",
        "",
        f"`{command or 'vs.train'}`",
        "",
        f"- {len(used)} foils, {steps} steps, training seed {seed}; seeds of foils from {FIRST_SEED * (seed + 1)}",
        f"- {cpu_s / 60:.0f} CPU-minutes in this process, without foils that others made or that were there",
        f"- {_of(recipes)}",
        *(f"- {line}" for line in _drawn(tables)),
        "",
        "## How well, on simulated foils that were not trained on",
        "",
        f"Contours in the plane of the image, within {TOLERANCE_PX:g} pixels, at each foil's own dose: precision "
        f"{best.precision:.2f}, recall {best.recall:.2f}.",
        "The same foils chose the step whose weights are kept, so that these numbers are a little too good.",
        f"Standard deviations are multiplied by {calibration:.2f}, which makes errors of found contours fit them.",
        *_boundaries(trained),
        "",
        "| | foils | precision | recall |",
        "| --- | --- | --- | --- |",
        *(f"| {row.group}: {row.name} | {row.foils} | {row.precision:.2f} | {row.recall:.2f} |"
          for row in groups.to_records()),
        "",
        f"Groups of fewer than {_FEW} foils say little.",
        "",
        "## Where it fails",
        "",
        *_failing(trained),
        "- What the simulator does not make was painted only in kind: other reflections, charging, damage.",
        "",
        *(f"Note: {note}." for note in trained.notes),
    ])  # fmt: skip


def _of(recipes: Sequence[Recipe]) -> str:
    if not recipes:
        return "a broad mixture of materials, networks, lamellae, lenses and scans (bench/training/draws.py)"
    spread = ", ".join(f"{path.rpartition('.')[2]} by up to x {factor:g}" for path, factor in SPREAD.items())
    return f"about {', '.join(recipe.recipe.name for recipe in recipes)}, spread either way: {spread}"


def _drawn(tables: Sequence[dict]) -> list[str]:
    """What was drawn, as it came out."""

    def counts(values) -> str:
        return ", ".join(f"{name} {number}" for name, number in Counter(values).most_common())

    thick = [table["specimen"]["thickness_nm"] for table in tables]
    angles = [table["microscope"]["detector"]["pair_angle_deg"] for table in tables]
    return [
        f"materials: {counts(table['specimen']['material'] for table in tables)}",
        f"networks: {counts(table['specimen']['network'].get('generator', 'from a file') for table in tables)}",
        f"with lamellae or grains: {sum(table['specimen']['regions'] is not None for table in tables)}",
        f"thickness {min(thick):.0f}–{max(thick):.0f} nm, angle between discs {min(angles):.1f}–{max(angles):.1f}°",
    ]


def _boundaries(trained: Trained) -> list[str]:
    best = trained.best
    wrong = best.claimed - best.true
    if wrong <= 0:
        return []
    return [f"Of the false length {best.at_boundary / wrong:.0%} lies where boundaries between regions are seen."]


def _failing(trained: Trained) -> list[str]:
    """The groups with the lowest scores, where there are enough foils to tell."""
    rows = [row for row in trained.groups.to_records() if row.foils >= _FEW and np.isfinite(row.f_score)]
    worst = sorted(rows, key=lambda row: row.f_score)[:3]
    return [f"- {row.group} {row.name}: precision {row.precision:.2f}, recall {row.recall:.2f}" for row in worst]
