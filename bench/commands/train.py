"""Weights of a learned stage, trained on images of the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.bench.commands.options import Out, Sets, command_line, say, values_of
from veristem.bench.commands.progress import progress

train = typer.Typer(
    help="Train a learned stage on simulated images; resumes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


Recipes = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Argument(help="recipe files or names of your session; a broad mixture of specimens if none is given"),
]
Minutes = Annotated[
    float,
    typer.Option(min=1, help="sets how many examples and steps; two cores take up to twice as long, no clock stops it"),
]
Device = Annotated[str, typer.Option(help="auto (a GPU when there is one), cpu, cuda")]
Seed = Annotated[int, typer.Option(min=0, max=10_000, help="of examples, weights and batches")]
Workers = Annotated[int, typer.Option(min=1, help="processes that make examples")]
Foils = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(help="folder of a training of contours with the same recipes and seed, whose foils are taken"),
]


@train.command()
def contours(
    out: Out,
    recipe: Recipes = None,
    sets: Sets = None,
    minutes: Minutes = 20.0,
    device: Device = "auto",
    seed: Seed = 0,
    workers: Workers = 2,
) -> None:
    """Train the network that finds contours; needs PyTorch: pip install "veristem[learn]".

    Foils are drawn about the recipes of your session (density, thickness, angle, radius and dose are spread about
    theirs), imaged, and learned from; every sixth is kept apart to check what was learned. Stopped, the same command
    goes on where it was. Writes contours.onnx, which `veristem reconstruct --method` takes as "stereo-learned
    weights=DIR/contours.onnx", contours.safetensors, card.md and page.html with the learning curve.

    Example: veristem train contours my-session.toml -o weights --minutes 30
    """
    _train("contours", out, recipe, sets, minutes, device, seed, workers)


@train.command()
def bands(
    out: Out,
    recipe: Recipes = None,
    sets: Sets = None,
    minutes: Minutes = 20.0,
    device: Device = "auto",
    seed: Seed = 0,
    workers: Workers = 2,
    examples: Foils = None,
) -> None:
    """Train the network that corrects matched curves; needs PyTorch: pip install "veristem[learn]".

    It looks at both images along a curve and tells how far it is off in each. It learns from the foils that contours
    are learned from: with --examples those of such a training, which saves most of the time. Stopped, the same command
    goes on where it was. Writes bands.onnx, which `veristem reconstruct --method` takes as "stereo-learned
    band_weights=DIR/bands.onnx", bands.safetensors, card.md and page.html with the learning curve.

    Example: veristem train bands my-session.toml -o band-weights --minutes 30 --examples weights
    """
    _train("bands", out, recipe, sets, minutes, device, seed, workers, examples)


@train.command()
def volume(
    out: Out,
    recipe: Recipes = None,
    sets: Sets = None,
    minutes: Minutes = 20.0,
    device: Device = "auto",
    seed: Seed = 0,
    workers: Workers = 2,
    examples: Foils = None,
) -> None:
    """Train the matching network of stereo-thesis; needs PyTorch: pip install "veristem[learn]".

    It tells the disparity of every pixel of a pair, from what the network of contours of the package sees in both
    views. Foils are drawn as those of contours are, and imaged with two beams; with --examples those of a training of
    contours are taken. Stopped, the same command goes on where it was. Writes volume.onnx, which `veristem reconstruct
    --method` takes as "stereo-thesis weights=DIR/volume.onnx", volume.safetensors, card.md and page.html with the
    learning curve.

    Example: veristem train volume my-session.toml -o volume-weights --minutes 30 --examples weights
    """
    _train("volume", out, recipe, sets, minutes, device, seed, workers, examples)


@train.command()
def particles(
    out: Out,
    recipe: Recipes = None,
    sets: Sets = None,
    minutes: Minutes = 40.0,
    device: Device = "auto",
    seed: Seed = 0,
    workers: Workers = 2,
) -> None:
    """Train the network that finds particles; needs PyTorch: pip install "veristem[learn]".

    Films are drawn about the recipes of your session (concentration, diameter and thickness are spread about theirs,
    doses over all), imaged, and learned from; every sixth is kept apart to check what was learned. Stopped, the same
    command goes on where it was. Writes particles.onnx, which `veristem reconstruct --method` takes as "points-learned
    weights=DIR/particles.onnx", particles.safetensors, card.md and page.html with the learning curve.

    Example: veristem train particles my-session.toml -o weights --minutes 40
    """
    _train("particles", out, recipe, sets, minutes, device, seed, workers)


def _train(
    stage: str, out: Path, recipe, sets, minutes: float, device: str, seed: int, workers: int, examples=None
) -> None:
    import veristem as vs

    trained = vs.train(
        stage, out, recipes=recipe or (), values=values_of(sets), minutes=minutes, device=device, seed=seed,
        workers=workers, examples=examples, progress=_bar, tell=say, command=command_line(),
    )  # fmt: skip
    for note in trained.notes:
        say(note)
    best = trained.best
    typer.echo(f"on examples that were not trained on: precision {best.precision:.2f}, recall {best.recall:.2f}")
    for path in (trained.weights, trained.weights.with_name("card.md"), trained.weights.with_name("page.html")):
        typer.echo(path)


def _bar(items, total: int):
    return progress(items, total, "steps" if isinstance(items, range) else "examples")
