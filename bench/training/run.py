"""A training in one folder, from examples to weights; stopped at any time, it goes on where it was."""

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
from veristem.bench.training.agreement import Agreement, together
from veristem.bench.training.bands.stage import BANDS
from veristem.bench.training.contours import CONTOURS
from veristem.bench.training.examples import make_all, path_of
from veristem.bench.training.particles.stage import PARTICLES
from veristem.bench.training.stage import Stage
from veristem.bench.training.trained import Trained
from veristem.bench.training.volume.stage import VOLUME
from veristem.datasets.errors import InputError
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.recipe import Recipe

STAGES = {stage.name: stage for stage in (CONTOURS, BANDS, VOLUME, PARTICLES)}
_HELD = 6  # every so many examples one is not trained on
_CHECKS = 40  # how often what is learned is checked on those
_PATIENCE = 15  # checks without a better one after which training ends
_LEAST = 2 * _HELD  # examples

Progress = Callable[[Iterable, int], Iterable]


def train_stage(
    stage: Stage,
    folder: Path,
    recipes: Sequence[Recipe] = (),
    *,
    minutes: float = 20.0,
    device: str = "auto",
    seed: int = 0,
    workers: int = 2,
    examples: Path | None = None,
    progress: Progress = lambda items, _: items,
    say: Callable[[str], object] = lambda _: None,
    command: str = "",
) -> Trained:
    """Train a network on images of the simulator.

    Parameters
    ----------
    stage : Stage
        What is to be learned; one of `STAGES`.
    folder : Path
        Where everything goes; made when it does not exist. What is finished in it is kept.
    recipes : sequence of Recipe
        Of the session it is for; each example takes one, spread as the stage's ``spread`` says. A broad mixture if not
        given.
    minutes : float
        Sets how many examples and steps there are; two cores take up to twice as long for foils, and nothing stops by
        the clock.
    device : "auto" or of PyTorch
        A GPU when there is one, else the processor.
    seed : int
        Of examples, weights and batches: on a processor the same seed gives the same weights.
    workers : int
        Processes that make examples.
    examples : Path, optional
        Folder of a training of another stage, with the same recipes and seed, that learns from the same examples: they
        are taken from there, and missing ones made there.
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
        stage.drawn(number, seed, recipes)  # what cannot be drawn is told before anything is written
    if examples is not None:
        _same_examples(stage, examples, recipes, seed)
    count, steps = max(_LEAST, round(stage.examples * minutes)), max(20, round(stage.steps * minutes))
    make_folder(folder)
    with alone(folder):
        _same_training(folder / "training.json", {
            "stage": stage.name, "recipes": [json.loads(r.model_dump_json()) for r in recipes],
            f"{stage.example}s": count, "steps": steps, "seed": seed,
        })  # fmt: skip
        place = (folder if examples is None else examples) / f"{stage.example}s"
        place.mkdir(exist_ok=True)
        start = time.process_time()
        paths = _examples(stage, place, count, seed, recipes, workers, progress, say)
        read = [stage.read(path) for path in paths]
        held = [example for number, example in enumerate(read) if number % _HELD == _HELD - 1]
        used = [example for number, example in enumerate(read) if number % _HELD != _HELD - 1]
        say(f"training on {len(used)} {stage.example}s, {steps} steps; {len(held)} other {stage.example}s check it")
        return _fitted(stage, folder, used, held, steps, seed, device, progress, command, recipes, start)


def _examples(stage: Stage, place: Path, count: int, seed: int, recipes, workers: int, progress, say) -> list[Path]:
    paths = [path_of(stage, number, place) for number in range(count)]
    there = sum(path.exists() for path in paths)
    if there < count:
        say(f"making {count - there} of {count} training {stage.example}s, about {stage.seconds:g} s of one core each")
        for _ in progress(make_all(stage, count, seed, recipes, place, workers), count - there):
            pass
    return paths


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


def _same_examples(stage: Stage, folder: Path, recipes: Sequence[Recipe], seed: int) -> None:
    """Refuse a folder whose examples are not those that this training would make."""
    path = folder / "training.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{folder}: no training found in it, whose {stage.example}s could be taken") from None
    wanted = {"recipes": [json.loads(r.model_dump_json()) for r in recipes], "seed": seed}
    for key, value in wanted.items():
        if not isinstance(found, dict) or found.get(key) != value:
            raise InputError(f"{folder}: {stage.example}s made with other {key} found; give the same as there")
    if not (folder / f"{stage.example}s").is_dir():
        raise InputError(f"{folder}: no {stage.example}s found in it, from which {stage.name} are learned")


def _fitted(
    stage: Stage, folder, used, held, steps, seed, device, progress: Progress, command, recipes, start
) -> Trained:
    import torch

    from veristem.bench.training.card import card
    from veristem.bench.training.export import export
    from veristem.bench.training.fit import Fit
    from veristem.reports.training import training_page

    torch.set_num_threads(1)  # sums in another order would be other weights
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        fit = Fit(stage, steps, seed, device)
    except (RuntimeError, AssertionError) as error:
        line = (str(error).strip().splitlines() or ["no message"])[0][:200]
        raise InputError(f"`device` {device}: {line}; cpu, or auto, allowed") from None
    notes: list[str] = []
    history = _train(fit, folder, used, held, progress, notes)
    if (folder / "best.safetensors").exists():
        fit.load(folder / "best.safetensors")
    each = [stage.checked(example, fit.answer, seed) for example in held]
    best = together(each)
    weights = folder / f"{stage.name}.onnx"
    export(stage, fit.network, weights, best.calibration)
    trained = Trained(weights, best, _groups(stage, held, each), history, tuple(notes))
    digest = hashlib.sha256(weights.with_suffix(".safetensors").read_bytes()).hexdigest()
    known = [example.recipe for example in used]
    text = card(stage, trained, command, recipes, known, seed, fit.done, time.process_time() - start, digest)
    with atomic_path(folder / "card.md") as partial:
        partial.write_text(text, encoding="utf-8")
    training_page(
        folder / "page.html", history, trained.groups, text, command, name=stage.name, example=stage.example,
        found=stage.found, claimed=stage.claimed,
    )  # fmt: skip
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
        found = together(fit.stage.checked(example, fit.answer, fit.seed) for example in held[: fit.stage.often])
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


def _groups(stage: Stage, held: Sequence, each: Sequence[Agreement]) -> pd.DataFrame:
    """Agreement by what the stage tells apart."""
    rows = []
    members = [stage.groups(json.loads(example.recipe)) for example in held]
    for group in members[0]:
        of = [member[group] for member in members]
        for name in sorted(set(of)):
            found = together(a for a, own in zip(each, of) if own == name)
            rows.append({
                "group": group, "name": name, "examples": of.count(name), "precision": found.precision,
                "recall": found.recall, "f_score": found.f_score,
            })  # fmt: skip
    return pd.DataFrame(rows)
