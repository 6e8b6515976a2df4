"""The files of the best and of the worst cell of a study, for its page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from veristem.bench.files.simulation import LAST_WRITTEN, save_reconstruction, save_simulation
from veristem.bench.oracles import handed_in
from veristem.bench.study.store import make_folder
from veristem.datasets.formats.atomic import together
from veristem.datasets.recipe import Recipe
from veristem.recon.apart import reconstruct
from veristem.reports.studies import best_and_worst
from veristem.sim.simulate import simulate_recipe


def save_examples(table, recipe: Recipe, folder: Path, timeout_s: float | None = None) -> list[str]:
    """Make the best and the worst cell of a table again, into examples/CELL; what is there already is kept.

    Parameters
    ----------
    table : DataFrame
        Results of a study.
    recipe : Recipe
        What its conditions change.
    folder : Path
        Of the results.
    timeout_s : float, optional
        Time after which a method is ended [s].

    Returns
    -------
    list of str
        A note for each whose method could not be run here.

    Raises
    ------
    InputError
        When a file cannot be written.
    """
    place = folder / "examples"
    make_folder(place)
    wanted = {cell for cell in best_and_worst(table) if cell is not None}
    for other in place.iterdir():
        if re.fullmatch("[0-9a-f]{24}", other.name) and other.name not in wanted:
            shutil.rmtree(other)
    notes = []
    for row in table[table["cell"].isin(wanted)].to_dict("records"):
        files = place / row["cell"]
        if any((files / name).is_file() for name in LAST_WRITTEN):
            continue
        make_folder(files)
        truth, acquisition, _ = simulate_recipe(
            recipe.with_values({**json.loads(row["conditions"]), "recipe.seed": row["seed"]})
        )
        found, method = None, ""
        try:
            method, stages = handed_in(row["method"], truth, acquisition)
            found, _ = reconstruct(method, acquisition, timeout_s, **stages)
        except (Exception, SystemExit) as error:  # it may need what only the workers have
            notes.append(f"no 3D of cell {row['cell']} on the page: {row['method']} fails here ({error})")
        with together():
            if found is not None:
                save_reconstruction(files, found, method, acquisition)
            save_simulation(files, truth, acquisition)
    return notes
