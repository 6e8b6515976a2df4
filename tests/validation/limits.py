"""Checks of the smallest errors that physics allows: errors of their size score 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from validation.check import Check
from veristem.bench.limits.lines import LineLimits, line_limits
from veristem.bench.scoring import score_curves
from veristem.datasets import CurveSet, DislocationNetwork, LineTruth
from veristem.datasets.recipe import load_recipe
from veristem.reports.style import METHODS

NAME = "depth_sigma_over_limit"
_CUT = "depth_rmse_nm_over_parallax_limit"
_SIDE, _PIXEL, _THICKNESS, _WIDTH = 512.0, 2.0, 200.0, 4.0


def drawn(pair_angle_deg: float, dose: float = 500.0) -> LineTruth:
    """Dark bands in two views of a foil: ten lines across the pair, rising and falling about the focus plane."""
    size = round(_SIDE / _PIXEL)
    y, x = (np.mgrid[:size, :size] + 0.5) * _PIXEL
    theta = np.radians(pair_angle_deg / 2)
    lines, views, labels = [], [], []
    for number in range(10):
        rise = 0.2 * (-1) ** number
        ends = [[25 + 50.0 * number, at, _THICKNESS / 2 + rise * (at - _SIDE / 2)] for at in (0.0, _SIDE)]
        lines.append(DislocationNetwork.from_polyline(np.array(ends), np.array([0.25, 0.0, 0.0])))
    for tangent in np.tan([theta, -theta]):
        away = [x - (25 + 50 * n) + 0.2 * (-1) ** n * (y - _SIDE / 2) * tangent for n in range(10)]
        views.append(dose * (1 - 0.2 * sum(np.exp(-((a / _WIDTH) ** 2) / 2) for a in away)))
        labels.append((np.abs(away).min(axis=0) < _PIXEL).astype(np.uint8))
    recipe = load_recipe("cantor-small").with_values({
        "specimen.field_nm": [_SIDE, _SIDE], "scan.shape": [size, size], "scan.pixel_nm": _PIXEL
    })  # fmt: skip
    ones = np.ones(len(lines))
    return LineTruth(
        DislocationNetwork.union(lines), ones, 0 * ones, ones > 0, np.array(views, np.float32), np.array(labels),
        np.array([[theta, 0.0], [-theta, 0.0]]), (_SIDE, _SIDE), _THICKNESS, _THICKNESS / 2,
        recipe.model_dump(mode="json"),
    )  # fmt: skip


def scattered(limits: LineLimits, scale: float, rng: np.random.Generator) -> CurveSet:
    """Every piece of the truth for itself, off in depth and aside by its own errors, normal ones of so many limits."""
    curves = []
    for number, length in enumerate(limits.length_nm):
        points = limits.points_nm[limits.piece == number]
        along = (points[-1] - points[0]) / np.linalg.norm(points[-1] - points[0])
        across, deep = limits.parallax_nm[number] * np.sqrt(20 / length) * [1, 1 / (1 - along[2] ** 2)]
        curves.append(points + scale * rng.normal(size=2) @ [[across, 0, 0], [0, 0, deep]])
    return CurveSet(tuple(curves))


def fair_limits() -> Check:
    """Check 25: truth with normal errors of the size of the limit, piece by piece, at four angles and two seeds."""
    angles, rows = (2.0, 4.0, 8.0, 12.0), []
    for angle in angles:
        truth = drawn(angle)
        limits = line_limits(truth)
        found = [scattered(limits, 1.0, np.random.default_rng(seed)) for seed in (2, 4)]
        scores = [score_curves(truth, one, limits=limits) for one in found]
        names = (NAME, NAME + "_low", NAME + "_high", _CUT)
        rows.append([[score[name] for name in names] for score in scores])
    value, low, high, cut = np.moveaxis(np.array(rows, float), 2, 0)
    return Check(
        "25",
        "Errors of the size of the limit",
        "largest |score − 1| over half its interval of 95 %: `depth_sigma_over_limit` of truth with normal errors of "
        "the limit, at 2, 4, 8 and 12°; the root mean square of what is within 10 nm, over the limit, beside it",
        "Cramér–Rao bound; 260 pieces of 20 nm",
        float((np.abs(value - 1) / ((high - low) / 2)).max()),
        1.0,
        "",
        partial(_draw_scores, angles=angles, value=value, low=low, high=high, cut=cut),
    )


def _draw_scores(figure, angles, value, low, high, cut):
    ax = figure.subplots()
    for shift, colour, one in zip((-0.08, 0.08), METHODS, range(2)):
        bars = [value[:, one] - low[:, one], high[:, one] - value[:, one]]
        name = "scatter over limit" if one == 0 else "the same, other errors"
        ax.errorbar(np.array(angles) + shift, value[:, one], bars, fmt="o", color=colour, ms=4, capsize=2, label=name)
        ax.plot(
            angles, cut[:, one], "s--", color=colour, ms=3, mfc="none", lw=0.8, label="RMSE within 10 nm over limit"
        )
    ax.axhline(1, color="0.3", lw=0.8)
    ax.set(xlabel="angle of the pair (°)", ylabel="over the limit", ylim=(0, 1.5))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)


CHECKS: dict[str, Callable[[], Check]] = {"25": fair_limits}
