"""What is asked before a session: what is in the microscope, what is allowed, what is wished for."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from veristem.bench.plan.setups import Setup
from veristem.datasets.errors import InputError
from veristem.datasets.instruments import Instrument
from veristem.datasets.recipe import Recipe

ELECTRONS_PER_NC = 1e-9 / 1.602176634e-19
_HALF = 0.5  # of the line is to be found where only a depth is wished for: few electrons show what is easy alone
_SHORTEST_US = 0.5  # dwell of a scan without frames: what scan generators do


@dataclass(frozen=True)
class Session:
    """Limits of a session; what is None does not bind.

    Parameters
    ----------
    dose_per_nm2 : float, optional
        Most incident electrons, of all scans together [1/nm²].
    time_s : float, optional
        Longest time of all scans together [s].
    drift_nm_per_s : float
        Of the specimen [nm/s].
    data_GB : float, optional
        Most data [GB].
    """

    dose_per_nm2: float | None = None
    time_s: float | None = None
    drift_nm_per_s: float = 0.0
    data_GB: float | None = None

    def __post_init__(self):
        for field in fields(self):
            value, least = getattr(self, field.name), field.name == "drift_nm_per_s"
            if value is not None and not (np.isfinite(value) and (value > 0 or (least and value == 0))):
                raise InputError(f"`{field.name}`: {value:g} found, a number above 0 allowed")


@dataclass(frozen=True)
class Wish:
    """What a reconstruction should reach; what is None is not asked for.

    Parameters
    ----------
    depth_nm : float, optional
        Largest scatter of depths [nm].
    recall : float, optional
        Least share of the line that is found; half of it where only a depth is wished for.
    """

    depth_nm: float | None = None
    recall: float | None = None

    def __post_init__(self):
        if self.depth_nm is not None and not (np.isfinite(self.depth_nm) and self.depth_nm > 0):
            raise InputError(f"`depth_nm`: {self.depth_nm:g} found, a number above 0 allowed")
        if self.recall is not None and not 0 < self.recall < 1:
            raise InputError(f"`completeness`: {self.recall:g} found, a share between 0 and 1 allowed")

    def met(self, depth_nm: np.ndarray, recall: np.ndarray) -> np.ndarray:
        """Where both are reached."""
        deep = np.asarray(depth_nm) <= (np.inf if self.depth_nm is None else self.depth_nm)
        return deep & (np.asarray(recall) >= (_HALF if self.recall is None else self.recall))

    @property
    def asked(self) -> bool:
        """Whether anything is wished for."""
        return self.depth_nm is not None or self.recall is not None


@dataclass(frozen=True)
class Exposure:
    """How a dose is given: beam current [nA], dwell [us], what both make a scan [1/nm²], time and data of all scans."""

    current_nA: float
    dwell_us: float
    dose_per_nm2: float
    time_s: float
    data_GB: float


def shortest_us(instrument: Instrument) -> float:
    """Shortest dwell of a 4D scan [us]; that of a scan without frames where there is no counter."""
    return _SHORTEST_US if instrument.counter is None else 1e6 / instrument.counter.frames_per_s


def exposure(recipe: Recipe, instrument: Instrument, setup: Setup, dose_per_nm2: float) -> Exposure:
    """Of a dose a scan: as quickly as frames and current allow; the least current where even that is too much."""
    (rows, columns), pixel = recipe.scan.shape, recipe.scan.pixel_nm
    low, high = instrument.current_nA
    framed = setup.kind == "discs" and instrument.counter is not None
    shortest = shortest_us(instrument) if framed else _SHORTEST_US
    charge = dose_per_nm2 * pixel**2 / ELECTRONS_PER_NC * 1e6  # nA us
    dwell = max(shortest, charge / high)
    current = max(low, charge / dwell)
    time = rows * columns * dwell * 1e-6 * setup.scans
    views = len(recipe.with_values(setup.values).microscope.detector.regions(0.0)) * setup.scans
    of_pixel = np.prod(instrument.counter.shape) * (-(-instrument.counter.bits // 8)) if framed else 2 * views  # type: ignore[reportOptionalMemberAccess]
    data = rows * columns * float(of_pixel) * 1e-9
    return Exposure(current, dwell, current * dwell * 1e-6 * ELECTRONS_PER_NC / pixel**2, time, data)


def largest_dose(recipe: Recipe, instrument: Instrument, setup: Setup, session: Session) -> float:
    """Most electrons a scan that the limits of a session allow [1/nm²]; that of the recipe where none binds.

    Raises
    ------
    InputError
        When even the quickest scan by the least current is beyond a limit: limits that contradict each other.
    """
    own = recipe.microscope.current_nA * recipe.scan.dwell_us * 1e-6 * ELECTRONS_PER_NC / recipe.scan.pixel_nm**2
    found = [session.dose_per_nm2 / setup.scans] if session.dose_per_nm2 else []
    least = exposure(recipe, instrument, setup, 0.0)
    if session.time_s:
        if least.time_s > session.time_s * (1 + 1e-9):
            raise InputError(
                f"`time_s`: {session.time_s:g} s found, {setup.text} takes at least {least.time_s:.3g} s; fewer pixels "
                "or another set-up allowed"
            )
        found.append(instrument.current_nA[1] * session.time_s / least.time_s * least.dwell_us * 1e-6 * ELECTRONS_PER_NC
                     / recipe.scan.pixel_nm**2)  # fmt: skip
    dose = min(found) if found else own
    if least.dose_per_nm2 > dose * (1 + 1e-9):
        raise InputError(
            f"`dose_per_nm2`: {dose * setup.scans:.3g} electrons/nm² found, {setup.text} gives at least "
            f"{least.dose_per_nm2 * setup.scans:.3g} at {least.current_nA:g} nA and {least.dwell_us:g} us"
        )
    if session.data_GB and least.data_GB > session.data_GB:
        raise InputError(f"`data_GB`: {session.data_GB:g} GB found, {setup.text} makes {least.data_GB:.3g} GB")
    return dose
