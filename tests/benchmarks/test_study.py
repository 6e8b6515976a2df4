"""What a study adds to its cells, and what it saves by sharing specimens and images: against a plain loop."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from veristem.bench.cell import simulate
from veristem.bench.line_contrast import line_contrast
from veristem.bench.line_limits import line_limits
from veristem.bench.scoring import score
from veristem.bench.study import run_study
from veristem.datasets.recipe import Recipe, Study, load_recipe, load_study
from veristem.recon.methods import run_method

TINY = {
    "specimen.field_nm": [96.0, 96.0],
    "specimen.thickness_nm": 60.0,
    "specimen.relaxed_faces": False,
    "specimen.network.density_per_m2": 3e14,
    "scan.shape": [24, 24],
    "microscope.detector.radius_mrad": 4.0,
}
SCORES = ("f_score", "depth_rmse_nm", "betti0_error", "line_contrast")


def plain_rows(study: Study, recipe: Recipe) -> list[dict]:
    """Every seed, condition and method by itself."""
    rows = []
    for seed in range(study.seeds):
        for conditions in study.cells():
            for method in study.methods:
                truth, acquisition, _ = simulate(recipe.with_values({**conditions, "recipe.seed": seed}))
                limits, contrast = line_limits(truth), line_contrast(truth)
                found = run_method(method, acquisition)
                row = score(truth, found, tolerance_nm=study.tolerance_nm, limits=limits)
                rows.append(row | {"line_contrast": contrast[0]})
    return rows


def check_same(table, rows: list[dict]) -> None:
    """Scores of the table are those of the loop."""
    assert len(table) == len(rows)
    for name in SCORES:
        expected = np.array([row[name] for row in rows], float)
        np.testing.assert_allclose(table[name].to_numpy(float), expected, rtol=1e-6)


@pytest.mark.parametrize("what", ["overhead", "sharing"])
def test_study(compare, tmp_path, what):
    """Tiny cells that share nothing, and the study `smoke`, which has two doses and two methods a specimen."""
    if what == "overhead":
        study, recipe = (
            Study(name="tiny", recipe="cantor-small", methods=["constant"], seeds=20),
            load_recipe("cantor-small"),
        )
        recipe = recipe.with_values(TINY)
    else:
        study = load_study("smoke").changed({"seeds": 1})
        recipe = load_recipe(study.recipe)
    folders = count()
    cells = study.seeds * len(study.cells()) * len(study.methods)
    table, rows = compare(
        {"overhead": "study of tiny cells that share nothing", "sharing": "study smoke, one seed"}[what],
        f"{cells} cells",
        lambda: run_study(study, recipe, tmp_path / str(next(folders))),
        lambda: plain_rows(study, recipe),
        "a loop over simulate, run_method and score",
        rounds=3,
    )
    assert table["error"].isna().all()
    check_same(table, rows)
