"""The whole chain on dislocation lines and on particles, and a small study around each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench.files.simulation import save_reconstruction, save_simulation
from veristem.bench.pages.folder import make_scene, run_facts, save_page, sentence
from veristem.bench.pages.runs import has_name, run_commands
from veristem.bench.scoring import TOLERANCE_NM
from veristem.bench.study.facts import versions
from veristem.bench.study.runner import run_study
from veristem.bench.study.store import make_folder
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.crystal import load_material
from veristem.datasets.errors import InputError
from veristem.datasets.formats import read_particles
from veristem.datasets.formats.atomic import atomic_path, together
from veristem.datasets.kinds import KINDS
from veristem.datasets.recipe import Recipe, Study, load_recipe, load_study
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth
from veristem.recon.methods import run_method
from veristem.sim.networks.from_file import guess_material, read_bulk
from veristem.sim.simulate import simulate_recipe

_MOST_PIXELS = 2048


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


def particle_recipe(recipe: Recipe, file: Path) -> Recipe:
    """The demo's recipe for the particles of a file, in a film that just holds them, on at most 2048 x 2048 pixels."""
    stored = read_particles(file)
    if not len(stored.radii_nm):
        raise InputError(f"{file}: no particle found, at least one allowed")
    outside = stored.centers_nm + np.array([[-1.0], [1.0]])[:, None] * stored.radii_nm[:, None]
    size = np.ptp(outside.reshape(-1, 3), axis=0)
    pixel = max(recipe.scan.pixel_nm, float(size[:2].max()) / _MOST_PIXELS)
    columns, rows = (max(64, int(np.ceil(length / pixel))) for length in size[:2])
    return recipe.with_values({
        "recipe.name": file.stem,
        "scan.pixel_nm": pixel,
        "scan.shape": [rows, columns],
        "specimen.field_nm": [columns * pixel, rows * pixel],
        "specimen.thickness_nm": float(size[2]) * 1.001,
        "specimen.dispersion": {"file": str(file)},
    })  # fmt: skip


def run_demo(
    folder: Path,
    network: Path | None,
    material: str | None,
    particles: Path | None,
    values: dict[str, Any],
    command: str = "veristem demo",
    say: Callable[[str], None] = print,
    progress: Callable = lambda cells, _: cells,
) -> Path:
    """Truth, images, reconstruction, score, study and page of lines, of particles, or of both; returns the page.

    Both, if nothing is asked for; the particles then lie in a folder of their own.

    Raises
    ------
    InputError
        For a network, particles, material or value that is not allowed, or a folder that cannot be written.
    """
    if particles is not None and (network is not None or material is not None):
        raise InputError("`particles`: found with `network` or `material`, one specimen of your own allowed")
    make_folder(folder)
    shown = []
    if particles is None:
        shown.append(_lines(folder, network, material, values, say, progress))
        title = "Dislocation lines in 3D from two STEM views" + (f": {network.name}" if network else "")
    if particles is not None or not (network or material or values):
        place = folder if particles is not None else folder / "particles"
        shown.append(_particles(place, particles, values, say, progress))
        title = "Particles in 3D from four STEM views" + (f": {particles.name}" if particles else "")
    if len(shown) > 1:
        title = "Dislocation lines and particles in 3D from a few STEM views"
    scenes, tables, facts, commands = zip(*shown)
    page = folder / "page.html"
    every = {"Versions": versions()} | {name: group for part in facts for name, group in part.items()}
    runs = {cell: text for part in commands for cell, text in part.items()}
    save_page(page, title, scenes, _together(tables), every, command, runs)
    return page


def _lines(folder: Path, network: Path | None, material: str | None, values: dict, say, progress):
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
    study = study.changed({"tolerance_nm": min(TOLERANCE_NM, min(recipe.specimen.field_nm) / 25)})

    truth, acquisition, specimen = simulate_recipe(recipe)
    assert isinstance(truth, LineTruth)
    notes += specimen.notes
    lengths = truth.network.lengths_nm
    width, height = truth.field_nm
    about = (
        f"{lengths.sum():.0f} nm of line in {width:.4g} x {height:.4g} x {truth.thickness_nm:.4g} nm, "
        f"{lengths[truth.visible].sum():.0f} nm of it visible with this reflection"
    )
    scene, facts = _chain(folder, truth, acquisition, study.tolerance_nm, about, notes, say)
    say("study:    stereo angle x radius x dwell time, with " + str(study.seeds) + " seeds")
    return scene, *_study(study, recipe, folder, progress, facts)


def _particles(folder: Path, particles: Path | None, values: dict, say, progress):
    make_folder(folder)
    recipe, study = load_recipe("particles"), load_study("demo-particles")
    base = load_recipe(study.recipe)
    if particles is not None:
        recipe = base = particle_recipe(recipe, particles)
        study = study.changed({"seeds": 1})
    varied = {key: value for key, value in values.items() if key not in study.axes}
    recipe, base = recipe.with_values(values), base.with_values(varied)
    truth, acquisition, film = simulate_recipe(recipe)
    assert isinstance(truth, ParticleTruth)
    width, height = truth.field_nm
    about = (
        f"{truth.inside.sum()} particles in {width:.4g} x {height:.4g} x {truth.thickness_nm:.4g} nm, radius "
        f"{truth.particles.radii_nm.mean():.3g} nm"
    )
    scene, facts = _chain(folder, truth, acquisition, study.tolerance_nm, about, list(film.notes), say)
    say("study:    inner angle of the quadrants x dwell time, with " + str(study.seeds) + " seeds")
    facts = {f"{name} of the particles" if name != "Versions" else name: group for name, group in facts.items()}
    return scene, *_study(study, base, folder, progress, facts)


def _chain(folder: Path, truth: Truth, acquisition: Acquisition, tolerance_nm: float | None, about: str, notes, say):
    """Files, reconstruction and scores of one specimen."""
    for note in notes:
        say(note)
    say(f"specimen: {about}")
    counts = acquisition.views.mean()
    say(f"images:   {len(acquisition.views)} views, {counts:.0f} electrons counted a pixel")
    method = KINDS[acquisition.kind].method
    found = run_method(method, acquisition)
    scene = make_scene(acquisition, found, truth, method, tolerance_nm)
    with together():
        paths = [*save_simulation(folder, truth, acquisition), *save_reconstruction(folder, found, method, acquisition)]
        with atomic_path(folder / "scores.json") as partial:
            partial.write_text(json.dumps(scene.scores, indent=2) + "\n", encoding="utf-8")
    say(f"result:   {sentence(scene)}")
    say(f"files:    {', '.join(path.name for path in paths)}, scores.json in {folder}")
    return scene, run_facts(truth, notes)


def _study(study: Study, recipe: Recipe, folder: Path, progress, facts: dict) -> tuple:
    """The table of a study, the facts, and the commands of its runs where they can be told."""
    table = run_study(study, recipe, folder, progress)
    return table, facts, run_commands(study.recipe, recipe, table) if has_name(study.recipe, recipe) else {}


def _together(tables):
    import pandas as pd

    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
