"""The answer: every way to take the images that a session allows, and which cannot be told from the best."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

from veristem.bench.plan.model import check_method, crowding_of, features, methods, predict, shipped
from veristem.bench.plan.question import Exposure, Session, Wish, exposure, largest_dose
from veristem.bench.plan.setups import KINDS, Setup, setups_of
from veristem.bench.plan.signals import Signal, signals_of
from veristem.bench.plan.warnings import warnings_of
from veristem.datasets.errors import InputError
from veristem.datasets.instruments import Instrument
from veristem.datasets.recipe import Recipe

LEAST_RECALL = 0.1  # how much less than the best may be found, where no completeness is wished for
_DOSES = np.geomspace(30.0, 3e6, 121)  # incident electrons a scan [1/nm²]
SHARE = 0.2  # of the conditions, at most, that are recommended


@dataclass(frozen=True, eq=False)
class Option:
    """One set-up at one exposure.

    Parameters
    ----------
    setup, signal, shot : Setup, Signal, Exposure
        What is chosen, what shows in it, how it is exposed.
    depth_nm, recall, f_score : (3,) float
        Expected scatter of depths [nm], share found and F (of lines at 20 nm), each with its brackets.
    limit_nm : float
        Smallest scatter in depth that the counted electrons allow for 20 nm of line, or for a particle.
    warnings : tuple of str
        In words.
    """

    setup: Setup
    signal: Signal
    shot: Exposure
    depth_nm: np.ndarray
    recall: np.ndarray
    f_score: np.ndarray
    limit_nm: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """What is answered.

    Parameters
    ----------
    number : str
        To quote: names the version, the model and all that was asked.
    recipe, instrument, method, session, wish
        The question.
    options : list of Option
        One a set-up, the best first.
    chosen : int
        How many of the first cannot be told from the best.
    met : bool
        Whether the wish is met by the first.
    refused : list of (Setup, str)
        Set-ups that the limits exclude, and why.
    fronts : dict
        By kind of set-up (doses of all scans (D,), depth (D,), recall (D,)) of the best of that kind at each dose.
    """

    number: str
    recipe: Recipe
    instrument: Instrument
    method: str
    session: Session
    wish: Wish
    options: list[Option]
    chosen: int
    met: bool
    refused: list[tuple[Setup, str]]
    fronts: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]

    @property
    def crowding(self) -> float:
        """Share of the image that is covered, as `model.crowding_of`."""
        return crowding_of(self.recipe)


def plan(
    recipe: Recipe,
    instrument: Instrument,
    *,
    session: Session,
    wish: Wish,
    method: str | None = None,
    kinds: Sequence[str] = tuple(KINDS),
    say: Callable[[str], object] = lambda _: None,
    progress: Callable[[Iterable, int], Iterable] = lambda groups, _: groups,
) -> Plan:
    """Conditions for a session: with a wish the least dose that meets it, else the best that the limits allow.

    Parameters
    ----------
    recipe : Recipe
        Of the foil (material, g, thickness, density) or film (particles, concentration, thickness), and the scan.
    instrument : Instrument
        What can be chosen.
    session, wish : Session, Wish
        Limits and aim.
    method : str, optional
        That will reconstruct; one that the model knows. The learned one if not given.
    kinds : sequence of str
        Of `setups.KINDS`.
    say : callable
        Gets a line when foils have to be imaged first.
    progress : callable
        As of `signals_of`.

    Raises
    ------
    InputError
        For what the microscope has not, a method that the model does not know, or limits that exclude every set-up.
    """
    crowding = crowding_of(recipe)
    setups = setups_of(instrument, recipe.microscope.energy_keV, kinds)
    method = methods(recipe.specimen.kind)[0] if method is None else method
    check_method(method, recipe.specimen.kind)  # before specimens are imaged
    refused, allowed = [], []
    for setup in setups:
        if recipe.specimen.kind == "particles" and setup.scans > 1:
            refused.append((setup, f"`setup`: {setup.text} found, {method} takes views of particles from one scan"))
            continue
        try:
            allowed.append((setup, largest_dose(recipe, instrument, setup, session)))
        except InputError as error:
            refused.append((setup, str(error)))
    if not allowed:
        raise InputError(f"{refused[0][1]}; no set-up is left")
    signals = signals_of(recipe, [setup for setup, _ in allowed], say, progress=progress)
    options = []
    for (setup, most), signal in zip(allowed, signals):
        dose = _least_dose(method, signal, crowding, wish, most) if wish.asked else most
        options.append(_option(recipe, instrument, setup, signal, method, crowding, dose, session))
    met = np.array([bool(wish.met(o.depth_nm[0], o.recall[0])) for o in options])
    order, chosen = ranked(
        np.array([o.depth_nm[0] for o in options]),
        np.array([o.recall[0] for o in options]),
        wish,
        method,
        np.array([o.shot.dose_per_nm2 * o.setup.scans for o in options]),
    )
    fitted = shipped()["methods"][method]["made"]
    asked = json.dumps([recipe.model_dump(mode="json"), instrument.model_dump(mode="json"), asdict(session),
                        asdict(wish), method, list(kinds), fitted], sort_keys=True)  # fmt: skip
    number = f"VS-{version('veristem')}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"
    fronts = _fronts(method, crowding, [setup for setup, _ in allowed], signals)
    return Plan(number, recipe, instrument, method, session, wish, [options[i] for i in order], chosen,
                bool(met[order[0]]) or not wish.asked, refused, fronts)  # fmt: skip


def ranked(depth_nm, recall, wish: Wish, method: str, dose=None) -> tuple[np.ndarray, int]:
    """Order of options (N,), the best first, and how many of the first cannot be told from the best.

    With a wish, those that meet it by the least dose come first; else those that find enough, by depth. What cannot be
    told apart differs by less than twice the spread of such differences, or takes at most a quarter more dose for the
    wish, and is at most a fifth of all.

    Parameters
    ----------
    depth_nm, recall : (N,) float
        Predicted.
    wish : Wish
        Aim.
    method : str
        Whose spread of differences is taken.
    dose : (N,) float, optional
        Of each, for a wish.
    """
    apart = shipped()["methods"][method]["depth_nm"]["apart"]
    enough = recall >= (recall.max() - LEAST_RECALL if wish.recall is None else wish.recall)
    met = wish.met(depth_nm, recall) if wish.asked else enough
    score = np.log(depth_nm)
    if wish.asked and met.any() and dose is not None:
        order = np.lexsort((score, dose, ~met))
        return order, int(max(1, min((dose[met] <= 1.25 * dose[met].min()).sum(), np.ceil(SHARE * len(order)))))
    order = np.lexsort((score, ~enough))
    close = enough & (score <= score[order[0]] + 2 * apart)
    return order, int(max(1, min(close.sum(), np.floor(SHARE * len(order)))))


def expected(method: str, signal: Signal, dose_per_nm2, crowding: float) -> dict[str, np.ndarray]:
    """Predictions (..., 3) by target for doses a scan."""
    x = features(signal, dose_per_nm2, crowding)
    return {target: predict(method, target, x) for target in ("depth_nm", "recall", "f_score")}


def _least_dose(method: str, signal: Signal, crowding: float, wish: Wish, most: float) -> float:
    """Smallest dose a scan that meets a wish; the largest allowed where none does."""
    doses = _DOSES[most >= _DOSES]
    if not len(doses):
        return most
    found = expected(method, signal, doses, crowding)
    good = wish.met(found["depth_nm"][:, 0], found["recall"][:, 0])
    return float(doses[np.argmax(good)]) if good.any() else most


def _option(recipe, instrument, setup, signal, method, crowding, dose, session) -> Option:
    shot = exposure(recipe, instrument, setup, dose)
    found = expected(method, signal, shot.dose_per_nm2, crowding)
    limit = signal.limit_nm / np.sqrt(shot.dose_per_nm2)
    told = tuple(warnings_of(recipe, instrument, setup, signal, shot, session))
    return Option(setup, signal, shot, found["depth_nm"], found["recall"], found["f_score"], float(limit), told)


def _fronts(method: str, crowding: float, setups: Sequence[Setup], signals: Sequence[Signal]) -> dict:
    """Best depth error against the dose of all scans, for each kind of set-up, among those that find enough."""
    fronts = {}
    for kind in dict.fromkeys(setup.kind for setup in setups):
        of = [(setup, signal) for setup, signal in zip(setups, signals) if setup.kind == kind]
        found = [expected(method, signal, _DOSES / setup.scans, crowding) for setup, signal in of]
        depth = np.array([f["depth_nm"][:, 0] for f in found])
        recall = np.array([f["recall"][:, 0] for f in found])
        depth = np.where(recall >= recall.max(axis=0) - LEAST_RECALL, depth, np.inf)
        best = depth.argmin(axis=0)
        every = np.arange(len(_DOSES))
        fronts[kind] = (_DOSES, depth[best, every], recall[best, every])
    return fronts
