"""Compile what most tests run before they begin, as each of two test processes would compile it for itself.

`make test` runs it beside pyright, once for each state of the sources.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import veristem.datasets  # noqa: F401  it sets the folder of the kernels, whose name tells the state of the sources

FOIL = {
    "scan.shape": [16, 16],
    "scan.pixel_nm": 4.0,
    "specimen.field_nm": [64.0, 64.0],
    "specimen.thickness_nm": 40.0,
    "specimen.network.density_per_m2": 2e14,
}
TWO_BEAMS = {"specimen.beams": 2, "specimen.diffuse": False, "specimen.relaxed_faces": False}
FILM = {"scan.shape": [96, 96], "specimen.field_nm": [38.4, 38.4]}


def main() -> None:
    """One small run of each kind."""
    from veristem.bench.scoring import score
    from veristem.datasets.recipe import load_recipe
    from veristem.recon import run_method
    from veristem.sim.simulate import simulate_recipe

    for name, values, method in (
        ("cantor-stereo", FOIL, "stereo-classical"),
        ("cantor-stereo", FOIL | TWO_BEAMS, "constant"),
        ("particles-small", FILM, "points-matched"),
    ):
        truth, acquisition, _ = simulate_recipe(load_recipe(name).with_values(values))
        score(truth, run_method(method, acquisition))


if __name__ == "__main__":
    done = Path(sys.prefix, Path(os.environ.get("NUMBA_CACHE_DIR", "numba")).name)
    if not done.exists():
        main()
        done.touch()
