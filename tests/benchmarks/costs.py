"""Measure what simulations take against what is told before them, and the costs that fit best.

python tests/benchmarks/costs.py [NAME ...]

One thread, CPU time, each simulation a second time when it is compiled. Prints told and measured of each case, and
the costs that `veristem.sim.effort.COSTS` should have: those that it has, where the cases do not tell.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from time import process_time

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")

import numpy as np

from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.recipe import load_recipe
from veristem.sim.effort import COSTS, work
from veristem.sim.simulate import simulate_4d, simulate_recipe

_PRIOR = 0.1  # how much a cost that no case tells stays what it is, against a case
_HALF = {"specimen.field_nm": [128.0, 128.0], "scan.shape": [64, 64]}
CASES = {
    "two beams": ("cantor-small", {}),
    "two beams, no diffuse part": ("cantor-small", {"specimen.diffuse": False}),
    "fine": ("cantor-small", {"scan.pixel_nm": 2.0, "scan.shape": [128, 128]}),
    "crowded": ("cantor-small", {"specimen.network.density_per_m2": 1e15}),
    "thick": ("cantor-small", {"specimen.thickness_nm": 300.0}),
    "row of beams": ("cantor-small", {"specimen.beams": 9, "specimen.diffuse": False, **_HALF, "scan.pixel_nm": 2.0}),
    "annulus": ("tial-stem", {**_HALF}),
    "corrected lens": ("tial-corrected", {**_HALF}),
    "corrected lens, two beams": ("tial-corrected", {**_HALF, "specimen.beams": 2}),
    "regions": ("cantor-small", {"specimen.regions": {"kind": "lamellae"}}),
    "tilts": ("cantor-small", {"stage.tilts_deg": [-10.0, 0.0, 10.0]}),
    "4D scan": (
        "tial-4d",
        {
            "specimen.field_nm": [64.0, 64.0],
            "scan.shape": [32, 32],
            "microscope.detector.shape": [64, 64],
            "microscope.detector.pixel_mrad": 2.4,
            "microscope.detector.vacuum_shape": [4, 4],
        },
    ),
    "film": ("particles-small", {"scan.shape": [256, 256], "specimen.field_nm": [102.4, 102.4]}),
    "film, wide": ("particles-small", {"specimen.dispersion.concentration_mg_per_ml": 5.0}),
    "film, fine": ("particles", {"scan.shape": [1024, 1024], "specimen.field_nm": [409.6, 409.6]}),
    "film, 4D scan": ("film-4d", {"scan.shape": [64, 64], "specimen.field_nm": [64.0, 64.0]}),
    "film, corrected lens": (
        "particles-small",
        {"scan.shape": [128, 128], "specimen.field_nm": [51.2, 51.2], "microscope.aberrations": "corrected"},
    ),
}


def measured_s(recipe) -> float:
    """CPU time of a simulation [s]."""
    start = process_time()
    if isinstance(recipe.microscope.detector, Pixelated):
        with tempfile.TemporaryDirectory() as folder:
            simulate_4d(recipe, Path(folder), "")
    else:
        simulate_recipe(recipe)
    return process_time() - start


def main(names) -> None:
    """Measure the cases of these names, or all."""
    amounts, times = [], []
    for name in names or CASES:
        base, values = CASES[name]
        recipe = load_recipe(base).with_values(values)
        times.append(min(measured_s(recipe), measured_s(recipe)))
        start = process_time()
        found = work(recipe)
        asked = process_time() - start
        amounts.append([found.get(cost, 0.0) * COSTS[cost] for cost in COSTS])
        told = sum(amounts[-1])
        print(f"{name:28} told {told:7.2f} s, measured {times[-1]:7.2f} s, ratio {told / times[-1]:5.2f}", end="; ")
        print(f"counted in {asked:.2f} s: " + ", ".join(f"{c} {a:.2g}" for c, a in zip(COSTS, amounts[-1]) if a))
    from scipy.optimize import nnls

    scaled = np.array(amounts) / np.array(times)[:, None]
    system = np.concatenate([scaled, _PRIOR * np.eye(len(COSTS))])
    factors, _ = nnls(system, np.concatenate([np.ones(len(scaled)), _PRIOR * np.ones(len(COSTS))]))
    print("ratios then:", ", ".join(f"{ratio:.2f}" for ratio in scaled @ factors))
    print("COSTS = {")
    for (name, cost), factor in zip(COSTS.items(), factors):
        print(f'    "{name}": {cost * factor:.2g},')
    print("}")


if __name__ == "__main__":
    main(sys.argv[1:])
