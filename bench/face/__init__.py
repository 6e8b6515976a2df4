"""VeriSTEM: how well does a 3D reconstruction from a few STEM views recover what is really there?

What the command line does, from Python::

    import veristem as vs

    made = vs.simulate("cantor-small")
    found = vs.reconstruct(made.acquisition, "stereo-classical")
    scores = vs.score(made.truth, found)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

    from veristem.bench.plan.ask import plan
    from veristem.bench.training.trained import Trained
    from veristem.datasets.acquisition import Acquisition
    from veristem.datasets.recipe import Recipe, Study
    from veristem.datasets.reconstruction import CurveSet, PointSet
    from veristem.datasets.truth import LineTruth, ParticleTruth
    from veristem.datasets.volume import Volume

__all__ = ["load", "plan", "reconstruct", "score", "simulate", "study", "train"]

Progress = Callable[[Iterable, int], Iterable]  # wraps a loop over (items, their number)


def __getattr__(name: str):
    if name == "__version__":
        from importlib.metadata import version

        return version("veristem")
    if name == "plan":
        from veristem.bench.plan.ask import plan

        return plan
    raise AttributeError(f"module 'veristem' has no attribute {name!r}")


def _silent(line: str) -> None:
    pass


def _plain(items: Iterable, total: int) -> Iterable:
    return items


class Simulation(NamedTuple):
    """What a recipe gives.

    Parameters
    ----------
    truth : LineTruth or ParticleTruth
        What is really there, and the expected counts.
    acquisition : Acquisition or None
        The images, as a method gets them; None for a pixelated detector: `veristem virtual` makes views of its 4D scan.
    notes : tuple of str
        What a user should know about how the specimen was made.
    paths : list of Path
        Files written.
    """

    truth: LineTruth | ParticleTruth
    acquisition: Acquisition | None
    notes: tuple[str, ...]
    paths: list[Path]


def load(path: str | Path, **options) -> Any:
    """Whatever a file holds, by its suffix; of the folder of a study, its table.

    Parameters
    ----------
    path : path
        Images or a truth as .h5, a network as .vtp, .data or .ca, curves as .vtp, particles or points as .csv,
        particles as .xyz, or a folder with results.parquet.
    **options
        Of the format: ``burgers_magnitude_nm`` of a .data file, ``box_nm`` and ``radius_nm`` of particles.

    Returns
    -------
    Acquisition, LineTruth, ParticleTruth, DislocationNetwork, CurveSet, ParticleDispersion, PointSet or DataFrame

    Raises
    ------
    InputError
        For a file that holds none of these, or a damaged one.
    """
    if Path(path).is_dir():
        from veristem.bench.study.store import read_table

        return read_table(path)
    from veristem.datasets import formats

    return formats.read(path, **options)


def simulate(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    values: dict[str, Any] | None = None,
    progress: Progress = _plain,
    tell: Callable[[str], Any] = _silent,
) -> Simulation:
    """Make a specimen and image it.

    Parameters
    ----------
    recipe : name, path or Recipe
        What to make and how to image it; `veristem list recipes` shows the names.
    out : path, optional
        Folder for acquisition.h5, truth.h5 and the truth for people; made when it does not exist. A pixelated detector
        needs one, for its 4D scan.
    values : dict, optional
        Changes by dotted path into the recipe: ``{"scan.dwell_us": 100}``.
    progress : callable
        Wraps the loop over (tilts, or rows of a 4D scan, and their number).
    tell : callable
        Gets, before the work begins, a line on what will be done and about how long it takes.

    Raises
    ------
    InputError
        For a key or value that is not allowed, a bad file, a folder that cannot be written, or too little memory.
    """
    from veristem.bench.files.forecast import simulation_text
    from veristem.bench.files.simulation import save_simulation, save_truth
    from veristem.bench.study.key import scan_key
    from veristem.bench.study.store import make_folder
    from veristem.datasets.errors import InputError
    from veristem.sim.effort import check_room
    from veristem.sim.scan4d import check_pixelated
    from veristem.sim.simulate import simulate_4d, simulate_recipe

    loaded = _recipe(recipe).with_values(values or {})
    folder = None if out is None else Path(out)
    if folder is not None:
        make_folder(folder)
    check_room(loaded)
    if loaded.microscope.detector.kind == "pixelated":
        if folder is None:
            raise InputError("simulate: a pixelated detector found, which needs a folder for its 4D scan; give one")
        check_pixelated(loaded)
        tell(simulation_text(loaded))
        truth, specimen, paths = simulate_4d(loaded, folder, scan_key(loaded), progress)
        return Simulation(truth, None, tuple(specimen.notes), [*paths, *save_truth(folder, truth)])
    tell(simulation_text(loaded))
    truth, acquisition, specimen = simulate_recipe(loaded, progress=progress)
    paths = [] if folder is None else save_simulation(folder, truth, acquisition)
    return Simulation(truth, acquisition, tuple(specimen.notes), paths)


def reconstruct(
    acquisition: str | Path | Acquisition,
    method: str | None = None,
    *,
    out: str | Path | None = None,
    timeout_s: float | None = None,
    say: Callable[[str], Any] = warnings.warn,
    tell: Callable[[str], Any] = _silent,
) -> CurveSet | PointSet | Volume:
    """Curves or points in 3D from the images alone.

    Parameters
    ----------
    acquisition : path or Acquisition
        The images and their nominal geometry.
    method : str, optional
        Registered name, module:function or path of an executable, with KEY=VALUE words for its parameters; our own for
        the kind of specimen if not given.
    out : path, optional
        File to write: .vtp for curves, .csv for points; .mrc or .vti for the volume in which a method of tomography
        looks for them. Beside lines of learned contours NAME.missed.tif tells how likely others were missed.
    timeout_s : float, optional
        Time after which the method is ended [s].
    say : callable
        Gets what a user should know about the images, one line a call.
    tell : callable
        Gets, before the work begins, a line on what will be done and about how long it takes.

    Raises
    ------
    InputError
        When there is no such method, or it returns something else; for a bad file.
    MethodError
        When a method from outside fails, ends its process, or takes too long.
    """
    from veristem.bench.files.forecast import reconstruction_text
    from veristem.bench.files.missed import save_result
    from veristem.datasets import Acquisition, formats
    from veristem.datasets.errors import InputError
    from veristem.datasets.formats.atomic import check_place
    from veristem.datasets.kinds import KINDS, VOLUME
    from veristem.recon import apart
    from veristem.recon.methods import alignment_told, load_method, with_volume
    from veristem.recon.rectify import registration_warning

    images = acquisition if isinstance(acquisition, Acquisition) else formats.read(acquisition, Acquisition)
    kind = KINDS[images.kind]
    method = kind.method if method is None else method
    if out is not None and Path(out).suffix.lower() in (whole := formats.suffixes(VOLUME.result, to="write")):
        method = with_volume(method)
    elif out is not None and Path(out).suffix.lower() != kind.suffix:
        allowed = f"{kind.suffix} allowed for {kind.found}, {' or '.join(whole)} for {VOLUME.found}"
        raise InputError(f"{out}: suffix {Path(out).suffix!r} found, {allowed}")
    load_method(method)
    if out is not None:
        check_place(out)
    tell(reconstruction_text(images, method))
    if warning := registration_warning(images):
        say(warning)
    for line in alignment_told(method, images):
        (say if line.startswith("warning") else tell)(line)
    found, _ = apart.reconstruct(method, images, timeout_s)
    if out is not None:
        save_result(Path(out), found, method, images, tell)
    return found


def score(
    truth,
    reconstruction,
    *,
    tolerance_nm: float | None = None,
    acquisition: str | Path | Acquisition | None = None,
    of: str | None = None,
    view: int = 0,
    metrics: Sequence[str] = (),
    full_limits: bool = False,
    burgers_magnitude_nm: float | None = None,
) -> dict[str, float | None]:
    """Every score of a reconstruction against the truth, by name; None where one has no value.

    Parameters
    ----------
    truth : path, LineTruth, ParticleTruth, DislocationNetwork, CurveSet or ParticleDispersion
        What is there.
    reconstruction : path, CurveSet, PointSet, or (Y, X) array
        What was found. With ``of`` also an image: of a mask 0 where no line is, of a disparity NaN there.
    tolerance_nm : float, optional
        Distance within which a point is matched; 10 nm, or a particle's radius, if not given.
    acquisition : path or Acquisition, optional
        For the epipolar direction, where the truth does not tell.
    of : "masks" or "disparity", optional
        Score the lines as pixels of a view, or their disparity in the widest pair, instead of curves in space.
    view : int
        Of the masks.
    metrics : sequence of str
        Further ones from outside, as module:function.
    full_limits : bool
        Limits of lines where contrast that changes with depth tells too: images the truth twice more.
    burgers_magnitude_nm : float, optional
        Unit of length of a .data truth [nm].

    Raises
    ------
    InputError
        When one side is of lines and the other of particles, or for a bad file or value.
    """
    from veristem.bench import scoring
    from veristem.bench.files.scores import score_pixels, sides
    from veristem.bench.limits.lines import full_line_limits, line_limits
    from veristem.datasets import Acquisition, InputError, LineTruth, formats
    from veristem.datasets.shapes import check_positive

    if tolerance_nm is not None:
        check_positive("`tolerance_nm`", tolerance_nm)
    if of is not None:
        return score_pixels(truth, reconstruction, of, view)
    truth, found = sides(truth, reconstruction, burgers_magnitude_nm)
    how: dict[str, Any] = {"tolerance_nm": tolerance_nm, "metrics": metrics}
    if isinstance(truth, LineTruth):
        how["limits"] = full_line_limits(truth) if full_limits else line_limits(truth)
    elif full_limits:
        raise InputError("`full_limits`: no truth.h5 of lines found, one allowed, which tells how it was imaged")
    if acquisition is not None:
        images = acquisition if isinstance(acquisition, Acquisition) else formats.read(acquisition, Acquisition)
        how["directions_rad"] = images.directions_rad
    return scoring.score(truth, found, **how)


def study(
    study: str | Path | Study,
    out: str | Path,
    *,
    methods: Sequence[str] = (),
    values: dict[str, Any] | None = None,
    seeds: int | None = None,
    metrics: Sequence[str] = (),
    workers: int = 1,
    scheduler: str | None = None,
    method_version: str = "",
    timeout_s: float | None = None,
    progress: Progress = _plain,
    command: str = "",
) -> pd.DataFrame:
    """Run all conditions, seeds and methods of a study that are not finished yet; returns the whole table.

    Parameters
    ----------
    study : name, path or Study
        `veristem list studies` shows the names.
    out : path
        Results folder; what is finished in it is kept.
    methods : sequence of str, optional
        Instead of the study's own.
    values : dict, optional
        Changes by dotted path into its recipe, of keys that are not varied.
    seeds : int, optional
        Specimens, instead of the study's number.
    metrics : sequence of str
        Further ones from outside, as module:function.
    workers, scheduler, method_version, timeout_s, progress, command
        As of `bench.study.runner.run_study`.

    Raises
    ------
    InputError
        For what is not allowed, before anything is run; a folder in use or of another version.
    """
    from veristem.bench.study.runner import run_study
    from veristem.datasets.errors import InputError
    from veristem.datasets.recipe import Study, load_study

    given = {"methods": list(methods), "seeds": seeds, "metrics": list(metrics)}
    loaded = study if isinstance(study, Study) else load_study(str(study))
    loaded = loaded.changed({name: value for name, value in given.items() if value})
    values = values or {}
    if twice := [path for path in values if path in loaded.varied]:
        raise InputError(f"{twice[0]}: an axis of study {loaded.name} found, a key that is not varied allowed")
    base = _recipe(loaded.recipe).with_values(values)
    how: dict[str, Any] = {"workers": workers, "scheduler": scheduler}
    how |= {"method_version": method_version, "timeout_s": timeout_s, "command": command}
    return run_study(loaded, base, out, progress, **how)


def train(
    stage: str,
    out: str | Path,
    *,
    recipes: Sequence[str | Path | Recipe] = (),
    values: dict[str, Any] | None = None,
    minutes: float = 20.0,
    device: str = "auto",
    seed: int = 0,
    workers: int = 2,
    examples: str | Path | None = None,
    progress: Progress = _plain,
    tell: Callable[[str], Any] = _silent,
    command: str = "",
) -> Trained:
    """Train a learned stage on images of the simulator; goes on where it was stopped.

    Parameters
    ----------
    stage : "contours", "bands", "volume" or "particles"
        What is to be learned.
    out : path
        Folder for examples, weights, card and page; made when it does not exist.
    recipes : sequence of name, path or Recipe
        Of the session it is for; a broad mixture of specimens if not given.
    values : dict, optional
        Changes by dotted path into each of them.
    minutes, device, seed, workers, examples, progress, command
        As of `bench.training.run.train_stage`.
    tell : callable
        Gets, before each part of the work, a line on what will be done.

    Raises
    ------
    InputError
        Without PyTorch, for a stage or a recipe that cannot be trained for, or a folder of another training.
    """
    from veristem.bench.training.run import STAGES, train_stage
    from veristem.datasets.errors import InputError

    if stage not in STAGES:
        raise InputError(f"stage: {stage!r} found, allowed are {', '.join(STAGES)}")
    if values and not recipes:
        raise InputError("values: some found without a recipe, which they change; give one")
    bases = [_recipe(recipe).with_values(values or {}) for recipe in recipes]
    how: dict[str, Any] = {"minutes": minutes, "device": device, "seed": seed, "workers": workers}
    how["examples"] = None if examples is None else Path(examples)
    return train_stage(STAGES[stage], Path(out), bases, **how, progress=progress, say=tell, command=command)


def _recipe(recipe: str | Path | Recipe) -> Recipe:
    from veristem.datasets.recipe import Recipe, load_recipe

    return recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe))
