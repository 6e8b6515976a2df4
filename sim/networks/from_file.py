"""The network of a file, in nm, for a material."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from veristem.datasets.crystal import Material, load_material, material_names
from veristem.datasets.errors import InputError
from veristem.datasets.formats import read_network
from veristem.datasets.formats.paradis import burgers_unit_nm, control_file
from veristem.datasets.network import DislocationNetwork

_OFF_LATTICE = 0.03  # of a lattice vector: files hold few digits, and round their |b|
_DEFAULTS = {"fcc": "Al", "bcc": "alpha-Fe", "hcp": "Ti"}  # when nothing tells |b|
_LABELS = {"fcc": "<110>, fcc", "bcc": "<111>, bcc", "hcp": "<11-20>, hcp"}
# lengths at which files write the shortest b, whatever their unit of length: 1, [1 1 1] for 1/2[1 1 1], in units of a
_WRITTEN = {"fcc": (1, 2**0.5, 0.5**0.5), "bcc": (1, 3**0.5, 0.75**0.5), "L1_0": (1, 2**0.5, 0.5**0.5)}


def read_bulk(
    path: str, material: Material, burgers_magnitude_nm: float | None
) -> tuple[DislocationNetwork, list[str]]:
    """The network [nm] and what a user should know about how it was read.

    Lengths of a .data file are in units of |b|: the option's, else burgMag of the control file beside it, else the
    material's. Some such files write [1 1 1], or 1/2[1 1 1] in units of a, for a vector of length 1: that factor is
    taken out. Nothing else is scaled. The network stays in the file's frame, whose rotation to the crystal goes with
    it.

    Raises
    ------
    InputError
        Whatever the reader finds, and when most of the line has Burgers vectors that the material's lattice has not.
    """
    notes, told = [], ""
    if path.endswith(".data"):
        stored = burgers_unit_nm(path)
        control = control_file(path)
        if burgers_magnitude_nm is not None:
            unit, source = burgers_magnitude_nm, "the option"
        elif stored is not None and control is not None:
            unit, source = stored, f"burgMag of {control.name} beside it"
        else:
            unit = material.shortest_burgers_nm
            source = f"the shortest Burgers vector of {material.name}"
        notes.append(f"unit of length {unit:.4g} nm, from {source}")
        told = f"; {notes[0]}"
        network = read_network(path, unit)
        written = _written(network.burgers_nm @ crystal_from(network).T / unit, material)
        if written != 1:
            notes.append(
                f"Burgers vectors multiplied by {1 / written:.4g}, which makes the shortest of {material.name} one "
                "unit of length"
            )
            network = replace(network, burgers_nm=network.burgers_nm / written)
    else:
        network = read_network(path)
    if network.crystal_from_network is not None:
        notes.append("turned into the crystal's axes as the file says")
    burgers = network.burgers_nm @ crystal_from(network).T
    if not burgers.any():
        raise InputError(f"{path}: no Burgers vector found, at least one allowed")
    strange = ~_of_lattice(burgers, material)
    if network.lengths_nm @ strange > 0.5 * network.lengths_nm.sum():
        b = burgers[np.argmax(strange)] / material.a_nm
        raise InputError(
            f"{path}: Burgers vectors such as [{' '.join(f'{i:.3g}' for i in b)}] a found, which {material.name}, "
            f"{material.structure}, has not; the axes of its crystal and its material allowed, one of {_names()}{told}"
        )
    return network, notes


def crystal_from(network: DislocationNetwork) -> np.ndarray:
    """The rotation (3, 3) that takes a network's vectors to crystal axes; where no file tells, it stands in them."""
    return np.eye(3) if network.crystal_from_network is None else network.crystal_from_network


def _of_lattice(burgers_nm, material: Material) -> np.ndarray:
    """(M,) whether each Burgers vector is one of the lattice that the material's own span, or that of a partial."""
    known = material.burgers_vectors_nm()
    volumes = [(abs(np.linalg.det(known[list(three)])), three) for three in combinations(range(len(known)), 3)]
    basis = known[list(min(v for v in volumes if v[0] > 1e-6 * material.a_nm**3)[1])]
    steps = burgers_nm @ np.linalg.inv(basis)
    found = np.all(np.abs(steps - np.rint(steps)) < _OFF_LATTICE, axis=1)
    for partial in [b for way in material.dissociations() for b in way.burgers_nm]:
        off = np.minimum(*(np.linalg.norm(burgers_nm - sign * partial, axis=1) for sign in (1, -1)))
        found |= off < _OFF_LATTICE * material.a_nm
    return np.asarray(found)


def _written(burgers: np.ndarray, material: Material) -> float:
    """The length in the file of the crystal's shortest Burgers vector, which should be 1; 1 if it is none known."""
    known = material.burgers_vectors_nm()
    size = np.linalg.norm(known, axis=1)
    shortest = known[size < 1.05 * size.min()] / size[size < 1.05 * size.min(), None]
    length = np.linalg.norm(burgers, axis=1)
    along = (np.abs(burgers @ shortest.T) > 0.999 * length[:, None]).any(axis=1) & (length > 1e-9)
    for written in _WRITTEN.get(material.structure, ()):
        if along.any() and abs(length[along].min() / written - 1) < 0.01:
            return written
    return 1.0


def guess_material(path: str) -> tuple[str, str]:
    """A material for a network file, and the sentence that says why.

    The family is read off the directions of the shortest Burgers vectors in the crystal's axes: <110> fcc, <111> bcc,
    <11-20> hcp; of that family the material whose |b| is nearest to burgMag of the control file beside it, else a
    default.

    Raises
    ------
    InputError
        When the directions are of no family.
    """
    is_data = path.endswith(".data")
    network = read_network(path, 1.0) if is_data else read_network(path)
    b = network.burgers_nm[np.linalg.norm(network.burgers_nm, axis=1) > 0] @ crystal_from(network).T
    if not len(b):
        raise InputError(f"{path}: no Burgers vector found, at least one allowed")
    size = np.linalg.norm(b, axis=1)
    b = np.abs(b[size < 1.05 * size.min()]) / size.min()
    fits = {
        name: np.abs(np.sort(b, axis=1) - way).max(axis=1) < 0.03
        for name, way in (("fcc", (0.0, 0.5**0.5, 0.5**0.5)), ("bcc", (3**-0.5,) * 3))
    }
    slanted = np.abs(b - (0.5, 0.75**0.5, 0.0)).max(axis=1) < 0.03
    fits["hcp"] = slanted | (slanted.any() & (np.abs(b - (1.0, 0.0, 0.0)).max(axis=1) < 0.03))  # alone, [100] of a cube
    family = max(fits, key=lambda name: fits[name].mean())
    if fits[family].mean() < 0.5:
        raise InputError(
            f"{path}: Burgers vectors along neither <110> nor <111>, nor <11-20> of a hexagonal crystal, found; say "
            f"the `material`, one of {_names()}"
        )
    unit = burgers_unit_nm(path) if is_data else float(size.min())
    label = _LABELS[family]
    if unit is None:
        return _DEFAULTS[family], f"Burgers vectors {label}: {_DEFAULTS[family]} assumed; `material` chooses another"
    magnitude = {
        name: load_material(name).shortest_burgers_nm
        for name in material_names()
        if load_material(name).structure == family
    }
    best = min(magnitude, key=lambda name: abs(magnitude[name] - unit))
    return best, f"Burgers vectors {label}, |b| = {unit:.4g} nm: {best} assumed; `material` chooses another"


def _names() -> str:
    return ", ".join(material_names())
