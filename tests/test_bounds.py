"""Bounds are said before the work: what no machine could make, or no parser should read, is one line."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from veristem.bench.files.simulation import save_simulation
from veristem.bench.metrics import metrics
from veristem.bench.pages.folder import study_facts
from veristem.bench.study.store import read_table
from veristem.datasets import InputError, formats
from veristem.datasets.reading import key_value
from veristem.datasets.recipe import Recipe, Study, load_recipe, load_study
from veristem.datasets.results import schema

DIGITS = 5000  # more than Python turns into a number


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"specimen.network.density_per_m2": 1e22}, "density_per_m2 = 1e[+]22 found, .*1e[+]16 .cold-worked"),
        ({"specimen.network.density_per_m2": 1e17}, "density_per_m2 = 1e[+]17 found"),
        ({"recipe.seed": 10**30}, "recipe.seed: 10{30} found"),
        ({"recipe.seed": int("f" * DIGITS, 16)}, "recipe.seed: .*too large to show found"),
        ({"specimen.network.density_per_m2": 1e16, "specimen.thickness_nm": 2e3}, "nm of line in this field"),
    ],
)
def test_what_no_machine_could_make(values, told):
    """Densities of 1e17 and 1e22 never ended; a seed of 1e30 fits into no table."""
    with pytest.raises(InputError, match=told):
        load_recipe("cantor-small").with_values(values)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seeds": 10**9}, "seeds: 1000000000 found"),
        ({"seeds": 10**6}, "rows of 1000000 seeds"),
        (
            {"axes": {"scan.dwell_us": {"from": 1, "to": 8, "steps": 10**8}}},
            r"axes\.scan\.dwell_us\.steps: 100000000 f",
        ),
        ({"axes": {"scan.dwell_us": list(range(1, 20000))}}, "19999 values found, 10000 allowed"),
        (
            {"axes": {p: {"from": 1, "to": 8, "steps": 5000} for p in ("scan.dwell_us", "microscope.current_nA")}},
            "rows of 5 seeds",
        ),
    ],
)
def test_studies_that_never_end(changed, told):
    """1e9 seeds and an axis of 1e8 steps took all memory before anything was said."""
    with pytest.raises(InputError, match=told):
        load_study("smoke").changed(changed)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a=" + "[" * 1000, "nested too deep"),
        ("a=[" + "\n[" * 5000, "nested too deep"),
        ("[recipe]\nseed = " + "9" * 4400, "lines of up to 4407"),
        ("[recipe]\nseed = [\n" + "9" * 4000 + "9" * 90 + "\n]", "recipe"),
        ("a" + ".a" * 100_000 + " = 1", "lines of up to 200005"),
        ("[" + "a." * 20_000 + "a]", "lines of up to"),
        ("\n".join(f"k{i} = 1" for i in range(40_000)), "262144"),
    ],
)
def test_toml_that_is_no_recipe(text, told, tmp_path):
    """Tracebacks, and 3.9 GB for a key of 100 000 dots."""
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        load_recipe(str(path))


@pytest.mark.parametrize("value", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, "9" * DIGITS])
def test_values_that_cannot_be_read(value):
    """One short line, not a traceback."""
    with pytest.raises(InputError) as caught:
        key_value(f"recipe.seed={value}")
    assert len(str(caught.value)) < 200


def test_a_path_of_a_hundred_thousand_letters_is_answered_at_once():
    with pytest.raises(InputError, match="no such key") as caught:
        load_recipe("cantor-small").with_values({"a." * 50_000 + "a": 1})
    assert len(str(caught.value)) < 300


def test_both_files_or_none(tmp_path, monkeypatch, truth, acquisition):
    """A truth that could not be written left an acquisition without it."""
    write, failing = formats.write, []

    def broken(path, content, *rest):
        if path.name == "truth.h5" and failing:
            raise InputError("truth.h5: no")
        return write(path, content, *rest)

    monkeypatch.setattr(formats, "write", broken)
    failing.append(1)
    with pytest.raises(InputError):
        save_simulation(tmp_path, truth, acquisition)
    assert not list(tmp_path.iterdir())
    failing.clear()
    assert len(save_simulation(tmp_path, truth, acquisition)) == len(list(tmp_path.iterdir())) == 3


def rows(**changed) -> pd.DataFrame:
    """One row of a results table."""
    row = dict.fromkeys(schema(metrics()).names)
    return pd.DataFrame(
        [{**row, "study": "s", "cell": "0" * 24, "method": "m", "conditions": "{}", "seed": 0} | changed]
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"cell": "../../outside"}, "cell: '../../outside' found"),
        ({"cell": None}, "cell: a null found"),
        ({"conditions": "[1]"}, r"conditions: '\[1\]' found"),
        ({"conditions": "[" * 200_000}, "conditions: "),
        ({"method": None}, "method: a null found"),
        ({"study": None}, "study: a null found"),
    ],
)
def test_a_table_that_is_no_study(changed, told, tmp_path):
    """A cell is the name of a folder: one called ../../outside was read from there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.Table.from_pandas(rows(), schema=schema(metrics()), preserve_index=False), tmp_path / "results.parquet"
    )
    assert len(read_table(tmp_path)) == 1
    table = pa.Table.from_pandas(rows(**changed), schema=schema(metrics()), preserve_index=False)
    pq.write_table(table, tmp_path / "results.parquet")
    with pytest.raises(InputError, match=told):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ({"machine": "mine"}, "machine: str"),
        ({"versions": None}, "versions: NoneType"),
        ({"command": 7}, "command: int"),
        ("[" * 200_000, "study.json"),
        ([], "study.json"),
    ],
)
def test_a_description_that_is_none(text, told, tmp_path):
    """study.json of another kind is one line that names the key."""
    study, recipe = load_study("smoke"), load_recipe("cantor-small")
    facts = {"study": study.model_dump(mode="json", by_alias=True), "recipe": recipe.model_dump(mode="json")}
    text = text if isinstance(text, str) else json.dumps(facts | text if isinstance(text, dict) else text)
    (tmp_path / "study.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        study_facts(tmp_path, rows())


def test_tables_name_their_keys():
    """As in a results folder, whose study.json anyone may have edited."""
    table = load_study("smoke").model_dump(mode="json", by_alias=True)
    with pytest.raises(InputError, match="here: seeds: 1000000000 found"):
        Study.from_table(table | {"seeds": 10**9}, "here")
    with pytest.raises(InputError, match="here: recipe"):
        Recipe.from_table({}, "here")
