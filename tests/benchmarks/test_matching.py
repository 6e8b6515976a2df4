"""Lines of one view matched with those of another, and finding them in the images."""

from __future__ import annotations

import itertools

import numpy as np

from veristem.recon.contours.ridge import ridge_contours
from veristem.recon.stereo import matching

SIDE, PIXEL_NM = 256, 2.0


def views() -> np.ndarray:
    """Two noisy images with ten dark lines."""
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    image = np.full((2, SIDE, SIDE), 1000.0)
    for view, shift in enumerate((-4, 4)):
        for k in range(10):
            image[view] *= 1 - 0.4 * np.exp(-0.5 * ((x - 0.3 * y - 24 * k - shift) / 3.0) ** 2)
    return np.random.default_rng(0).poisson(image).astype(np.float32)


def plain_candidates(rows, u, v, error, disparity_nm) -> np.ndarray:
    """Where a row meets the segments, which are looked at one by one."""
    found = []
    for curve, u0, u1, v0, v1, sigma, at0, at1 in rows:
        if min(v0, v1) <= v < max(v0, v1):
            share = (v - v0) / (v1 - v0)
            disparity = u0 + share * (u1 - u0) - u
            if disparity_nm[0] <= disparity <= disparity_nm[1]:
                found.append((curve, disparity, np.hypot(error, sigma), at0 + share * (at1 - at0)))
    return np.array(found).reshape(-1, 4)


def plain_viterbi(candidates, step_nm) -> np.ndarray:
    """The cheapest way through all vertices, from each state of one to each of the next."""

    def move(before, now) -> float:
        if before is None or now is None:
            return 0.0 if before is now else matching._SWITCH / 2
        allowed = (matching._SLOPE * step_nm) ** 2 + now[2] ** 2 + before[2] ** 2
        change = matching._NONE * (now[1] - before[1]) ** 2 / allowed
        return min(change, matching._SWITCH) + matching._SWITCH * (now[0] != before[0])

    states = [[*map(tuple, c.tolist()), None] for c in candidates]
    ways = [(0.0 if state is not None else matching._NONE, [n]) for n, state in enumerate(states[0])]
    for before, now in itertools.pairwise(states):
        extended = []
        for n, state in enumerate(now):
            cost, k = min((ways[k][0] + move(other, state), k) for k, other in enumerate(before))
            extended.append((cost + matching._NONE * (state is None), [*ways[k][1], n]))
        ways = extended
    cheapest = min(ways, key=lambda way: way[0])[1]
    return np.array([n if n < len(c) else -1 for n, c in zip(cheapest, candidates)])


def test_lines(compare, monkeypatch):
    """Ten lines with ten, of which each row of pixels meets all."""
    contours = ridge_contours(views(), PIXEL_NM)
    given = (contours, (0, 1), np.array([1.0, 0.0]), (-30.0, 30.0), PIXEL_NM, 6.0)

    def plain():
        with monkeypatch.context() as patch:
            patch.setattr(matching, "_candidates", plain_candidates)
            patch.setattr(matching, "_viterbi", plain_viterbi)
            return matching.match_contours(*given)

    vertices = sum(p.shape[1] for p in matching.match_contours(*given).places_nm)
    found, expected = compare(
        "contours of two views",
        f"{len(contours.curves_nm[0])} with {len(contours.curves_nm[1])}, {vertices} vertices",
        lambda: matching.match_contours(*given),
        plain,
        "loops over segments and states in Python",
    )
    assert len(found.places_nm) == len(expected.places_nm) >= 10
    for one, other in zip(found.places_nm, expected.places_nm):
        np.testing.assert_allclose(one, other)


def test_ridges(alone):
    """Before matching."""
    images = views()
    contours = alone("finding lines", f"2 views of {SIDE}² pixels", lambda: ridge_contours(images, PIXEL_NM))
    assert len(contours.curves_nm[0]) >= 10
