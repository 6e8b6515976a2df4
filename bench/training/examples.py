"""Examples to train on: made once each, in processes if there are to be several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from veristem.bench.study.cluster import connect
from veristem.bench.training.stage import Stage
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe

_TRIES = 8  # drawn until one can be made: not every generator fills every specimen


def path_of(stage: Stage, number: int, folder: Path) -> Path:
    """File of an example."""
    return folder / f"{stage.example}-{number:05d}.npz"


def make_one(stage: Stage, number: int, seed: int, bases: Sequence[Recipe], folder: Path) -> Path:
    """Make the example of that number if its file is not there yet.

    Raises
    ------
    InputError
        When none of several drawn in turn can be made.
    """
    path = path_of(stage, number, folder)
    if path.exists():
        return path
    error: InputError | None = None
    for attempt in range(_TRIES):
        try:
            example = stage.make(number + 100_000 * attempt, seed, bases)
        except InputError as refused:  # a specimen that cannot hold what was drawn
            error = refused
            continue
        if example is not None:
            stage.write(path, example)
            return path
    name = bases[0].recipe.name if bases else "training"
    raise error or InputError(
        f"recipe {name}: nothing to be found in {_TRIES} {stage.example}s, {stage.name} that can be seen allowed"
    )


def make_all(
    stage: Stage, count: int, seed: int, bases: Sequence[Recipe], folder: Path, workers: int
) -> Iterator[Path]:
    """Make the examples 0 … count - 1, in processes if there are to be several; yields their files as they are done."""
    missing = [number for number in range(count) if not path_of(stage, number, folder).exists()]
    if workers == 1 or len(missing) < 2:
        yield from (make_one(stage, number, seed, bases, folder) for number in missing)
        return
    from distributed import as_completed

    with connect(workers, None) as (client, _):
        waiting = iter(missing)

        def send(number: int):
            return client.submit(make_one, stage, number, seed, bases, folder, pure=False)

        done = as_completed([send(number) for number in islice(waiting, 2 * workers)], loop=client.loop)
        for future in done:
            yield future.result()
            for number in islice(waiting, 1):
                done.add(send(number))
