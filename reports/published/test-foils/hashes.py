"""SHA-256 of the images of every frozen foil at the reference dose: the same for any number of threads.

    python reports/published/test-foils/hashes.py --threads 1 > one.txt
    python reports/published/test-foils/hashes.py --threads 2 | diff one.txt -

About a quarter of an hour of one core each. Another processor may round differently.
"""

from __future__ import annotations

import argparse
from hashlib import sha256

import numba

from veristem.datasets.recipe import load_recipe, load_study
from veristem.sim.simulate import simulate_recipe

DWELL_US = 590


def main() -> None:
    """A line a foil: its kind, its seed, and the hash of its counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    numba.set_num_threads(parser.parse_args().threads)
    study = load_study("test-foils")
    recipe = load_recipe(study.recipe)
    for values in study.cells():
        if values["scan.dwell_us"] != DWELL_US:
            continue
        for seed in study.seeds_of(values, recipe.recipe.seed):
            _, acquisition, _ = simulate_recipe(recipe.with_values(values | {"recipe.seed": seed}))
            print(values["recipe.name"], seed, sha256(acquisition.views.tobytes()).hexdigest(), flush=True)


if __name__ == "__main__":
    main()
