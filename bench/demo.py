"""The whole chain on one specimen, and a small study around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench.cell import simulate
from veristem.bench.pages import headline, make_scene, run_facts, save_page
from veristem.bench.store import make_folder
from veristem.bench.study import run_study
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.crystal import load_material
from veristem.datasets.formats.acquisition_h5 import write_acquisition
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.formats.truth_h5 import write_truth
from veristem.datasets.formats.vtp import write_vtp
from veristem.datasets.recipe import Recipe, load_recipe, load_study
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method
from veristem.sim.networks.from_file import guess_material, read_bulk

_METHOD = "stereo-classical"


def save_simulation(folder: Path, truth: LineTruth, acquisition: Acquisition) -> list[Path]:
    """Write acquisition.h5, truth.h5 and truth.vtp into an existing folder."""
    paths = [folder / name for name in ("acquisition.h5", "truth.h5", "truth.vtp")]
    write_acquisition(paths[0], acquisition)
    write_truth(paths[1], truth)
    labels = {"g_dot_b": truth.g_dot_b, "g_dot_bu": truth.g_dot_bu, "visible": truth.visible.astype(np.uint8)}
    write_vtp(paths[2], truth.network, labels)
    return paths


def network_recipe(recipe: Recipe, network: Path, material: str | None) -> tuple[Recipe, list[str]]:
    """The demo's recipe for a foil cut from a network file, and what was decided on the way.

    The material is guessed if not given; zone axis and reflection are the material's own. A foil is never larger than
    one period of a periodic network: beyond that it would show the same lines again.
    """
    notes = []
    path = str(network)
    if material is None:
        material, why = guess_material(path)
        notes.append(why)
    crystal = load_material(material)
    bulk, _ = read_bulk(path, crystal, None)
    values: dict[str, Any] = {
        "recipe.name": network.stem,
        "specimen.material": material,
        "specimen.zone_axis": list(crystal.zone_axis),
        "specimen.g": list(crystal.g),
        "specimen.network": {"file": path},
    }
    if bulk.box_nm is not None:
        period = float((bulk.box_nm[1] - bulk.box_nm[0]).min())
        rows, columns = recipe.scan.shape
        pixel = min(recipe.scan.pixel_nm, period / max(rows, columns))
        if pixel < recipe.scan.pixel_nm or period < recipe.specimen.thickness_nm:
            values["scan.pixel_nm"] = pixel
            values["specimen.field_nm"] = [columns * pixel, rows * pixel]
            values["specimen.thickness_nm"] = min(recipe.specimen.thickness_nm, period)
            notes.append(f"the network repeats every {period:.3g} nm, so the foil is no larger than that")
    xi, *_ = crystal.extinction_distances_nm(crystal.g, recipe.microscope.energy_keV)
    thickness = values.get("specimen.thickness_nm", recipe.specimen.thickness_nm)
    if thickness < xi / 2:
        notes.append(
            f"a foil of {thickness:.3g} nm is thin beside the extinction distance of {xi:.3g} nm: expect hardly any "
            "contrast"
        )
    return recipe.with_values(values), notes


def run_demo(
    folder: Path,
    network: Path | None,
    material: str | None,
    values: dict[str, Any],
    command: str = "veristem demo",
    say: Callable[[str], None] = print,
    progress: Callable = lambda cells, _: cells,
) -> Path:
    """Truth, images, reconstruction, score, study and page; returns the page.

    Raises
    ------
    InputError
        For a network, material or value that is not allowed, or a folder that cannot be written.
    """
    make_folder(folder)
    study = load_study("demo")
    recipe = load_recipe(study.recipe)
    notes: list[str] = []
    if network is not None:
        recipe, notes = network_recipe(recipe, network, material)
    elif material is not None:
        crystal = load_material(material)
        orientation = {"specimen.zone_axis": list(crystal.zone_axis), "specimen.g": list(crystal.g)}
        recipe = recipe.with_values({"specimen.material": material, **orientation})
    recipe = recipe.with_values(values)
    tolerance_nm = min(study.tolerance_nm, min(recipe.specimen.field_nm) / 25)
    study = study.model_copy(update={"tolerance_nm": tolerance_nm})

    truth, acquisition, specimen = simulate(recipe)
    notes += specimen.notes
    for note in notes:
        say(note)
    lengths = truth.network.lengths_nm
    paths = save_simulation(folder, truth, acquisition)
    width, height = truth.field_nm
    say(
        f"specimen: {lengths.sum():.0f} nm of line in {width:.4g} x {height:.4g} x {truth.thickness_nm:.4g} nm, "
        f"{lengths[truth.visible].sum():.0f} nm of it visible with this reflection"
    )
    counts = acquisition.views.mean()
    say(f"images:   {len(acquisition.views)} views, {counts:.0f} electrons counted a pixel: {paths[0]}")

    curves = run_method(_METHOD, acquisition)
    write_vtp(folder / "reconstruction.vtp", curves)
    scene = make_scene(acquisition, curves, truth, _METHOD, study.tolerance_nm)
    with atomic_path(folder / "scores.json") as partial:
        partial.write_text(json.dumps(scene.scores, indent=2) + "\n", encoding="utf-8")
    say(f"result:   {headline(scene)}")

    say("study:    stereo angle x radius x dwell time, with " + str(study.seeds) + " seeds")
    table = run_study(study, recipe, folder, progress)
    page = folder / "page.html"
    title = "Dislocation lines in 3D from two STEM views" + (f": {network.name}" if network else "")
    save_page(page, title, scene, table, run_facts(truth, notes), [headline(scene)], command)
    return page
