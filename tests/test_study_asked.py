"""What a study asks for: axes, methods and their parameters, and which of it is another row."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import veristem as vs
from studies import RECIPE, STUDY
from veristem.bench.gate.record import record_of
from veristem.bench.study.key import cell_key
from veristem.bench.study.runner import batches, list_cells, run_study
from veristem.datasets import InputError
from veristem.datasets.recipe import Recipe, Study
from veristem.reports.rows import split
from veristem.reports.studies import summary_lines


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


def test_specimens_of_several_kinds(tmp_path):
    """Each kind has its own values and number of seeds; the axes are taken with all."""
    study = STUDY.changed({
        "first_seed": 5, "seeds": 2, "axes": {"scan.dwell_us": [1, 2]}, "methods": ["constant"],
        "specimens": {"thin": {"specimen.thickness_nm": 50.0, "seeds": 1}, "thick": {}},
    })  # fmt: skip
    table = run_study(study, RECIPE, tmp_path)
    assert sorted(zip(table["recipe"], table["seed"], table["scan.dwell_us"])) == [
        ("thick", 5, 1), ("thick", 5, 2), ("thick", 6, 1), ("thick", 6, 2), ("thin", 5, 1), ("thin", 5, 2),
    ]  # fmt: skip
    assert table.set_index("recipe").loc["thin", "specimen.thickness_nm"].eq(50.0).all()
    assert split(table)[0].axes == ("recipe.name", "scan.dwell_us")  # the name stands for the thickness
    assert not any("kind thi" in line for line in summary_lines(table))  # no choice of anybody's
    with pytest.raises(InputError, match="of several kinds of specimens found"):
        record_of(tmp_path)
    with pytest.raises(InputError, match=r"specimen\.thickness_nm: an axis of study"):
        vs.study(study, tmp_path, values={"specimen.thickness_nm": 60.0})


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
        ({"specimens": {"a": {"scan.dwel_us": 1}}}, "specimens: a: scan.dwel_us: no such key in a recipe; the nearest"),
        ({"specimens": {"a": {"scan.dwell_us": 1}}, "axes": {"scan.dwell_us": [1]}}, "another key that is no axis"),
        ({"specimens": {"a": {"seeds": 99}}}, "specimens: a: seeds = 99 found, 1 to "),
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
    assert not (tmp_path / "out").exists()


@given(
    workers=st.integers(1, 9),
    doses=st.integers(1, 12),
    radii=st.integers(1, 3),
    seeds=st.integers(1, 3),
    methods=st.integers(1, 2),
)
@settings(deadline=None, max_examples=30)
def test_batches(workers, doses, radii, seeds, methods):
    """Every cell once; a batch has one specimen, methods of a condition together; enough for every worker."""
    axes = {"scan.dwell_us": list(range(1, doses + 1)), "microscope.detector.radius_mrad": list(range(1, radii + 1))}
    study = STUDY.changed({"axes": axes, "seeds": seeds, "methods": ["constant", "failing"][:methods]})
    cells = list_cells(study, RECIPE)
    found = batches(cells, workers)
    assert sorted(c.key for batch in found for c in batch) == sorted(c.key for c in cells)
    assert all(len({c.recipe.specimen_key for c in batch}) == 1 for batch in found)
    assert all(len({id(c.recipe) for c in batch}) * methods == len(batch) for batch in found)
    conditions = len(cells) // methods
    assert len(found) >= min(conditions, 4 * workers)
    assert max(map(len, found)) <= 32 * methods


def test_a_worker_makes_a_specimen_once():
    """Where every worker gets several specimens, all conditions of one go to one worker, those of one dose in a row."""
    axes = {"scan.dwell_us": [1, 10], "microscope.detector.radius_mrad": [1, 2, 3]}
    found = batches(list_cells(STUDY.changed({"axes": axes, "seeds": 8, "methods": ["constant"]}), RECIPE), 2)
    assert [len(batch) for batch in found] == [6] * 8
    keys = [cell.recipe.images_key for cell in found[0]]
    assert keys == sorted(keys, key=list(dict.fromkeys(keys)).index)
