"""What a condition shows, measured on small specimens that are imaged for it; dose enters by its root alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib import resources
from io import BytesIO
from itertools import chain
from multiprocessing import get_context

import numpy as np

from veristem.bench.limits.line_contrast import line_contrast
from veristem.bench.limits.lines import line_limits
from veristem.bench.plan.films import shown, small_film
from veristem.bench.plan.setups import Setup
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import pair_angle_rad, widest_pair
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations
from veristem.datasets.truth import LineTruth, ParticleTruth
from veristem.sim.noise import electrons_per_pixel
from veristem.sim.simulate import simulate_recipe

SEEDS = (71, 72)  # of the foils: no study has them
FIELD_NM = 160.0
_PIXEL_NM = 2.0
_DENSITY_PER_M2 = 1e14  # some 500 nm of line in 160 x 160 x 200 nm
_STEEP_DEG = 25.0  # to the epipolar direction: below it stereo hardly tells depth
_UNSEEN_DEG = 10.0  # at which lines run along the parallax
_MOST_PX = 160  # side of a picture
_NAMES = {"dislocations": "foils", "particles": "films"}
_TOGETHER = 3  # set-ups that are imaged of one foil before it is told how far they are


@dataclass(frozen=True)
class Signal:
    """What lines of one material, or particles, show in one set-up, for one incident electron per nm² and scan.

    Parameters
    ----------
    contrast : float
        Root mean square deviation of lines, or of what a particle covers, over the background.
    cnr : float
        Contrast-to-noise ratio of 20 nm of line, or of a particle; it grows as the root of the dose.
    limit_nm : float
        Median limit in depth of 20 nm of line at more than 25 degrees to the epipolar direction, or of a particle [nm];
        it falls as the root of the dose.
    angle_deg : float
        Angle of the widest pair of views [deg].
    share : float
        Of the incident electrons that a view of the pair counts.
    unseen : float
        Share of the length of line within 10 degrees of the epipolar direction; 0 of particles.
    dark, bright : float
        Counts over their mean that are black and white in the image.
    image : str
        Expected image of the first view, as a PNG in base64.
    """

    contrast: float
    cnr: float
    limit_nm: float
    angle_deg: float
    share: float
    unseen: float
    dark: float
    bright: float
    image: str = ""


def small(recipe: Recipe, setup: Setup, seed: int = SEEDS[0]) -> Recipe:
    """The recipe of a small specimen of the same kind, imaged by a set-up without errors of the scan."""
    return (small_foil if isinstance(recipe.specimen, Dislocations) else small_film)(recipe, setup, seed)


def small_foil(recipe: Recipe, setup: Setup, seed: int) -> Recipe:
    """That of a small even foil of the same crystal."""
    assert isinstance(recipe.specimen, Dislocations)
    kept = ("kind", "material", "crystal", "thickness_nm", "zone_axis", "g", "g_azimuth_deg", "tilt_off_bragg_deg",
            "tilt_about_g_deg", "beams", "diffuse", "relaxed_faces")  # fmt: skip
    specimen = {key: value for key, value in recipe.specimen.model_dump(mode="json").items() if key in kept}
    specimen |= {"field_nm": [FIELD_NM, FIELD_NM], "network": {"density_per_m2": _DENSITY_PER_M2}}
    count = round(FIELD_NM / _PIXEL_NM)
    table = {
        "recipe": {"name": "plan", "seed": seed},
        "specimen": specimen,
        "scan": {"shape": [count, count], "pixel_nm": _PIXEL_NM, "registered": True},
    }
    return Recipe.from_table(table, "plan").with_values(setup.values)


def key_of(recipe: Recipe, setup: Setup) -> str:
    """Of what a signal depends on."""
    table = small(recipe, setup).model_dump(mode="json")
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()[:16]


def signals_of(
    recipe: Recipe,
    setups: Sequence[Setup],
    say: Callable[[str], object] = lambda _: None,
    workers: int = 2,
    progress: Callable[[Iterable, int], Iterable] = lambda groups, _: groups,
) -> list[Signal]:
    """The signal of each set-up: from the table that ships, else from small foils that are imaged now.

    Parameters
    ----------
    recipe : Recipe
        Of a foil; its crystal, thickness and tilts count.
    setups : sequence of Setup
        To be judged.
    say : callable
        Gets a line when foils have to be imaged.
    workers : int
        Processes that image them.
    progress : callable
        Wraps the loop over (groups of them that have been imaged, and their number).
    """
    keys, known = [key_of(recipe, setup) for setup in setups], dict(shipped())
    missing = {key: setup for key, setup in zip(keys, setups) if key not in known}
    if missing:
        things = _NAMES[recipe.specimen.kind]
        say(f"imaging {len(SEEDS)} small {things} in {len(missing)} set-ups that the planner's table has not; "
            f"about {4 * len(missing) * len(SEEDS) / workers + 10:.0f} s")  # fmt: skip
        asked = list(missing.values())
        groups = [asked[first : first + _TOGETHER] for first in range(0, len(asked), _TOGETHER)]
        work = [(recipe, group, seed) for seed in SEEDS for group in groups]
        if workers == 1:
            found = list(progress(map(_measured, work), len(work)))
        else:
            with ProcessPoolExecutor(min(workers, len(work)), get_context("spawn")) as pool:
                found = list(progress(pool.map(_measured, work), len(work)))
        measured = [*chain(*found)]
        known |= {key: _mean(measured[n :: len(asked)]) for n, key in enumerate(missing)}
    return [known[key] for key in keys]


@cache
def shipped() -> dict[str, Signal]:
    """The table that ships, by key."""
    place = resources.files("veristem.bench.plan").joinpath("signals.json")
    if not place.is_file():
        return {}
    table = json.loads(place.read_text(encoding="utf-8"))
    return {key: Signal(**values) for key, values in table["signals"].items()}


def _measured(work: tuple[Recipe, list[Setup], int]) -> list[Signal]:
    """Signals of one foil in several set-ups."""
    recipe, setups, seed = work
    specimen, made, found = None, "", []
    for setup in setups:
        asked = small(recipe, setup, seed)
        specimen = specimen if asked.specimen_key == made else None
        truth, acquisition, specimen = simulate_recipe(asked, specimen)
        made = asked.specimen_key
        electrons = electrons_per_pixel(asked.microscope.current_nA, asked.scan.dwell_us)
        dose = electrons / asked.scan.pixel_nm**2
        pair = list(widest_pair(acquisition.directions_rad))
        expected = truth.expected[pair].astype(float)
        if isinstance(truth, ParticleTruth):
            numbers = shown(truth, pair, dose) | {"unseen": 0.0}
        else:
            numbers = _shown(recipe, truth, dose)
        grey, dark, bright = _grey(expected[0])
        found.append(
            Signal(
                **numbers,
                angle_deg=float(np.degrees(pair_angle_rad(*acquisition.directions_rad[pair]))),
                share=float(expected.mean() / electrons),
                dark=dark,
                bright=bright,
                image=_png(grey) if seed == SEEDS[0] else "",
            )
        )
    return found


def _shown(recipe: Recipe, truth: LineTruth, dose_per_nm2: float) -> dict[str, float]:
    """Contrast, contrast-to-noise ratio, limit in depth and share unseen of lines, for one electron per nm²."""
    limits, (contrast, cnr) = line_limits(truth), line_contrast(truth)
    steep = limits.psi_deg > _STEEP_DEG
    if contrast is None or cnr is None or not steep.any():
        raise InputError(f"plan: no visible line of {recipe.specimen.material} found with g = {recipe.specimen.g}; "  # type: ignore
                         "choose another specimen.g")  # fmt: skip
    root = np.sqrt(dose_per_nm2)
    return {
        "contrast": contrast,
        "cnr": cnr / root,
        "limit_nm": _median(limits.parallax_nm[steep, 1], limits.length_nm[steep]) * root,
        "unseen": float(limits.length_nm[limits.psi_deg < _UNSEEN_DEG].sum() / limits.length_nm.sum()),
    }


def _mean(of_seeds: Sequence[Signal]) -> Signal:
    """Geometric means of what limits are made of, plain ones of the rest; the picture is that of the first foil."""
    numbers = {f.name: [getattr(one, f.name) for one in of_seeds] for f in fields(Signal) if f.name != "image"}
    mean = {name: float(np.mean(values)) for name, values in numbers.items()}
    mean |= {"dark": of_seeds[0].dark, "bright": of_seeds[0].bright}
    for name in ("contrast", "cnr", "limit_nm"):
        mean[name] = float(np.exp(np.mean(np.log(numbers[name]))))
    return Signal(**mean, image=of_seeds[0].image)


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _grey(image: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Grey levels (Y, X) and the counts over their mean that are black and white."""
    step = -(-len(image) // _MOST_PX)
    rows, columns = (side // step * step for side in image.shape)
    image = image[:rows, :columns].reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    dark, bright = np.percentile(image, [0.5, 99.5]) / image.mean()
    grey = np.clip((image / image.mean() - dark) / max(bright - dark, 1e-12) * 255, 0, 255)
    return grey.astype(np.uint8), float(dark), float(bright)


def _png(grey: np.ndarray) -> str:
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(grey).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def as_table(signals: dict[str, Signal]) -> dict[str, dict]:
    """What is written to signals.json."""
    return {key: asdict(signal) for key, signal in sorted(signals.items())}
