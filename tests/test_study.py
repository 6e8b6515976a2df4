"""A study: rows for everything, failures among them; what is finished is never run again."""

from __future__ import annotations

import errno
import json
import re
import shutil
from copy import deepcopy
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.metrics import metrics
from veristem.bench.study import cell as bench_cell
from veristem.bench.study import runner as bench_study
from veristem.bench.study.key import cell_key
from veristem.bench.study.runner import batches, list_cells, run_study
from veristem.bench.study.store import read_table
from veristem.datasets import InputError
from veristem.datasets.recipe import Recipe, Study, load_recipe
from veristem.datasets.results import TIMES, schema, score_columns
from veristem.recon import apart

RECIPE = Recipe.from_table(
    {
        "recipe": {"name": "tiny", "seed": 5},
        "specimen": {
            "thickness_nm": 60.0,
            "field_nm": [96.0, 96.0],
            "relaxed_faces": False,
            "network": {"density_per_m2": 3.0e14},
        },
        "scan": {"shape": [24, 24], "pixel_nm": 4.0},
        "microscope": {"detector": {"kind": "virtual", "radius_mrad": 4.0}},
    },
    "tiny",
)
STUDY = Study.model_validate(
    {
        "name": "two-doses",
        "recipe": "tiny",
        "methods": ["constant", "failing"],
        "seeds": 2,
        "axes": {"scan.dwell_us": [10, 500]},
    }
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folder and table of the study; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    return folder, run_study(STUDY, RECIPE, folder)


def timeless(table: pd.DataFrame) -> pd.DataFrame:
    """A table without its times."""
    return table.drop(columns=list(TIMES))


def test_a_row_for_everything(results):
    """Two doses, two seeds, two methods: eight rows, each told apart, in order."""
    _, table = results
    assert len(table) == table["cell"].nunique() == 8
    assert sorted(set(table["seed"])) == [5, 6]
    assert [json.loads(c)["scan.dwell_us"] for c in table["conditions"]] == [10, 10, 500, 500] * 2
    assert (table["electrons_per_pixel"].groupby(table["conditions"]).nunique() == 1).all()
    doses = table.groupby("conditions")["electrons_per_pixel"].first()
    assert doses.max() / doses.min() == pytest.approx(50)
    np.testing.assert_allclose(table["pair_angle_deg"], 8.0, rtol=0.01)


def test_a_failure_is_a_row_with_its_log(results):
    """One bad method costs its own rows and nothing else; the traceback is kept beside."""
    folder, table = results
    good, bad = (table[table["method"] == m] for m in ("constant", "failing"))
    assert good["error"].isna().all()
    assert good["f_score"].notna().all()
    assert set(bad["error"]) == {"RuntimeError: this method always fails; it was given 2 views"}
    assert bad["f_score"].isna().all()
    logs = {path.stem: path.read_text(encoding="utf-8") for path in (folder / "logs").iterdir()}
    assert set(logs) == set(bad["cell"])
    assert all("Traceback" in log and "recon/failing.py" in log.replace("\\", "/") for log in logs.values())


def test_null_and_text_read_back_together(results):
    """The first part written may hold no error at all: the type of a column is never guessed."""
    folder, table = results
    stored = pq.read_table(folder / "results.parquet")
    assert stored.schema.equals(schema(metrics()), check_metadata=False)
    pd.testing.assert_frame_equal(read_table(folder), table)
    assert [p.name for p in folder.rglob(".*")] == [".lock"]


def test_every_column_is_described():
    """docs/files.md is what a reader in another language has."""
    text = (Path(__file__).parents[1] / "docs/files.md").read_text(encoding="utf-8")
    assert [
        name for name in schema(metrics()).names if name not in score_columns(metrics()) and f"`{name}`" not in text
    ] == []


def test_a_second_run_starts_nothing(results, monkeypatch):
    """What is finished stays finished, failures too, and the table is the same to the last byte."""
    folder, table = results
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (folder / "parts").iterdir()}
    monkeypatch.setattr(bench_cell, "simulate_recipe", lambda *_: pytest.fail("simulated again"))
    again = run_study(STUDY, RECIPE, folder, lambda *_: pytest.fail("something was run"))
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (folder / "parts").iterdir()}
    pd.testing.assert_frame_equal(again, table)


