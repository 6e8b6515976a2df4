"""The page of degradations: each is what it says, scores answer as they should, and the page is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from scripts import script
from veristem.datasets import CurveSet, DislocationNetwork

page, measure, images = (script(f"docs/scores/{name}.py") for name in ("make", "measure", "images"))
CENTER = np.array([256.0, 256.0, 100.0])


def line(a, b, count=41) -> np.ndarray:
    return np.linspace(a, b, count)


def ring() -> np.ndarray:
    a = np.linspace(0, 2 * np.pi, 61)
    points = np.array([100.0, 400.0, 80.0]) + 60 * np.stack([np.cos(a), np.sin(a), 0 * a], axis=1)
    points[-1] = points[0]
    return points


LINES = [*(line(CENTER, CENTER + 180 * np.array(d)) for d in ([1, 0, 0.2], [-0.6, 0.8, 0], [-0.6, -0.8, 0])), ring()]
LINES += [line([20.0 + 60 * k, 20, 60], [60.0 + 60 * k, 120, 140]) for k in range(4)]


def worse(name: str, strength: float, seed: int = 0) -> CurveSet:
    return CurveSet(tuple(measure.CURVES[name].apply(LINES, strength, np.random.default_rng(seed))))


def test_each_does_what_it_says():
    """Lengths, counts and places, by hand."""
    whole = CurveSet(tuple(LINES)).length_nm
    assert worse("coarse", 1e4).curves_nm[0].shape == (3, 3)
    assert 0.6 * whole <= worse("removed", 0.4).length_nm < whole
    gaps = [round(10 * CurveSet((one,)).length_nm / 1e3) for one in LINES]
    assert whole - worse("broken", 10).length_nm <= 15 * sum(gaps) + 1e-6
    assert worse("spurious", 0.5).length_nm == pytest.approx(1.5 * whole, abs=80)
    assert worse("doubled", 1).length_nm == pytest.approx(2 * whole)
    assert len(worse("bridges", 2).curves_nm) == len(LINES) + 2
    assert worse("unjoined", 1).length_nm == pytest.approx(whole - 3 * 15)
    assert worse("opened", 1).length_nm == pytest.approx(whole - 30)
    for name in measure.CURVES:  # those that change shapes leave what they were given alone
        worse(name, measure.CURVES[name].strengths[-1])
    assert CurveSet(tuple(LINES)).length_nm == whole


@pytest.fixture(scope="module")
def answers():
    """One draw each, of a few lines, at 2 nm a pixel."""
    parts = DislocationNetwork.union([DislocationNetwork.from_polyline(one, np.array([0.2, 0, 0])) for one in LINES])
    points, index = np.unique(np.round(parts.nodes_nm, 9), axis=0, return_inverse=True)
    truth = DislocationNetwork(points, index.reshape(-1)[parts.segments], parts.burgers_nm)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "SEEDS", 1)
        patch.setattr(images, "PIXEL_NM", 2.0)
        patch.setattr(images, "SHAPE", (256, 256))
        lines = truth.chains()
        return measure.curve_answers(truth), measure.mask_answers(lines), measure.disparity_answers(lines)


def response(panel, score: str, way: str) -> np.ndarray:
    return panel.response[list(panel.rows).index(score), list(panel.degradations).index(way)]


ANSWERS = (
    (0, "accuracy_nm", ("shift x", "jitter", "spurious", "doubled"), ("broken", "opened", "too sure")),
    (0, "completeness_nm", ("shift y", "removed"), ("spurious", "doubled", "bridges")),
    (0, "hausdorff_nm", ("shift z", "jitter", "coarse", "removed"), ("too sure",)),
    (0, "recall", ("removed",), ("spurious", "bridges", "doubled")),
    (0, "precision", ("spurious",), ("removed", "broken", "doubled", "opened")),
    (0, "tangent_error_deg", ("jitter",), ("removed", "broken", "too sure")),
    (0, "length_ratio", ("jitter", "removed", "spurious", "doubled"), ("shift x", "shift z", "too sure")),
    (0, "junction_recall", ("unjoined",), ("spurious", "bridges", "opened", "too sure")),
    (0, "betti0_error", ("broken", "unjoined"), ("shift x", "stretch", "too sure")),
    (0, "betti1_error", ("opened",), ("shift z", "stretch")),
    (0, "apls", ("broken", "unjoined"), ("too sure",)),
    (1, "precision", ("shift x", "thick", "blocks", "spurious", "speckle"), ("removed", "broken")),
    (1, "recall, 2 px", ("removed",), ("thick", "blocks", "spurious", "speckle")),
    (1, "cldice", ("removed", "speckle", "spurious"), ()),
    (1, "topological_score", ("thick", "broken", "speckle", "spurious"), ()),
    (2, "epe_px", ("offset", "noise", "outliers"), ()),
    (2, "coverage", ("removed",), ("offset", "noise", "rounded", "outliers")),
    (2, "bad3", ("outliers", "removed", "noise"), ()),
)


@pytest.mark.slow
def test_scores_answer_in_proportion_or_not_at_all(answers):
    """What a score sees moves it one way, the more the stronger; what it is blind to leaves it alone."""
    for panel, score, seen, not_seen in ANSWERS:
        for way in seen:
            found = response(answers[panel], score, way)
            assert np.all(np.diff(found) > -1e-9), (score, way)
            assert found[-1] > measure.SEES, (score, way)
        for way in not_seen:
            assert np.abs(response(answers[panel], score, way)).max() < measure.BLIND, (score, way)


def test_the_page(answers, tmp_path):
    """Its picture, the table in words and the numbers, of every metric."""
    text = page.write_page(answers, tmp_path).read_text(encoding="utf-8")
    assert (tmp_path / "scores" / "scores.png").stat().st_size > 20_000
    for panel in answers:
        for name in panel.rows:
            assert text.count(f"\n| {name} ") >= 2
    assert "| recall | " in text
    assert "nan" not in text.lower().replace("nanometre", "")
