"""What every generator needs: the slip systems of the foil, the density wanted, and lines drawn until it is met."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np

from veristem.datasets.crystal import Dissociation
from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import clip, cut_below

_TRIES = 4000  # and one more for every thickness of line wanted


class Faulted(NamedTuple):
    """Lines with the planar faults between them.

    triangles_nm (T, 3, 3): corners, counter-clockwise as seen from the side that the normal points to [nm]. shifts_nm
    (T, 3): shift of the crystal on that side less that on the other [nm].
    """

    network: DislocationNetwork
    triangles_nm: np.ndarray
    shifts_nm: np.ndarray

    @staticmethod
    def of(made: DislocationNetwork | Faulted) -> Faulted:
        """What a generator made, without faults if it says nothing of them."""
        return made if isinstance(made, Faulted) else Faulted(made, np.zeros((0, 3, 3)), np.zeros((0, 3)))

    def moved(self, shift_nm) -> Faulted:
        """The same elsewhere."""
        network = replace(self.network, nodes_nm=self.network.nodes_nm + shift_nm)
        return Faulted(network, self.triangles_nm + shift_nm, self.shifts_nm)

    @staticmethod
    def union(parts: Sequence[Faulted]) -> Faulted:
        """Several side by side."""
        return Faulted(
            DislocationNetwork.union([p.network for p in parts]),
            np.concatenate([p.triangles_nm for p in parts]),
            np.concatenate([p.shifts_nm for p in parts]),
        )


Line = TypeVar("Line", DislocationNetwork, Faulted)


class Population(NamedTuple):
    """A foil to be filled, in the specimen frame.

    normals (S, 3) and burgers_nm (S, 3) of the slip systems [-, nm], g_per_nm (3,) of the reflection [1/nm], size_nm
    (3,) field width, field height and thickness [nm], density_per_nm2 the line length per volume, visible_fraction the
    share of lines with g·b != 0. trim, where boundaries stop lines, cuts a line just drawn: (line, rng) -> line.
    dissociations: into which partials perfect lines split. elastic: shear modulus [GPa] and Poisson's ratio.
    boundaries: a point and the unit normal of each boundary between regions. exit_nm, of a foil that is not even: the
    depth of its exit face at (x, y), and volume_nm3, of its crystal.
    """

    normals: np.ndarray
    burgers_nm: np.ndarray
    g_per_nm: np.ndarray
    size_nm: np.ndarray
    density_per_nm2: float
    visible_fraction: float
    trim: Callable | None = None
    dissociations: tuple[Dissociation, ...] = ()
    elastic: tuple[float, float] = (50.0, 0.3)
    boundaries: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    exit_nm: Callable | None = None
    volume_nm3: float | None = None

    @property
    def length_nm(self) -> float:
        """Line length that meets the density [nm]."""
        return float(self.density_per_nm2 * (self.volume_nm3 or np.prod(self.size_nm)))

    def draw_system(self, rng: np.random.Generator) -> int:
        """A random slip system, visible with the probability wanted."""
        visible = np.abs(self.burgers_nm @ self.g_per_nm) > 1 / 3
        wanted = visible if rng.uniform() < self.visible_fraction else ~visible
        choice = np.flatnonzero(wanted if wanted.any() else np.ones(len(visible), bool))
        return int(rng.choice(choice))

    def of_systems(self, systems) -> Population:
        """The same foil with only those slip systems, by index."""
        return self._replace(normals=self.normals[systems], burgers_nm=self.burgers_nm[systems])

    def system_of(self, normal, burgers_nm) -> int:
        """The slip system with that normal and that Burgers vector, of either sign."""
        b = np.stack([self.burgers_nm - burgers_nm, self.burgers_nm + burgers_nm])
        off = np.linalg.norm(b, axis=2).min(axis=0) / np.linalg.norm(burgers_nm)
        return int(np.argmin(off + np.linalg.norm(self.normals - normal, axis=1)))

    def valleys(self, normal) -> np.ndarray:
        """(K, 3) directions of the Peierls valleys of a slip plane: those of its Burgers vectors."""
        every = self.burgers_nm / np.linalg.norm(self.burgers_nm, axis=1)[:, None]
        return every[np.abs(every @ normal) < 1e-6]

    def cross_slip_normals(self, system: int) -> np.ndarray:
        """(K, 3) normals of the other slip planes that hold the Burgers vector of a slip system."""
        other = np.abs(self.burgers_nm - self.burgers_nm[system]).max(axis=1) < 1e-6
        other[system] = False
        return self.normals[other]

    def length_of(self, network: DislocationNetwork) -> float:
        """Line length within the field [nm]."""
        inside = clip(network, np.zeros(3), self.size_nm)
        return float((inside if self.exit_nm is None else cut_below(inside, self.exit_nm)).lengths_nm.sum())


def fill(population: Population, draw_line: Callable[..., Line], rng: np.random.Generator) -> Line:
    """Lines until the density is met within 5 %, with signs of b that keep the net Burgers vector of the field small.

    Parameters
    ----------
    population : Population
        What is wanted.
    draw_line : callable
        (normal, burgers_nm, size_nm, rng) -> DislocationNetwork of one line, or Faulted.
    rng : numpy.random.Generator
        Of everything random.

    Returns
    -------
    DislocationNetwork or Faulted
        As the lines drawn are.

    Raises
    ------
    InputError
        When no set of lines meets the density.
    """
    target, held = population.length_nm, 0.0
    net = np.zeros(3)
    lines: list[Line] = []
    tries = _TRIES + int(target / population.size_nm[2])
    for _ in range(tries):
        if held >= 0.95 * target:
            return type(lines[0]).union(lines)  # type: ignore[arg-type]
        system = population.draw_system(rng)
        burgers = population.burgers_nm[system]
        burgers = -burgers if net @ burgers > 0 or (net @ burgers == 0 and rng.uniform() < 0.5) else burgers
        line = draw_line(population.normals[system], burgers, population.size_nm, rng)
        if population.trim is not None:
            line = population.trim(line, rng)
        length = population.length_of(Faulted.of(line).network)
        if length > 0 and held + length <= 1.05 * target:
            lines.append(line)
            held += length
            net += burgers
    raise InputError(
        f"specimen.network.density_per_m2: {1e18 * population.density_per_nm2:.3g} found, but {tries} lines drawn do "
        f"not meet it within 5 % in this field (target {target:.0f} nm of line, reached {held:.0f}); choose a larger "
        "field or density"
    )
