"""A study: rows for everything, failures among them, and nothing that depends on what was made before."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studies import RECIPE, STUDY, timeless
from veristem.bench.metrics import metrics
from veristem.bench.study import cell as bench_cell
from veristem.bench.study.runner import run_study
from veristem.bench.study.store import read_table
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.datasets.results import schema, score_columns, with_axes


def test_a_row_for_everything(two_doses):
    """Two doses, two seeds, two methods: eight rows, each told apart, in order."""
    _, table = two_doses
    assert len(table) == table["cell"].nunique() == 8
    assert sorted(set(table["seed"])) == [5, 6]
    assert [json.loads(c)["scan.dwell_us"] for c in table["conditions"]] == [10, 10, 500, 500] * 2
    assert (table["electrons_per_pixel"].groupby(table["conditions"]).nunique() == 1).all()
    doses = table.groupby("conditions")["electrons_per_pixel"].first()
    assert doses.max() / doses.min() == pytest.approx(50)
    np.testing.assert_allclose(table["pair_angle_deg"], 8.0, rtol=0.01)


def test_a_failure_is_a_row_with_its_log(two_doses):
    """One bad method costs its own rows and nothing else; the traceback is kept beside."""
    folder, table = two_doses
    good, bad = (table[table["method"] == m] for m in ("constant", "failing"))
    assert good["error"].isna().all()
    assert good["f_score"].notna().all()
    assert set(bad["error"]) == {"RuntimeError: this method always fails; it was given 2 views"}
    assert bad["f_score"].isna().all()
    logs = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "logs").iterdir()}
    assert set(logs) == set(bad["cell"])
    assert all("Traceback" in log and "recon/failing.py" in log.replace("\\", "/") for log in logs.values())


def test_null_and_text_read_back_together(two_doses):
    """The first part written may hold no error at all: the type of a column is never guessed."""
    folder, table = two_doses
    stored = pq.read_table(folder / "results.parquet")
    assert stored.drop_columns(["scan.dwell_us"]).schema.equals(schema(metrics()), check_metadata=False)
    pd.testing.assert_frame_equal(read_table(folder), table)
    assert [p.name for p in folder.rglob(".*")] == [".lock"]


def test_axes_are_columns(two_doses, tmp_path):
    """A table opened elsewhere is grouped by an axis at once; one stored before there were such columns reads alike."""
    folder, table = two_doses
    assert list(pq.read_table(folder / "results.parquet")["scan.dwell_us"].to_pylist()) == [10, 10, 500, 500] * 2
    assert table.columns.get_loc("scan.dwell_us") == table.columns.get_loc("conditions") + 1
    older = pq.read_table(folder / "results.parquet").drop_columns(["scan.dwell_us"])
    pq.write_table(older, tmp_path / "results.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path), table)


@pytest.mark.parametrize(
    ("given", "column"),
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([True, False], [True, False]),
        (["spheres", "chains"], ["spheres", "chains"]),
        ([[1, 1, 0], [0, 0, 1]], ["[1, 1, 0]", "[0, 0, 1]"]),
        ([{"kind": "virtual"}, 2], ['{"kind": "virtual"}', "2"]),
        ([10**400, 1], [str(10**400), "1"]),
        (["\ud800"], ["\ufffd"]),
    ],
)
def test_types_of_axes(given, column):
    """One type a column, whatever is varied; what a stranger wrote into a table can be stored."""
    conditions = [json.dumps({"specimen.g": value, "no.such.key": 1}) for value in given]
    table = with_axes(pa.table({"conditions": conditions}))
    assert table.column_names == ["conditions", "specimen.g"]
    assert table["specimen.g"].to_pylist() == column


def test_every_column_is_described():
    """docs/files.md is what a reader in another language has."""
    text = (Path(__file__).parents[1] / "docs/files.md").read_text(encoding="utf-8")
    assert [
        name for name in schema(metrics()).names if name not in score_columns(metrics()) and f"`{name}`" not in text
    ] == []


def test_results_do_not_depend_on_order(two_doses, tmp_path):
    """Cells share specimens and images; whatever was made before, a cell's numbers are its own."""
    _, table = two_doses
    turned = STUDY.model_copy(
        update={"axes": {"scan.dwell_us": [500, 10]}, "methods": ["failing", "constant"], "name": "two-doses"}
    )
    other = run_study(turned, RECIPE, tmp_path)
    assert list(other["cell"]) != list(table["cell"])
    one, two = (timeless(t).sort_values("cell").reset_index(drop=True) for t in (table, other))
    pd.testing.assert_frame_equal(one, two)


