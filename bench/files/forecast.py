"""What a command is about to do, and about how long it takes, said before it begins."""

from __future__ import annotations

import os
from time import thread_time

import numba
import numpy as np
import psutil

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.recipe import Recipe
from veristem.recon.methods import split_method, stages_of
from veristem.recon.registration import sequential
from veristem.sim import effort
from veristem.sim.scan4d import scan_bytes

_REFERENCE_S = 0.027  # of the computation in `_pace`, on a core of the machine that times were measured on
# of our own methods there, a pixel of each view
_PER_PIXEL_S = {
    "stereo-classical": 5e-6,
    "stereo-learned": 2.5e-6,
    "stereo-thesis": 3e-6,
    "lines-fitted": 2e-5,
    "lines-multiview": 3e-6,
    "tomo-wbp": 6e-6,
    "tomo-sirt": 1e-5,
    "tomo-lines": 1e-5,
    "field-absorption": 2e-4,
    "points-matched": 2.5e-6,
    "points-learned": 2e-6,
    "points-hough": 1e-6,
    "points-tomo": 2e-5,
    "points-threshold": 5e-7,
    "constant": 0.0,
}
_PER_LINK_S = 2.5  # of the registration of two views


def simulation_text(recipe: Recipe) -> str:
    """The specimen and the images of a recipe, with their time where it can be told."""
    table, scan, stage = recipe.specimen, recipe.scan, recipe.stage
    detector = recipe.microscope.detector
    rows, columns = scan.shape
    what = "foil" if table.kind == "dislocations" else "film"
    size = f"{table.field_nm[0]:.4g} x {table.field_nm[1]:.4g} x {table.thickness_nm:.4g} nm"
    views = len(detector.regions(recipe.kikuchi_azimuth_rad)) * len(stage.angles_deg)
    images = f"{views} view{'s' * (views != 1)} of {columns} x {rows} pixels"
    if isinstance(detector, Pixelated):
        images = f"4D scan of {columns} x {rows} pixels, {detector.shape[1]} x {detector.shape[0]} each, at most "
        images += f"{scan_bytes(recipe) / 1e9:.2g} GB of disk"
    text = f"simulating {recipe.recipe.name}, seed {recipe.recipe.seed}: {what} of {size}, {images}"
    core_s, or_more = effort.core_seconds(recipe)
    more = " or, with much in the file, longer" if or_more else ""
    return f"{text}; {about(core_s * _pace(numba.get_num_threads()))}{more}, besides what a first run compiles"


def reconstruction_text(images: Acquisition, method: str) -> str:
    """The method and its images, with its time where it can be told."""
    views, rows, columns = images.views.shape
    text = f"reconstructing with {method}: {views} view{'s' * (views != 1)} of {columns} x {rows} pixels"
    if (per_pixel_s := _PER_PIXEL_S.get(split_method(method)[0])) is None:
        return text
    seconds = per_pixel_s * images.views.size
    if sequential(images) and "alignment" in stages_of(method):
        seconds += _PER_LINK_S * (views - 1)
    return f"{text}; {about(seconds * _pace(1))}, besides what a first run compiles"


def _pace(threads: int) -> float:
    """Seconds that so many threads take on this machine, as busy as it is, for a second of one core of the other."""
    x = np.linspace(0, 100, 100_000)
    start = thread_time()
    for _ in range(10):
        np.exp(1j * x)
    busy = (psutil.getloadavg()[0] + threads) / (os.cpu_count() or 1)
    return (thread_time() - start) / _REFERENCE_S / threads * max(1.0, busy)


def about(seconds: float) -> str:
    """A time with one digit: "about 20 s", "about 3 min"."""
    if seconds < 2:
        return "about a second"
    for unit, size, least in (("h", 3600, 5400), ("min", 60, 90), ("s", 1, 0)):
        if seconds >= least:
            value = float(f"{seconds / size:.1g}")
            return f"about {value:g} {unit}" if value < 1e4 else f"about {value:.0e} {unit}"
    raise AssertionError
