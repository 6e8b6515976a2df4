"""Glide dislocations like those of `glide`, with superkinks between the Peierls valleys along which they lie."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import between_faces
from veristem.sim.networks.glide import bowed_points
from veristem.sim.networks.population import Population, fill

_HEIGHT_NM = (5.0, 20.0)  # of a superkink: single kinks, one valley high, pile up to these where the line is held
_SLOPE = (2.0, 3.0)  # width of a kink over its height: line tension makes it slope
_REST_NM = 8.0  # mean stretch along a valley between kinks, so that about three come every 100 nm
_STEP_NM = 6.0  # length of a segment: two or more on the steepest kink


def generate(population: Population, rng: np.random.Generator) -> DislocationNetwork:
    """Kinked glide lines until the density is met; see `population.fill`."""

    def line(normal, burgers, size, rng):
        valleys = population.valleys(normal)
        valley = valleys[rng.integers(len(valleys))]
        points = bowed_points(normal, valley, size, rng, _STEP_NM)
        along = np.abs((points - points[0]) @ valley)
        ends = np.minimum(along, along[-1] - along)  # the ends stay on the faces
        height = _kinks(along, rng) * np.clip(ends / _HEIGHT_NM[1], 0, 1)
        kinked = DislocationNetwork.from_polyline(points + height[:, None] * np.cross(normal, valley), burgers)
        return between_faces(kinked, size)

    return fill(population, line, rng)


def _kinks(along: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Heights (K,) over the mean valley at positions along it [nm]: flat stretches joined by slopes."""
    count = 2 + int(along.max() / (_SLOPE[0] * _HEIGHT_NM[0]))
    heights = np.exp(rng.uniform(np.log(_HEIGHT_NM[0]), np.log(_HEIGHT_NM[1]), count))
    chance = rng.uniform(0, 1, count)
    levels = [0.0]
    for h, c in zip(heights, chance):  # the farther from the mean valley, the likelier back to it
        levels.append(levels[-1] + h * np.sign(c - 0.5 - levels[-1] / (2 * _HEIGHT_NM[1])))
    knots = np.cumsum(np.stack([rng.exponential(_REST_NM, count), heights * rng.uniform(*_SLOPE, count)], 1).ravel())
    return np.interp(along, np.concatenate([[0.0], knots]), np.repeat(levels, 2)[:-1])
