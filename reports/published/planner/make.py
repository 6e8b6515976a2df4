"""The planner's model fitted to the study `conditions`, the signals that ship, and the proof on other foils."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from veristem.bench.plan import model, signals
from veristem.bench.plan.answer import LEAST_RECALL, ranked
from veristem.bench.plan.question import ELECTRONS_PER_NC, Wish
from veristem.bench.plan.setups import Setup, setups_of
from veristem.datasets.instruments import instrument_names, load_instrument
from veristem.datasets.recipe import Recipe, load_recipe, load_study

HERE = Path(__file__).parent
PLAN = HERE.parents[2] / "bench/plan"
METHODS = ("stereo-classical", "stereo-learned")
_ENOUGH = 0.1  # found, for depths to tell anything
OF_FILMS = ("points-matched", "points-learned")
MATERIALS = ("CoCrFeMnNi", "gamma-TiAl", "Cu")


def main(what: str, folder: str) -> None:
    """`fit CONDITIONS`, `ship FOLDER`, or `proof RESULTS`."""
    {"fit": fit, "ship": ship, "proof": proof}[what](Path(folder))


def rows_of(study_name: str, folder: Path) -> pd.DataFrame:
    """Rows of a study with what the planner knows of each: what its specimen shows, dose and how crowded it is."""
    study, table = load_study(study_name), pd.read_parquet(folder / "results.parquet")
    base = load_recipe(study.recipe)
    told = pd.DataFrame([json.loads(text) for text in table["conditions"]], index=table.index)
    axes = [axis for axis in study.axes if axis.startswith("microscope.detector.")]
    places = [", ".join(f"{value:g}" for value in row) for row in told[axes].itertuples(index=False)]
    table = table.assign(kind=told["recipe.name"], place=places, dwell=told["scan.dwell_us"])
    columns = np.full((len(table), 4), np.nan)
    for kind, values in study.specimens.items():
        common = {path: axis[0] for path, axis in study.axes.items() if isinstance(axis, list) and len(axis) == 1}
        recipe = base.with_values({path: v for path, v in values.items() if path != "seeds"} | common)
        crowding, own = model.crowding_of(recipe), (table.kind == kind).to_numpy()
        chosen: Any = told[own].assign(place=table[own].place).drop_duplicates("place")
        changed = chosen[axes].to_dict("records")
        found = remembered(recipe, [setup_of(recipe.with_values(values)) for values in changed])
        for place, signal in zip(chosen.place, found):
            here = own & (table.place == place).to_numpy()
            dose = recipe.microscope.current_nA * table.dwell[here] * 1e-6 * ELECTRONS_PER_NC / recipe.scan.pixel_nm**2
            columns[here] = model.features(signal, dose.to_numpy(), crowding)
    return table.assign(x=list(columns))


def setup_of(recipe: Recipe) -> Setup:
    """The set-up of a condition of a study."""
    scope = recipe.microscope
    values = {
        "microscope.energy_keV": scope.energy_keV,
        "microscope.aberrations": scope.aberrations.preset,
        "microscope.convergence_mrad": scope.convergence_mrad,
        "microscope.detector": scope.detector.model_dump(mode="json"),
    }
    return Setup({"virtual": "discs", "segmented": "segments"}[scope.detector.kind], "", values)


def remembered(recipe: Recipe, setups: list[Setup]) -> list[signals.Signal]:
    """Signals, kept in a file so that a second run has them."""
    path = HERE / "signals.json"
    kept = {k: signals.Signal(**v) for k, v in json.loads(path.read_text("utf-8")).items()} if path.exists() else {}
    keys = [signals.key_of(recipe, setup) for setup in setups]
    missing = [setup for key, setup in zip(keys, setups) if key not in kept]
    if missing:
        made = signals.signals_of(recipe, missing, print)
        kept |= {signals.key_of(recipe, setup): signal for setup, signal in zip(missing, made)}
        path.write_text(json.dumps({k: v | {"image": ""} for k, v in signals.as_table(kept).items()}), "utf-8")
    return [kept[key] for key in keys]


def pooled(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """One row a kind and condition: shares as means over foils, depths as root mean squares."""
    own = table[(table.method == method) & table.failure.isna()]
    by = own.groupby(["kind", "place", "dwell"], sort=True)
    of = "_visible" if own.recall_visible.notna().any() else ""
    found = pd.DataFrame({
        "recall": by["recall" + of].mean(),
        "f_score": by["f_score" + of].mean(),
        "depth_nm": by.depth_spread_nm.apply(lambda v: float(np.sqrt((v**2).mean()))),
        "foils": by.seed.nunique(),
        "x": by.x.first(),
    }).reset_index()  # fmt: skip
    return found.assign(depth_nm=found.depth_nm.where(found.recall >= _ENOUGH))


def fit(folder: Path) -> None:
    """Write into model.json parameters, and spreads by leaving each kind out."""
    study = json.loads((folder / "study.json").read_text("utf-8"))["study"]["name"]
    table, fitted = rows_of(study, folder), shipped_model()["methods"]
    made = f"study {study}, VeriSTEM {version('veristem')}"
    for method in METHODS if study == "conditions" else OF_FILMS:
        means, of = pooled(table, method), {}
        x = np.array(list(means["x"]), float)
        for target in model.TARGETS:
            y, weight = means[target].to_numpy(), np.ones(len(means))
            left_out, by_limit = np.full(len(means), np.nan), target == "depth_nm" and method in OF_FILMS
            for kind in means.kind.unique():
                out = (means.kind == kind).to_numpy()
                of_others = model.fit(target, x[~out], y[~out], weight[~out], by_limit)
                left_out[out] = model.curve(target, of_others, x[out])
            off = model.link(target, y) - left_out
            own = means.assign(off=off).groupby("kind").off
            of[target] = {
                "parameters": [round(float(p), 5) for p in model.fit(target, x, y, weight, by_limit)],
                "spread": round(float(1.96 * np.sqrt(np.nanmean(off**2))), 5),
                "apart": round(float(np.sqrt(2 * np.nanmean((off - own.transform("mean")) ** 2))), 5),
            }
            print(method, target, of[target])
        runs = table[table.method == method]
        fitted[method] = of | {
            "made": made,
            "runs": len(runs),
            "foils": len(runs.groupby(["kind", "seed"])),
            "kinds": runs.kind.nunique(),
        }
    text = json.dumps({"methods": fitted}, indent=1) + "\n"
    (PLAN / "model.json").write_text(text, "utf-8")


def shipped_model() -> dict[str, Any]:
    """The model as it is in the checkout."""
    path = PLAN / "model.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"methods": {}}


def ship(folder: Path) -> None:
    """Write signals.json: what common materials and particles show in the set-ups of the microscopes that ship."""
    path = PLAN / "signals.json"
    table = json.loads(path.read_text("utf-8"))["signals"] if path.exists() else {}
    for name in instrument_names():
        instrument = load_instrument(name)
        foils = [load_recipe("cantor-stereo").with_values({"specimen.material": material}) for material in MATERIALS]
        for recipe in [*foils, load_recipe("particles")]:
            setups = setups_of(instrument, recipe.microscope.energy_keV)
            if recipe.specimen.kind == "particles":  # their methods take views of one scan
                setups = [setup for setup in setups if setup.scans == 1]
            new = [setup for setup in setups if signals.key_of(recipe, setup) not in table]
            found = signals.signals_of(recipe, new, print) if new else []
            table |= signals.as_table({signals.key_of(recipe, setup): one for setup, one in zip(new, found)})
            text = json.dumps({"made": f"VeriSTEM {version('veristem')}", "signals": table}, separators=(",", ":"))
            path.write_text(text + "\n", "utf-8")
            print(name, recipe.recipe.name, getattr(recipe.specimen, "material", ""), len(new))


def proof(folder: Path) -> None:
    """Print and write what the model said of specimens that it never saw, beside what was measured."""
    study = json.loads((folder / "study.json").read_text("utf-8"))["study"]["name"]
    table, told, is_films = rows_of(study, folder), {}, study == "test-films"
    for method in OF_FILMS if is_films else METHODS:
        own = table[(table.method == method) & table.failure.isna()]
        of: dict[str, Any] = {"foils": len(own.groupby(["kind", "seed"])), "kinds": int(own.kind.nunique())}
        shares = {name: own[name + ("" if is_films else "_visible")] for name in ("recall", "f_score")}
        seen = {"depth_nm": own.depth_spread_nm} | shares
        for name, rows in (("foil by foil", own.assign(**seen)), ("kind by kind", pooled(table, method))):
            x = np.array(list(rows["x"]), float)
            depth, recall, f = (model.predict(method, target, x) for target in ("depth_nm", "recall", "f_score"))
            ratio = rows.depth_nm.where(rows.depth_nm > 0).to_numpy() / depth[:, 0]
            known = np.isfinite(ratio)
            of[name] = {
                "depth within 20 %": share(np.abs(1 / ratio[known] - 1) <= 0.2),
                "depth within its interval": share(
                    ((rows.depth_nm >= depth[:, 1]) & (rows.depth_nm <= depth[:, 2]))[known]
                ),
                "median of depth over predicted": round(float(np.median(ratio[known])), 3),
                "recall within 0.08": share(np.abs(rows.recall - recall[:, 0]) <= 0.08),
                "recall within its interval": share((rows.recall >= recall[:, 1]) & (rows.recall <= recall[:, 2])),
                "F within 0.08": share(np.abs(rows.f_score - f[:, 0]) <= 0.08),
            }
            if not is_films:
                of[name] |= choices(rows, method, ["kind", "seed"] if "seed" in rows else ["kind"])
        told[method] = of
    path, shipped = HERE / "proof.json", shipped_model()
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.write_text(json.dumps(known | told, indent=1) + "\n", "utf-8")
    for method, of in told.items():  # what the planner says of its own brackets
        held = {target: of["foil by foil"][f"{target} within its interval"] for target in ("depth", "recall")}
        shipped["methods"][method]["proof"] = {"foils": of["foils"], "kinds": of["kinds"]} | held
    (PLAN / "model.json").write_text(json.dumps(shipped, indent=1) + "\n", "utf-8")
    print(json.dumps(told, indent=1))


def choices(rows: pd.DataFrame, method: str, by: list[str]) -> dict[str, float]:
    """At each dose, of the discs on offer: what share is recommended, whether the best is in it, and the regret."""
    sizes, held, regret = [], [], []
    for _, one in rows.groupby([*by, "dwell"]):
        x = np.array(list(one["x"]), float)
        depth, recall = (model.predict(method, target, x)[:, 0] for target in ("depth_nm", "recall"))
        order, count = ranked(depth, recall, Wish(), method)
        measured = one.depth_nm.where((one.recall >= one.recall.max() - LEAST_RECALL) & (one.depth_nm > 0)).to_numpy()
        if not np.isfinite(measured).any():
            continue
        best = int(np.nanargmin(measured))
        sizes.append(count / len(one))
        held.append(best in order[:count])
        first = one.depth_nm.to_numpy()[order[0]]
        regret.append(first / measured[best] if np.isfinite(first) else np.inf)
    return {
        "share recommended, mean": round(float(np.mean(sizes)), 3),
        "best in what is recommended": round(float(np.mean(held)), 3),
        "regret, median": round(float(np.median(regret)), 3),
        "choices": len(held),
    }


def share(true) -> float:
    """Of what is true."""
    return round(float(np.mean(np.asarray(true))), 3)


if __name__ == "__main__":
    main(*sys.argv[1:3])
