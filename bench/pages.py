"""From the files of a folder to its page."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from veristem.bench.scoring import metrics, score_curves, vertex_errors_nm
from veristem.bench.store import read_table
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.formats import read_curves, read_network, read_particles
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.datasets.formats.truth_h5 import read_truth
from veristem.datasets.formats.vtp import read_vtp
from veristem.datasets.geometry import pair_angle_rad, widest_pair
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth
from veristem.reports import Scene, write_page


def read_truth_file(path: Path, burgers_magnitude_nm: float | None = None):
    """A truth from truth.h5, or a network or curves from .vtp, .data (in units of |b|) or .ca."""
    if path.suffix == ".h5":
        return read_truth(path)
    return read_vtp(path) if path.suffix == ".vtp" else read_network(path, burgers_magnitude_nm)


def read_any(path: Path, burgers_magnitude_nm: float | None = None):
    """Whatever `veristem view` can show, by suffix and content.

    Raises
    ------
    InputError
        When it is neither an acquisition, a truth, a network, curves nor particles.
    """
    suffix = path.suffix.lower()
    if suffix not in (".h5", ".vtp", ".data", ".ca", ".csv"):
        raise InputError(
            f"{path}: suffix {path.suffix!r} found; images or a truth as .h5, a network as .vtp, .data or .ca, curves "
            "as .vtp or particles as .csv allowed"
        )
    if suffix == ".csv":
        return read_particles(path)
    if suffix == ".h5":
        try:
            return read_acquisition(path)
        except InputError as error:
            try:
                return read_truth(path)
            except InputError:
                raise error from None
    return read_truth_file(path, burgers_magnitude_nm)


def make_scene(
    acquisition: Acquisition, curves: CurveSet, truth: LineTruth | None, method: str, tolerance_nm: float
) -> Scene:
    """A scene for the page, scored when the truth is known."""
    if truth is None:
        return Scene(acquisition=acquisition, curves=curves, method=method)
    scores = score_curves(truth, curves, tolerance_nm=tolerance_nm)
    errors = vertex_errors_nm(truth, curves)
    return Scene(acquisition=acquisition, curves=curves, truth=truth, errors_nm=errors, scores=scores, method=method)


def run_facts(truth: LineTruth | None, notes=()) -> dict[str, dict[str, str]]:
    """What was run: versions, machine, recipe."""
    import tomli_w

    libraries = ("veristem", "numpy", "scipy", "numba", "h5py", "pyvista", "matplotlib")
    facts = {"Versions": {"python": platform.python_version(), **{name: version(name) for name in libraries}}}
    if truth is not None:
        recipe = truth.recipe
        facts["Recipe"] = {"name": recipe["recipe"]["name"], "seed": str(recipe["recipe"]["seed"])}
        facts["Recipe"]["full text"] = tomli_w.dumps(_without_none(recipe))
    if notes:
        facts["Specimen"] = {f"note {n}": note for n, note in enumerate(notes, 1)}
    return facts


def write_folder_page(folder: Path, page: Path, command: str = "", tolerance_nm: float = 20.0) -> Path:
    """The page of a folder with acquisition.h5 and reconstruction.vtp, truth.h5 and results.parquet if they are there.

    Raises
    ------
    InputError
        When the folder holds no acquisition.
    """
    acquisition_path = folder / "acquisition.h5"
    if not acquisition_path.is_file():
        raise InputError(f"{acquisition_path}: no such file; `veristem simulate` or `veristem demo` writes it")
    acquisition = read_acquisition(acquisition_path)
    truth = read_truth(folder / "truth.h5") if (folder / "truth.h5").is_file() else None
    curves_path = folder / "reconstruction.vtp"
    curves = read_curves(curves_path) if curves_path.is_file() else CurveSet(())
    table = read_table(folder) if (folder / "results.parquet").is_file() else None
    scene = make_scene(acquisition, curves, truth, "reconstruction.vtp", tolerance_nm)
    sentences = [headline(scene)] if truth is not None else []
    save_page(page, f"VeriSTEM: {folder.resolve().name}", scene, table, run_facts(truth), sentences, command)
    return page


def save_page(page: Path, title: str, scene: Scene, table, facts: dict, sentences: list[str], command: str) -> None:
    """Write a page, with what each score means."""
    meanings = {metric.name: metric.meaning for metric in metrics()}
    write_page(
        page,
        title=title,
        scene=scene,
        table=table,
        facts=facts,
        sentences=sentences,
        command=command,
        meanings=meanings,
    )


def headline(scene: Scene) -> str:
    """One sentence on what was recovered."""
    found, wanted = scene.scores.get("f_score_visible"), scene.scores.get("depth_rmse_nm")
    if found is None:
        return "No line is visible in this field with this reflection."
    depth = "" if wanted is None else f", with a depth error of {wanted:.1f} nm rms where they were found"
    directions = scene.acquisition.directions_rad
    angle = np.degrees(pair_angle_rad(*directions[list(widest_pair(directions))]))
    return (
        f"From two views {angle:.1f}° apart, the visible lines are recovered with F = {found:.2f} at a tolerance of "
        f"{scene.scores['tolerance_nm']:g} nm{depth}."
    )


def _without_none(table: dict) -> dict:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in table.items() if v is not None}
