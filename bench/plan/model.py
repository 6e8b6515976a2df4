"""How well a method does, from what the images show: fitted to a study, and shipped with how far it was off.

With CNR the contrast-to-noise ratio of 20 nm of line or of a particle, phi the angle of the pair and q the share of the
image that is covered (length of line per area times 10 nm, or the area of the particles), depths scatter by
ln sigma = c0 - c1 ln(CNR / 20) - c2 ln(phi / 8 deg) + c3 ln(q / 0.03), and the shares found and F follow
logit = c0 + c1 ln(CNR / 20) - c2 ln(q / 0.03) + c3 ln(phi / 8 deg), with no
coefficient below 0 but c0. That is the limit, which falls as CNR and angle rise, times an efficiency that follows the
same three: methods gain less from electrons than the limit does. Particles, which methods find about as well as the
limit says, have ln sigma = ln(limit) + c0 + c1 ln(q / 0.03).
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from veristem.bench.plan.films import covered
from veristem.bench.plan.signals import Signal
from veristem.datasets.errors import InputError
from veristem.datasets.kinds import KINDS
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations, Generated
from veristem.recon.methods import methods_of

WIDTH_NM = 10.0  # of a line in projection, to count how densely they lie
_LOGISTIC = ("recall", "f_score")
TARGETS = (*_LOGISTIC, "depth_nm")
_START, _LEAST, _MOST = (1.0, 0.3, 0.3, 0.1), (-9.0, 0.0, 0.0, 0.0), (9.0, 5.0, 5.0, 5.0)
_BY_LIMIT = (0.1, 0.1)
_ENDS = 0.005  # a share is not nearer to 0 or 1 than that


def features(signal: Signal, dose_per_nm2, crowding: float) -> np.ndarray:
    """(..., 4): angle [deg], contrast-to-noise ratio, share of the image that is covered, and limit in depth [nm].

    Parameters
    ----------
    signal : Signal
        Of the set-up.
    dose_per_nm2 : float or array
        Incident electrons a scan [1/nm²].
    crowding : float
        Share of the image that is covered.
    """
    root = np.sqrt(np.asarray(dose_per_nm2, float))
    columns = (signal.angle_deg, signal.cnr * root, crowding, signal.limit_nm / root)
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def crowding_of(recipe: Recipe) -> float:
    """How much of the image is covered: length of visible line per area times 10 nm, or the area of all particles.

    Raises
    ------
    InputError
        Where no density is told: a network or particles from a file.
    """
    table = recipe.specimen
    if not isinstance(table, Dislocations):
        return covered(recipe)
    if not isinstance(network := table.network, Generated):
        raise InputError("specimen.network.file: a file found, a density allowed (specimen.network.density_per_m2)")
    return max(network.visible_fraction * network.density_per_m2 * 1e-18 * table.thickness_nm * WIDTH_NM, 1e-6)


def link(target: str, values) -> np.ndarray:
    """Shares as logits, lengths as logarithms: the scale on which errors are alike."""
    values = np.asarray(values, float)
    if target in _LOGISTIC:
        values = np.clip(values, _ENDS, 1 - _ENDS)
        return np.log(values / (1 - values))
    return np.log(np.maximum(values, 1e-3))


def unlink(target: str, values) -> np.ndarray:
    """Back from `link`."""
    values = np.asarray(values, float)
    return 1 / (1 + np.exp(-values)) if target in _LOGISTIC else np.exp(values)


def curve(target: str, parameters, x: np.ndarray) -> np.ndarray:
    """The model on the scale of `link`, of features (..., 4); with two parameters that of depths by their limit."""
    angle, cnr, crowding, limit = np.moveaxis(np.asarray(x, float), -1, 0)
    if len(parameters) == len(_BY_LIMIT):
        return np.log(limit) + parameters[0] + parameters[1] * np.log(crowding / 0.03)
    c0, c1, c2, c3 = parameters
    if target in _LOGISTIC:
        return c0 + c1 * np.log(cnr / 20) - c2 * np.log(crowding / 0.03) + c3 * np.log(angle / 8)
    return c0 - c1 * np.log(cnr / 20) - c2 * np.log(angle / 8) + c3 * np.log(crowding / 0.03)


def fit(target: str, x: np.ndarray, y: np.ndarray, weight: np.ndarray, by_limit: bool = False) -> np.ndarray:
    """Parameters of one target: features (N, 4), measured values (N,) and weights (N,); robust least squares."""
    from scipy.optimize import least_squares

    start = np.array(_BY_LIMIT if by_limit else _START)
    known = np.isfinite(y) & np.isfinite(x).all(axis=-1)
    aim, root = link(target, y[known]), np.sqrt(weight[known])
    found = least_squares(
        lambda p: root * (curve(target, p, x[known]) - aim),
        start,
        bounds=(_LEAST[: len(start)], _MOST[: len(start)]),
        loss="soft_l1",
    )
    return found.x


@cache
def shipped() -> dict[str, Any]:
    """The fitted model that ships: by method and target its parameters and spreads."""
    place = resources.files("veristem.bench.plan").joinpath("model.json")
    return json.loads(place.read_text(encoding="utf-8"))


def methods(kind: str | None = None) -> list[str]:
    """Methods that the model knows, of a kind of specimen; the one taken when none is named first."""
    known = sorted(shipped()["methods"], key=lambda name: (not name.endswith("-learned"), name))
    return [name for name in known if kind is None or name in methods_of(kind)]


def check_method(method: str, kind: str | None = None) -> None:
    """Refuse, with InputError, a method that was not in the study, or is of another kind of specimen."""
    if method not in methods(kind):
        of = "" if kind is None else f" for {KINDS[kind].things}"
        raise InputError(f"`method`: {method!r} found, the planner knows {', '.join(methods(kind))}{of}")


def predict(method: str, target: str, x: np.ndarray) -> np.ndarray:
    """(..., 3): expected value and its brackets, of features (..., 4): a share, or a depth [nm].

    Raises
    ------
    InputError
        For a method that was not in the study.
    """
    check_method(method)
    of = shipped()["methods"][method][target]
    middle = curve(target, of["parameters"], x)
    ends = of["spread"] * np.array([0.0, -1.0, 1.0])  # 1.96 standard deviations over kinds left out
    return unlink(target, middle[..., None] + ends)
