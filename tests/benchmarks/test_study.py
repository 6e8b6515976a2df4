"""What a study adds to its cells, and what it saves by sharing specimens and images: against a plain loop."""

from __future__ import annotations

from itertools import count

import numpy as np

from veristem.bench.limits.line_contrast import line_contrast
from veristem.bench.limits.lines import line_limits
from veristem.bench.scoring import score
from veristem.bench.study import cell
from veristem.bench.study.runner import run_study
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
                truth, acquisition, _ = cell.simulate_recipe(recipe.with_values({**conditions, "recipe.seed": seed}))
                limits, contrast = line_limits(truth), line_contrast(truth)
                found = run_method(method, acquisition)
                row = score(truth, found, tolerance_nm=study.tolerance_nm, limits=limits)
                rows.append(row | {"line_contrast": contrast[0]})
    return rows


def check_same(table, rows: list[dict]) -> None:
    """Scores of the table are those of the loop."""
    assert table["error"].isna().all()
    assert len(table) == len(rows)
    for name in SCORES:
        expected = np.array([row[name] for row in rows], float)
        np.testing.assert_allclose(table[name].to_numpy(float), expected, rtol=1e-6)


def test_overhead(compare, monkeypatch, tmp_path):
    """Cells that share nothing and take next to no time, since their images are made before."""
    study = Study(name="tiny", recipe="cantor-small", methods=["constant"], seeds=40)
    recipe = load_recipe(study.recipe).with_values(TINY)
    made = cell.simulate_recipe(recipe)
    monkeypatch.setattr(cell, "simulate_recipe", lambda *_: made)
    folders = count()
    table, rows = compare(
        "study whose images are there",
        f"{study.seeds} cells of 24² pixels",
        lambda: run_study(study, recipe, tmp_path / str(next(folders))),
        lambda: plain_rows(study, recipe),
        "a loop over run_method and score",
    )
    check_same(table, rows)


def test_sharing(compare, tmp_path):
    """The study `smoke` has two doses and two methods a specimen."""
    study = load_study("smoke").changed({"seeds": 1})
    recipe = load_recipe(study.recipe)
    folders = count()
    table, rows = compare(
        "study smoke, one seed",
        f"{len(study.cells()) * len(study.methods)} cells",
        lambda: run_study(study, recipe, tmp_path / str(next(folders))),
        lambda: plain_rows(study, recipe),
        "a loop over simulate, run_method and score",
        rounds=3,
        reference_rounds=2,
    )
    check_same(table, rows)
