"""Print why particles are lost at 40 mg/ml, seed 0, by three variants of `points-matched`.

python reports/published/particles-concentration/lost.py
"""

from __future__ import annotations

import numpy as np

from veristem.bench.limits.points import point_limits
from veristem.bench.pages.missed import CAUSES, explain_losses
from veristem.bench.scoring import point_pair
from veristem.datasets.recipe import load_recipe
from veristem.datasets.truth import ParticleTruth
from veristem.recon.particles.matched import detect, reconstruct
from veristem.sim.simulate import simulate_recipe

VARIANTS = {
    "points-matched": {},
    "no joint fit, three views": {"joint": False},
    "no joint fit, four views": {"joint": False, "fewest_views": 4},
}


def main() -> None:
    """Image once, reconstruct three times."""
    values = {"specimen.dispersion.concentration_mg_per_ml": 40, "recipe.seed": 0}
    truth, acquisition, _ = simulate_recipe(load_recipe("particles").with_values(values))
    assert isinstance(truth, ParticleTruth)
    covariance, detections = point_limits(truth), detect(acquisition)
    print(f"{truth.inside.sum()} particles\n| | missed | {' | '.join(CAUSES.values())} | false |")
    for name, how in VARIANTS.items():
        pair = point_pair(truth, reconstruct(acquisition, **how), None, covariance)
        why = explain_losses(truth, acquisition, pair, detections)
        counts = [sum(why.values()), *(why[cause] for cause in CAUSES), np.count_nonzero(pair.partner < 0)]
        print(f"| {name} | {' | '.join(map(str, counts))} |")


if __name__ == "__main__":
    main()
