"""The files of the best and of the worst cell of a study, for its page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from veristem.bench.cell import simulate
from veristem.bench.demo import save_simulation
from veristem.bench.store import make_folder
from veristem.datasets.formats.vtp import write_vtp
from veristem.datasets.recipe import Recipe
from veristem.recon.methods import run_method
from veristem.reports.studies import best_and_worst


def save_examples(table, recipe: Recipe, folder: Path) -> None:
    """Make the best and the worst cell of a table again, into examples/CELL; what is there already is kept.

    Parameters
    ----------
    table : DataFrame
        Results of a study.
    recipe : Recipe
        What its conditions change.
    folder : Path
        Of the results.
    """
    place = folder / "examples"
    make_folder(place)
    wanted = {cell for cell in best_and_worst(table) if cell is not None}
    for other in place.iterdir():
        if other.name not in wanted:
            shutil.rmtree(other)
    for row in table[table["cell"].isin(wanted)].to_dict("records"):
        files = place / row["cell"]
        if (files / "reconstruction.vtp").is_file():
            continue
        make_folder(files)
        truth, acquisition, _ = simulate(
            recipe.with_values({**json.loads(row["conditions"]), "recipe.seed": row["seed"]})
        )
        save_simulation(files, truth, acquisition)
        write_vtp(files / "reconstruction.vtp", run_method(row["method"], acquisition))
