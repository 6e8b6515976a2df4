"""Weights that make one score of thirty distances; `reports/published/topology-weights` in the repository fits them.

Filtrations of one kind share a weight, as no direction of the image is special: four kinds in H0 and H1, eight weights.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

import numpy as np

from veristem.bench.topology.filtrations import NAMES

FILTRATIONS = ("dilation", "density", "height", "radial")
FEATURES = tuple(f"{name}_h{dimension}" for name in FILTRATIONS for dimension in (0, 1))


@lru_cache(maxsize=2)
def load_weights(dimensions: int = 2) -> np.ndarray:
    """(15, 2) weights of all filtrations in H0 and H1 of images (2) or volumes (3), in the order of `NAMES`.

    They are not to be written to.
    """
    name = "weights-3d.json" if dimensions == 3 else "weights.json"
    fitted = json.loads((files("veristem.bench.topology") / name).read_text("utf-8"))["weights"]
    weights = spread(np.array([fitted[name] for name in FEATURES]))
    weights.flags.writeable = False
    return weights


def spread(weights: np.ndarray) -> np.ndarray:
    """(15, 2) weights of all filtrations in H0 and H1 that together do as weights (8,) of their means by kind."""
    kinds = np.array([name.split("-")[0] for name in NAMES])
    spread = np.zeros((len(NAMES), 2))
    for name, weight in zip(FILTRATIONS, weights.reshape(-1, 2), strict=True):
        spread[kinds == name] = weight / np.sum(kinds == name)
    return spread