def test_a_stopped_study_goes_on(results, tmp_path):
    """Stopped after three cells, it runs five more, and ends with the same table."""
    _, table = results

    def stopping(cells, total):
        for done, cell in enumerate(cells, 1):
            if done == 3:
                raise KeyboardInterrupt
            yield cell

    with pytest.raises(KeyboardInterrupt):
        run_study(STUDY, RECIPE, tmp_path, stopping)
    assert len(list((tmp_path / "parts").glob("*.parquet"))) == 3
    asked = []
    again = run_study(STUDY, RECIPE, tmp_path, lambda cells, total: asked.append(total) or cells)
    assert asked == [5]
    pd.testing.assert_frame_equal(timeless(again), timeless(table))


def test_a_report_need_not_wait_for_the_end(results, tmp_path, monkeypatch):
    """The table is written from time to time: what is finished can be looked at while the study runs."""
    monkeypatch.setattr(bench_study, "_COMPACT_S", 0.0)
    seen = []

    def looking(cells, total):
        for cell in cells:
            seen.append(len(read_table(tmp_path)))
            yield cell

    run_study(STUDY, RECIPE, tmp_path, looking)
    assert seen == list(range(1, 9))


@given(
    workers=st.integers(1, 9),
    doses=st.integers(1, 12),
    radii=st.integers(1, 3),
    seeds=st.integers(1, 3),
    methods=st.integers(1, 2),
)
@settings(deadline=None, max_examples=30)
def test_batches(workers, doses, radii, seeds, methods):
    """Every cell once; one specimen and detector a batch; methods of a condition together; enough for every worker."""
    axes = {"scan.dwell_us": list(range(1, doses + 1)), "microscope.detector.radius_mrad": list(range(1, radii + 1))}
    study = STUDY.changed({"axes": axes, "seeds": seeds, "methods": ["constant", "failing"][:methods]})
    cells = list_cells(study, RECIPE)
    found = batches(cells, workers)
    assert sorted(c.key for batch in found for c in batch) == sorted(c.key for c in cells)
    assert all(len({c.recipe.images_key for c in batch}) == 1 for batch in found)
    assert all(len({id(c.recipe) for c in batch}) * methods == len(batch) for batch in found)
    conditions = len(cells) // methods
    assert len(found) >= min(conditions, 8 * workers)


def test_results_do_not_depend_on_order(results, tmp_path):
    """Cells share specimens and images; whatever was made before, a cell's numbers are its own."""
    _, table = results
    turned = STUDY.model_copy(
        update={"axes": {"scan.dwell_us": [500, 10]}, "methods": ["failing", "constant"], "name": "two-doses"}
    )
    other = run_study(turned, RECIPE, tmp_path)
    assert list(other["cell"]) != list(table["cell"])
    one, two = (timeless(t).sort_values("cell").reset_index(drop=True) for t in (table, other))
    pd.testing.assert_frame_equal(one, two)


def test_the_key_holds_what_a_row_depends_on(tmp_path):
    """Another value, seed, method, tolerance or network file is another cell; the same is the same."""
    file = tmp_path / "net.data"
    file.write_text("one", encoding="utf-8")
    from_file = RECIPE.with_values({"specimen.network": {"file": str(file)}})
    keys = [
        cell_key(RECIPE, "constant", 10.0),
        cell_key(RECIPE, "failing", 10.0),
        cell_key(RECIPE, "constant", 11.0),
        cell_key(RECIPE.with_values({"recipe.seed": 6}), "constant", 10.0),
        cell_key(RECIPE.with_values({"scan.dwell_us": 10}), "constant", 10.0),
        cell_key(from_file, "constant", 10.0),
    ]
    file.write_text("two", encoding="utf-8")
    keys.append(cell_key(from_file, "constant", 10.0))
    (tmp_path / "net.ctrl").write_text("burgMag = 2.5e-10\n", encoding="utf-8")
    keys.append(cell_key(from_file, "constant", 10.0))
    assert len(set(keys)) == len(keys)
    assert keys[0] == cell_key(Recipe.from_table(RECIPE.model_dump(mode="json"), ""), "constant", 10.0)


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


