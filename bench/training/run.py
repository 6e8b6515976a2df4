"""The training of contours in one folder, from foils to weights; stopped at any time, it goes on where it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from veristem.bench.study.runner import alone
from veristem.bench.study.store import make_folder
from veristem.bench.training.checks import Agreement, checked, together
from veristem.bench.training.draws import drawn
from veristem.bench.training.foils import TrainingFoil, make_all, read
from veristem.bench.training.trained import Trained
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.recipe import Recipe

FOILS, STEPS = 3, 150  # a minute of training: about what two cores of 2024 manage, half of it for foils
_HELD = 6  # every so many foils one is not trained on
_CHECKS = 40  # how often what is learned is checked on those
_PATIENCE = 15  # checks without a better one after which training ends
_VIEWS = (0, 3, 4)  # of a foil that are checked: of every radius, from both directions
_LEAST = 2 * _HELD  # foils

Progress = Callable[[Iterable, int], Iterable]


def train_contours(
    folder: Path,
    recipes: Sequence[Recipe] = (),
    *,
    minutes: float = 20.0,
    device: str = "auto",
    seed: int = 0,
    workers: int = 2,
    progress: Progress = lambda items, _: items,
    say: Callable[[str], object] = lambda _: None,
    command: str = "",
) -> Trained:
    """Train a network of contours on images of the simulator.

    Parameters
    ----------
    folder : Path
        Where everything goes; made when it does not exist. What is finished in it is kept.
    recipes : sequence of Recipe
        Of the session it is for; each foil takes one, spread as `draws.SPREAD` says. A broad mixture if not given.
    minutes : float
        About how long it takes on two cores: it sets the number of foils and of steps, and nothing stops by the clock.
    device : "auto" or of PyTorch
        A GPU when there is one, else the processor.
    seed : int
        Of foils, weights and batches: on a processor the same seed gives the same weights.
    workers : int
        Processes that make foils.
    progress : callable
        Wraps loops over (items, their number).
    say : callable
        Gets a line on what is done.
    command : str
        For the card.

    Raises
    ------
    InputError
        Without PyTorch, for a recipe that cannot be trained for, or a folder of another training.
    """
    for module in ("torch", "onnx", "onnxscript", "safetensors"):
        if find_spec(module) is None:
            raise InputError(
                f"training: no {module} found, which it needs; `pip install veristem[learn]` brings it, and "
                "`pip install torch --index-url https://download.pytorch.org/whl/cpu` first a PyTorch without GPU"
            )
    if not 1 <= minutes <= 1e5:
        raise InputError(f"`minutes`: {minutes:g} found, 1 to 100000 allowed")
    for number in range(len(recipes)):
        drawn(number, seed, recipes)  # what cannot be drawn is told before anything is written
    count, steps = max(_LEAST, round(FOILS * minutes)), max(20, round(STEPS * minutes))
    make_folder(folder)
    with alone(folder):
        _same_training(folder / "training.json", {
            "stage": "contours", "recipes": [json.loads(r.model_dump_json()) for r in recipes], "foils": count,
            "steps": steps, "seed": seed,
        })  # fmt: skip
        (folder / "foils").mkdir(exist_ok=True)
        start = time.process_time()
        paths = _foils(folder / "foils", count, seed, recipes, workers, progress, say)
        foils = [read(path) for path in paths]
        held = [foil for number, foil in enumerate(foils) if number % _HELD == _HELD - 1]
        used = [foil for number, foil in enumerate(foils) if number % _HELD != _HELD - 1]
        say(f"training on {len(used)} foils, {steps} steps; {len(held)} other foils check it")
        return _fitted(folder, used, held, steps, seed, device, progress, command, recipes, start)


def _foils(folder: Path, count: int, seed: int, recipes, workers: int, progress: Progress, say) -> list[Path]:
    there = sum(1 for number in range(count) if (folder / f"foil-{number:05d}.npz").exists())
    if there < count:
        say(f"making {count - there} of {count} training foils, about half a minute of one core each")
        for _ in progress(make_all(count, seed, recipes, folder, workers), count - there):
            pass
    return [folder / f"foil-{number:05d}.npz" for number in range(count)]


def _same_training(path: Path, wanted: dict) -> None:
    """Refuse a folder that another training was begun in.

    What is asked for may have grown: more minutes take the foils that are there, and train anew.
    """
    if path.exists():
        try:
            found = json.loads(path.read_text("utf-8"))
        except ValueError:
            raise InputError(f"{path}: no record of a training; choose a new folder") from None
        for key in ("stage", "recipes", "seed"):
            if not isinstance(found, dict) or found.get(key) != wanted[key]:
                raise InputError(f"{path.parent}: a training with other {key} was begun in it; choose a new folder")
        if found == wanted:
            return
        (path.parent / "state.safetensors").unlink(missing_ok=True)
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(wanted, indent=1), encoding="utf-8")


def _fitted(folder, used, held, steps, seed, device, progress: Progress, command, recipes, start) -> Trained:
    import torch

    from veristem.bench.training.card import card
    from veristem.bench.training.export import export
    from veristem.bench.training.fit import Fit
    from veristem.reports.training import training_page

    torch.set_num_threads(1)  # sums in another order would be other weights
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        fit = Fit(steps, seed, device)
    except (RuntimeError, AssertionError) as error:
        line = (str(error).strip().splitlines() or ["no message"])[0][:200]
        raise InputError(f"`device` {device}: {line}; cpu, or auto, allowed") from None
    notes: list[str] = []
    history = _train(fit, folder, used, held, progress, notes)
    if (folder / "best.safetensors").exists():
        fit.load(folder / "best.safetensors")
    each = [checked(foil, fit.find, _VIEWS, seed) for foil in held]
    best = together(each)
    calibration = float(np.sqrt(best.surprise.mean())) if len(best.surprise) else 1.0
    weights = folder / "contours.onnx"
    export(fit.network, weights, calibration)
    trained = Trained(weights, best, _groups(held, each), history, tuple(notes))
    digest = hashlib.sha256(weights.with_suffix(".safetensors").read_bytes()).hexdigest()
    text = card(trained, command, recipes, used, seed, fit.done, time.process_time() - start, digest, calibration)
    with atomic_path(folder / "card.md") as partial:
        partial.write_text(text, encoding="utf-8")
    training_page(folder / "page.html", history, trained.groups, text, command)
    return trained


def _train(fit, folder: Path, used, held, progress: Progress, notes: list[str]) -> pd.DataFrame:
    """Steps, checks and what is kept; the history of checks."""
    rows: list[dict] = []
    losses: list[float] = []
    state = folder / "state.safetensors"
    if state.exists():
        told = fit.load(state)
        rows = told["history"]
    every = max(1, fit.steps // _CHECKS)
    best = max((row["f_score"] for row in rows), default=-1.0)
    worse = len(rows) - 1 - max((n for n, row in enumerate(rows) if row["f_score"] == best), default=len(rows) - 1)
    for _ in progress(range(fit.done, fit.steps), fit.steps - fit.done):
        loss = fit.step(used)
        if not np.isfinite(loss):
            notes.append(f"the loss was no number at step {fit.done}; the best weights until then are kept")
            break
        losses.append(loss)
        if fit.done % every and fit.done != fit.steps:
            continue
        found = together(checked(foil, fit.find, _VIEWS, fit.seed) for foil in held)
        rows.append({
            "step": fit.done, "loss": float(np.mean(losses)), "precision": found.precision, "recall": found.recall,
            "f_score": found.f_score,
        })  # fmt: skip
        losses = []
        worse = 0 if found.f_score > best else worse + 1
        best = max(best, found.f_score)
        if not worse:
            fit.save(folder / "best.safetensors", {"history": rows})
        fit.save(state, {"history": rows})
        if worse >= _PATIENCE and found.f_score < best and fit.done < fit.steps:
            notes.append(f"ended at step {fit.done} of {fit.steps}: no better check since {worse}")
            break
    return pd.DataFrame(rows, columns=["step", "loss", "precision", "recall", "f_score"])


def _groups(held: Sequence[TrainingFoil], each: Sequence[Agreement]) -> pd.DataFrame:
    """Agreement by material and by generator."""
    rows = []
    tables = [json.loads(foil.recipe)["specimen"] for foil in held]
    names = {
        "material": [table["material"] for table in tables],
        "generator": [table["network"].get("generator", "from a file") for table in tables],
        "regions": ["none" if table["regions"] is None else table["regions"]["kind"] for table in tables],
    }
    for group, of in names.items():
        for name in sorted(set(of)):
            found = together(a for a, own in zip(each, of) if own == name)
            rows.append({
                "group": group, "name": name, "foils": of.count(name), "precision": found.precision,
                "recall": found.recall, "f_score": found.f_score,
            })  # fmt: skip
    return pd.DataFrame(rows)
