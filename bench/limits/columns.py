"""What the table of a study holds of limits, by the kind of the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from veristem.bench.limits.line_contrast import line_contrast
from veristem.bench.limits.lines import line_limits
from veristem.bench.limits.points import point_limits
from veristem.bench.scoring import TOLERANCE_NM
from veristem.datasets.kinds import kind_of
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth

Slopes = Callable[[], np.ndarray | None]  # `depth_slopes`, made when they are asked for


@dataclass(frozen=True)
class Limits:
    """Limits of one truth.

    Parameters
    ----------
    given : dict
        As `bench.scoring.score` takes them.
    columns : function of a tolerance [nm] or None
        The columns of a row by name; None where there is no value.
    """

    given: dict[str, Any]
    columns: Callable[[float | None], dict[str, float | None]]


def limits_of(truth: Truth, slopes: Slopes = lambda: None) -> Limits:
    """The limits of a truth; ``slopes`` are asked for where contrast may tell of depth."""
    return _LIMITS[kind_of(truth).name](truth, slopes)


def contrast_of(truth: Truth) -> tuple[float | None, float | None]:
    """Contrast and contrast-to-noise ratio of the lines of a truth; None and None where there are none."""
    return line_contrast(truth) if isinstance(truth, LineTruth) else (None, None)


def _of_lines(truth: LineTruth, slopes: Slopes) -> Limits:
    limits = line_limits(truth, slopes())

    def columns(tolerance_nm: float | None) -> dict[str, float | None]:
        most = tolerance_nm or TOLERANCE_NM
        full, parallax = (limits.typical_nm(values, most) for values in (limits.full_nm, limits.parallax_nm))
        names = ("lateral_limit_nm", "depth_limit_nm", "lateral_parallax_limit_nm", "depth_parallax_limit_nm")
        return _known(dict(zip(names, (*full, *parallax))))

    return Limits({"limits": limits}, columns)


def _of_points(truth: ParticleTruth, slopes: Slopes) -> Limits:
    covariance = point_limits(truth)
    square = covariance[truth.inside][:, [0, 1, 2], [0, 1, 2]]
    found = [square[:, 0] + square[:, 1], square[:, 2]]
    across, deep = (np.sqrt(np.nanmean(s)) if np.isfinite(s).any() else np.nan for s in found)
    typical = _known({"lateral_limit_nm": across, "depth_limit_nm": deep})
    return Limits({"covariance_nm2": covariance}, lambda _: typical)


def _known(values: dict[str, float]) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


_LIMITS = {"dislocations": _of_lines, "particles": _of_points}