def test_files_that_change_meanwhile(tmp_path, monkeypatch):
    """Weights written while the study runs end it with one line: no row may stand under another one's key."""
    (tmp_path / "mine.py").write_text(
        "from veristem.recon.constant import reconstruct\ndef run(a, *, weights):\n    return reconstruct(a)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "w.npz").write_bytes(b"1")
    study = STUDY.changed({"methods": ["mine:run weights=w.npz"]})

    def train(cells, total):
        for done, cell in enumerate(cells, 1):
            if done == 2:
                (tmp_path / "w.npz").write_bytes(b"22")
            yield cell

    with pytest.raises(InputError, match="no longer those the study was begun with"):
        run_study(study, RECIPE, "out", train)
    assert len(list((tmp_path / "out/parts").iterdir())) == 2


def test_axes_from_a_range():
    """Ends included, evenly spaced in value or in ratio; axes multiply."""
    axes = {
        "scan.dwell_us": {"from": 1, "to": 100, "steps": 3, "scale": "log"},
        "microscope.energy_keV": {"from": 100, "to": 300, "steps": 3},
    }
    cells = Study.model_validate({"name": "s", "recipe": "r", "axes": axes}).cells()
    assert len(cells) == 9
    np.testing.assert_allclose([c["scan.dwell_us"] for c in cells[::3]], [1, 10, 100])
    np.testing.assert_allclose([c["microscope.energy_keV"] for c in cells[:3]], [100, 200, 300])


def test_a_damaged_table_is_one_line(tmp_path):
    """Whatever lies where the table should be."""
    with pytest.raises(InputError, match=r"results\.parquet: no such file"):
        read_table(tmp_path)
    (tmp_path / "results.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"results\.parquet: "):
        read_table(tmp_path)


def test_a_part_that_cannot_be_read_is_run_again(results, tmp_path):
    """A file the power failure left empty, or cut short, costs its own cell and nothing else."""
    folder, table = results
    shutil.copytree(folder / "parts", tmp_path / "parts")
    for cell, size in zip(table["cell"], (0, 100)):
        part = tmp_path / "parts" / f"{cell}.parquet"
        part.write_bytes(part.read_bytes()[:size])
    asked = []
    again = run_study(STUDY, RECIPE, tmp_path, lambda cells, total: asked.append(total) or cells)
    assert asked == [2]
    pd.testing.assert_frame_equal(timeless(again), timeless(table))


def test_a_table_that_cannot_be_read_is_made_again(results, tmp_path):
    """Everything in it stands in the parts too."""
    folder, table = results
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "results.parquet").write_bytes(b"PAR1")
    pd.testing.assert_frame_equal(run_study(STUDY, RECIPE, tmp_path, lambda *_: pytest.fail("run again")), table)


def test_results_of_another_version(results, tmp_path):
    """Neither read as if they were of this one nor thrown away: one line."""
    folder, _ = results
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    older = pq.read_table(folder / "results.parquet").drop_columns(["failure"])
    pq.write_table(older, tmp_path / "results.parquet")
    before = set(tmp_path.rglob("*"))
    message = r"results\.parquet: results without the column 'failure' found.* choose a new folder"
    with pytest.raises(InputError, match=message):
        run_study(STUDY, RECIPE, tmp_path)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path)
    assert set(tmp_path.rglob("*")) == before


def test_results_of_a_version_that_had_fewer_numbers(results, tmp_path):
    """A score that came later is null in older rows, and all else is as it was."""
    folder, table = results
    later = ["hausdorff_nm", "junction_recall_visible", "line_cnr"]
    pq.write_table(pq.read_table(folder / "results.parquet").drop_columns(later), tmp_path / "results.parquet")
    older = read_table(tmp_path)
    assert older[later].isna().all(axis=None)
    pd.testing.assert_frame_equal(older.drop(columns=later), table.drop(columns=later))


def test_a_row_serves_another_study(results, tmp_path):
    """An axis that is added later finds the finished rows, and they are told under the new name and conditions."""
    folder, table = results
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    axes = {"scan.dwell_us": [10, 500], "microscope.current_nA": [0.1, 0.2]}
    asked = []
    wider = STUDY.changed({"name": "wider", "axes": axes, "methods": ["constant"]})
    again = run_study(wider, RECIPE, tmp_path, lambda cells, total: asked.append(total) or cells)
    assert asked == [4]
    assert set(again["study"]) == {"wider"}
    assert all(set(json.loads(c)) == set(axes) for c in again["conditions"])
    assert set(again["cell"]) > set(table[table["method"] == "constant"]["cell"])


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


@pytest.mark.parametrize(
    ("error", "whose"),
    [(MemoryError("no room"), "machine"), (OSError(errno.ENOSPC, "full"), "machine"), (OSError("odd"), "method")],
)
def test_only_the_machines_failure_is_tried_again(tmp_path, monkeypatch, error, whose):
    """A full memory or disk is the machine's; all else a method raises is its own."""

    def run(*_):
        raise error

    study = STUDY.changed({"methods": ["constant"], "seeds": 1})
    with monkeypatch.context() as patch:
        patch.setattr(apart, "run_method", run)
        table = run_study(study, RECIPE, tmp_path)
    assert set(table["failure"]) == {whose}
    again = run_study(study, RECIPE, tmp_path)
    assert again["error"].isna().all() == (whose == "machine")
    pd.testing.assert_frame_equal(read_table(tmp_path), again)


