"""Scores of lines, and the search for the nearest segment that all distances rest on."""

from __future__ import annotations

import numpy as np
import pytest

from scripts import script
from veristem.bench.metrics import nearest
from veristem.bench.metrics.lines import Lines
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork

network = script("docs/scores/scene.py").network
PAIR = np.array([[0.07, 0.0], [-0.07, 0.0]])
COPIES = 4  # of a network of 8 µm in 512 x 512 x 200 nm: denser than an image can show line by line
BY = "NumPy, all points to all segments"


def scene(copies: int) -> tuple[DislocationNetwork, CurveSet]:
    """Truth of a field of 512 nm, and the same with vertices 1 nm off; copies are shifted over each other."""
    rng = np.random.default_rng(0)
    one = network()
    moves = rng.uniform(-100, 100, (copies, 3)) * [1, 1, 0.2]
    truth = DislocationNetwork.union([one.rotated(np.eye(3), to_nm=move) for move in moves])
    return truth, CurveSet(tuple(c + rng.normal(0, 1, c.shape) for c in truth.chains()))


def all_pairs(points: np.ndarray, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest segment of each point, the place on it and the distance; of those equally near that of nearest middle."""
    found = []
    for part in np.array_split(points, len(points) // 200 + 1):
        p, d = part[:, None], stop - start
        at = np.clip(((p - start) * d).sum(axis=-1) / (d**2).sum(axis=-1), 0, 1)
        distance = np.linalg.norm(p - start - at[..., None] * d, axis=-1)
        middle = np.linalg.norm(p - (start + stop) / 2, axis=-1)
        near = distance <= distance.min(axis=1, keepdims=True) + 1e-9
        index = np.where(near, middle, np.inf).argmin(axis=1)
        found.append((index, *(np.take_along_axis(v, index[:, None], axis=1)[:, 0] for v in (at, distance))))
    index, at, distance = (np.concatenate(parts) for parts in zip(*found))
    return index, at, distance


def test_nearest(compare):
    """Of points along a reconstruction to the segments of the truth."""
    truth, found = scene(1)
    lines, points = Lines.of(truth, 10.0), np.ascontiguousarray(Lines.of(found, 10.0).samples[0])
    given = points, lines.start_nm, lines.stop_nm
    kernel, expected = compare(
        "nearest segment",
        f"{len(points)} points, {len(lines.start_nm)} segments",
        lambda: nearest.nearest_segments(*given),
        lambda: all_pairs(*given),
        BY,
        rounds=9,
    )
    np.testing.assert_allclose(kernel[2], expected[2], atol=1e-8)


@pytest.mark.parametrize("copies", [1, COPIES])
def test_curves(compare, monkeypatch, copies):
    """All scores of curves, with their variants, of a dense scene and of one too dense."""
    truth, found = scene(copies)

    def scores() -> dict[str, float | None]:
        return score_curves(truth, found, field_nm=(512.0, 512.0), directions_rad=PAIR)

    def plain() -> dict[str, float | None]:
        with monkeypatch.context() as patch:
            patch.setattr(nearest, "nearest_segments", all_pairs)
            return scores()

    fast, slow = compare(
        "all scores of curves",
        f"{truth.lengths_nm.sum() / 1e3:.0f} µm of line, {len(truth.segments)} segments",
        scores,
        plain,
        f"the same, nearest by {BY}",
        reference_rounds=1 if copies > 1 else 3,
    )
    assert {name for name, value in fast.items() if value is None} == {n for n, value in slow.items() if value is None}
    known = [name for name, value in fast.items() if value is not None]
    assert [fast[name] for name in known] == pytest.approx([slow[name] for name in known], rel=1e-6)
    assert fast["f_score"] == pytest.approx(1, abs=0.02)
    assert fast["hausdorff95_nm"] < 10
