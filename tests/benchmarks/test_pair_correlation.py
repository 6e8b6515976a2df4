"""g(r) of particles in an open film: pairs by their distance, over the parts of shells that lie inside."""

from __future__ import annotations

import numpy as np

from veristem.recon.particles import radial_distribution, radial_distribution_bands

BOX = np.array([800.0, 800.0, 178.0])
EDGES = np.arange(0.0, 151.0, 2.0)
DIRECTIONS = 200


def centers(count: int) -> np.ndarray:
    """Particles without order in a film."""
    return np.random.default_rng(0).uniform(0, 1, (count, 3)) * BOX


def plain_g(points: np.ndarray) -> np.ndarray:
    """All pairs; parts inside by directions spread evenly over a sphere, in the middle of each bin."""
    pairs = np.zeros(len(EDGES) - 1)
    for i in range(len(points) - 1):
        distance = np.linalg.norm(points[i + 1 :] - points[i], axis=1)
        pairs += np.histogram(distance, EDGES)[0]
    n = np.arange(DIRECTIONS) + 0.5
    height, azimuth = 1 - 2 * n / DIRECTIONS, np.pi * (1 + 5**0.5) * n
    around = np.sqrt(1 - height**2)
    directions = np.stack([around * np.cos(azimuth), around * np.sin(azimuth), height], axis=1)
    inside = np.empty(len(EDGES) - 1)
    for k, r in enumerate((EDGES[1:] + EDGES[:-1]) / 2):
        count = 0
        for direction in directions:
            at = points + r * direction
            count += ((at >= 0) & (at <= BOX)).all(axis=1).sum()
        inside[k] = count / DIRECTIONS
    shells = 4 / 3 * np.pi * np.diff(EDGES**3)
    return pairs / (inside * shells * (len(points) - 1) / 2 / BOX.prod())


def test_g(compare):
    """To 150 nm."""
    points = centers(5000)
    found, expected = compare(
        "g(r) to 150 nm",
        f"{len(points)} particles, {len(EDGES) - 1} bins",
        lambda: radial_distribution(points, BOX, EDGES),
        lambda: plain_g(points),
        f"NumPy, all pairs, {DIRECTIONS} directions for what is inside",
        reference_rounds=2,
    )
    np.testing.assert_allclose(found[5:], expected[5:], rtol=1e-3)


def test_interval(alone):
    """95 % of g(r), by tiles drawn again."""
    points = centers(20_000)
    low, high = alone(
        "interval of g(r)",
        f"{len(points)} particles, {len(EDGES) - 1} bins",
        lambda: radial_distribution_bands(points, BOX, EDGES, np.random.default_rng(0)),
        rounds=3,
    )
    assert ((low <= 1) & (high >= 1)).mean() > 0.8