# another value for every number of a recipe that a study may vary
OTHERS = {
    "specimen.thickness_nm": 50.0,
    "specimen.g_azimuth_deg": 30.0,
    "specimen.tilt_off_bragg_deg": 0.3,
    "specimen.zone_axis": [1, 0, 0],
    "specimen.g": [2, -2, 0],
    "specimen.material": "Cu",
    "specimen.network.density_per_m2": 4.0e14,
    "specimen.network.visible_fraction": 0.2,
    "specimen.network.generator": "loops",
    "microscope.energy_keV": 80.0,
    "microscope.current_nA": 0.2,
    "microscope.convergence_mrad": 100.0,
    "microscope.loss_collected_fraction": 0.5,
    "microscope.detector.pair_angle_deg": 6.0,
    "microscope.detector.radius_mrad": 5.0,
    "microscope.detector.pair_azimuth_deg": 20.0,
    "scan.dwell_us": 7.0,
}
FILM = load_recipe("particles-small").with_values({"scan.shape": [64, 64], "specimen.field_nm": [25.6, 25.6]})
OTHERS_OF_FILMS = {
    "specimen.dispersion.concentration_mg_per_ml": 60.0,
    "microscope.convergence_mrad": 40.0,  # a film reaches as far beyond its field as the cone does
}
CHANGES = [(RECIPE, *change) for change in OTHERS.items()] + [(FILM, *change) for change in OTHERS_OF_FILMS.items()]


@pytest.mark.parametrize(("base", "path", "value"), CHANGES, ids=[change[1] for change in CHANGES])
def test_images_do_not_depend_on_what_was_made_before(base, path, value):
    """A specimen that is used again must be the one the recipe asks for, whatever was changed."""
    made = deepcopy(made_before(base))
    assert made.pair is not None
    before = made.pair[0].expected
    other = base.with_values({path: value})
    fresh = bench_cell.simulate_recipe(other)[0].expected
    assert np.array_equal(bench_cell._pair(other, made)[0].expected, fresh)
    assert not np.array_equal(before, fresh)


@cache
def made_before(base: Recipe) -> bench_cell.Made:
    """What a study keeps after a first recipe."""
    made = bench_cell.Made()
    bench_cell._pair(base, made)
    return made


def test_methods_do_not_see_each_other(tmp_path, monkeypatch):
    """One that writes into its images, goes to another folder or ends its process harms itself alone."""
    (tmp_path / "rude.py").write_text(
        "import os, sys\nfrom veristem.recon.constant import reconstruct\n"
        "def wipe(a):\n    a.views[...] = 0\n    os.chdir('/')\n    return reconstruct(a)\n"
        "def leave(a):\n    sys.exit(3)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    study = STUDY.changed({"methods": ["rude:wipe", "rude:leave", "constant"], "seeds": 1})
    rows = run_study(study, RECIPE, "out").set_index("method")
    assert (rows["counts_per_pixel"].groupby(rows["conditions"]).nunique() == 1).all()
    assert set(rows.loc["rude:leave", "failure"]) == {"method"}
    assert set(rows.loc["rude:leave", "error"]) == {"SystemExit: 3"}
    assert rows.loc[["rude:wipe", "constant"], "error"].isna().all()


def test_truth_and_images_are_made_once(tmp_path, monkeypatch):
    """For all methods of a condition one acquisition, for all doses of a seed one specimen; failures too."""
    made = []
    simulate = bench_cell.simulate_recipe

    def counted(recipe, specimen):
        made.append(specimen is not None)
        return simulate(recipe, specimen)

    monkeypatch.setattr(bench_cell, "simulate_recipe", counted)
    run_study(STUDY, RECIPE, tmp_path / "fine")
    assert made == [False, True, False, True]
    made.clear()
    table = run_study(STUDY, RECIPE.with_values({"microscope.convergence_mrad": 20}), tmp_path / "outside")
    assert len(made) == 4
    assert set(table["failure"]) == {"simulation"}
    assert table["error"].str.contains("outside").all()


def test_study_command(cli, tiny, tmp_path):
    """A study file from the command line; a method given there takes the place of the study's."""
    text = (
        '[study]\nname = "mine"\nrecipe = "tiny.toml"\nmethods = ["failing"]\nseeds = 1\n'
        '[study.axes]\n"scan.dwell_us" = [5, 50]\n'
    )
    (tmp_path / "tiny.toml").write_text(tiny, encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    out = tmp_path / "results"
    methods = ("--method", "constant", "--method", "failing")
    arguments = ("study", tmp_path / "mine.toml", "-o", out, "--set", "recipe.seed=3", *methods)
    first = cli(*arguments)
    assert first.code == 0
    assert first.out.splitlines()[-1] == f"4 rows, 2 failed: {out / 'results.parquet'}"
    assert "4 of 4 cells" in first.err
    second = cli(*arguments)
    assert (second.code, second.out, second.err) == (0, first.out, "")
    assert set(read_table(out)["method"]) == {"constant", "failing"}
    assert json.loads((out / "study.json").read_text(encoding="utf-8"))["peak_memory_mib"] > 10