def test_parameters_of_methods(tmp_path):
    """Behind the name, each set its own row; an unknown one is told before anything is run."""
    study = STUDY.changed({"methods": ["stereo-classical", "stereo-classical depth_margin_nm=1"], "seeds": 1})
    table = run_study(study, RECIPE, tmp_path)
    assert list(table["method"]) == study.methods * 2
    assert table["cell"].nunique() == 4
    with pytest.raises(InputError, match=r"unexpected keyword argument 'depth'; allowed are depth_margin_nm, "):
        run_study(STUDY.changed({"methods": ["stereo-classical depth=1"]}), RECIPE, tmp_path)


def test_zipped_axes():
    """They change together and count as one axis of the product."""
    axes = {"scan.dwell_us": [1, 2], "microscope.energy_keV": [80, 200, 300], "microscope.current_nA": [3, 4]}
    cells = Study.model_validate(
        {"name": "s", "recipe": "r", "axes": axes, "zip": ["scan.dwell_us", "microscope.current_nA"]}
    ).cells()
    found = [tuple(cell[path] for path in axes) for cell in cells]
    assert found == [(a, e, a + 2) for a in (1, 2) for e in (80, 200, 300)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": {"scan.dwel_us": [1]}}, "axes: scan.dwel_us: no such key in a recipe; the nearest is scan.dwell_us"),
        ({"axes": {"scan.dwell_us": [1, -1]}}, "scan.dwell_us: -1 found, greater than 0"),
        ({"axes": {"scan.dwell_us": []}}, "one or more values that differ allowed"),
        ({"axes": {"scan.dwell_us": [1, 1.0]}}, "one or more values that differ allowed"),
        ({"axes": {"recipe.seed": [1]}}, "a key of specimen, microscope or scan allowed"),
        ({"axes": {"scan.dwell_us": [1, 2], "scan.pixel_nm": [1]}, "zip": ["scan.dwell_us", "scan.pixel_nm"]},
         "2 of scan.dwell_us, 1 of scan.pixel_nm values found, equally many allowed"),
        ({"zip": ["scan.pixel_nm"]}, "zip: scan.pixel_nm found, allowed are the axes scan.dwell_us"),
        ({"methods": []}, "methods: "),
        ({"methods": ["constant", "constant"]}, "each once allowed"),
        ({"axes": {"scan.dwell_us": {"from": 1, "to": 0, "steps": 3, "scale": "log"}}}, "positive ends allowed"),
        ({"unknown": 1}, "unknown"),
        ({"axes": {"scan.dwell_us": [10, "10"]}}, "which are the same; different ones allowed"),
        ({"axes": {"scan.pixel_nm": [4, 8], "scan.shape": [[24, 24], [12, 12]]}}, "must change together go into zip"),
        ({"axes": {"scan.dwell_us": 5}}, "axes.scan.dwell_us: 5 found"),
    ],
)  # fmt: skip
def test_a_study_that_makes_no_sense(tmp_path, change, message):
    """One line, before anything is run."""
    with pytest.raises(InputError, match=re.escape(message)):
        run_study(STUDY.changed(change), RECIPE, tmp_path / "out")
    assert not list(tmp_path.rglob("*.parquet"))


def test_study_command(cli, small, tmp_path):
    """A study file from the command line; a method given there takes the place of the study's."""
    text = (
        '[study]\nname = "mine"\nrecipe = "cantor-stereo"\nmethods = ["failing"]\nseeds = 1\n'
        '[study.axes]\n"scan.dwell_us" = [5, 50]\n'
    )
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    out = tmp_path / "results"
    arguments = ["study", tmp_path / "mine.toml", "-o", out, *small, "--method", "constant", "--method", "failing"]
    first = cli(*arguments)
    assert first.code == 0
    assert first.out.splitlines()[-1] == f"4 rows, 2 failed: {out / 'results.parquet'}"
    assert "4 of 4 cells" in first.err
    second = cli(*arguments)
    assert (second.code, second.out, second.err) == (0, first.out, "")
    assert set(read_table(out)["method"]) == {"constant", "failing"}
    assert json.loads((out / "study.json").read_text(encoding="utf-8"))["peak_memory_mib"] > 10
