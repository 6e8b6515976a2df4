"""The network of a file, in nm, for a material."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from veristem.datasets.crystal import Material, load_material, material_names
from veristem.datasets.errors import InputError
from veristem.datasets.formats import read_network
from veristem.datasets.formats.paradis import burgers_unit_nm
from veristem.datasets.network import DislocationNetwork

_OFF_LATTICE = 0.03  # of a lattice vector: files hold few digits, and round their |b|
_DEFAULTS = {"fcc": "Al", "bcc": "alpha-Fe"}  # when nothing tells |b|


def read_bulk(
    path: str, material: Material, burgers_magnitude_nm: float | None
) -> tuple[DislocationNetwork, list[str]]:
    """The network [nm] and what a user should know about how it was read.

    Lengths of a .data file are in units of |b|: the option's, else burgMag of the .ctrl beside it, else the material's.
    When the file's Burgers vectors are the material's up to one common factor, that factor is taken out (some files
    write [1 1 1] for 1/2[1 1 1]); single vectors are never normalised.

    Raises
    ------
    InputError
        Whatever the reader finds, and when most of the line has Burgers vectors that the material's lattice has not.
    """
    notes = []
    if path.endswith(".data"):
        stored = burgers_unit_nm(path)
        if burgers_magnitude_nm is not None:
            unit, source = burgers_magnitude_nm, "the option"
        elif stored is not None:
            unit, source = stored, "burgMag of the .ctrl beside it"
        else:
            unit = material.shortest_burgers_nm
            source = f"the shortest Burgers vector of {material.name}"
        notes.append(f"unit of length {unit:.4g} nm, from {source}")
        network = read_network(path, unit)
    else:
        network = read_network(path)
    factor = _lattice_factor(network, material)
    if abs(factor - 1) > 0.03:
        notes.append(f"Burgers vectors multiplied by {factor:.4g}, which makes them lattice vectors of {material.name}")
        network = DislocationNetwork(
            network.nodes_nm, network.segments, network.burgers_nm * factor, network.pinned, network.box_nm
        )
    strange = ~_of_lattice(network.burgers_nm, material)
    if network.lengths_nm @ strange > 0.5 * network.lengths_nm.sum():
        b = network.burgers_nm[np.argmax(strange)] / material.a_nm
        raise InputError(
            f"{path}: Burgers vectors such as [{' '.join(f'{i:.3g}' for i in b)}] a found, which {material.name}, "
            f"{material.structure}, has not; the axes of its crystal and its material allowed, one of {_names()}"
        )
    return network, notes


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


def _lattice_factor(network: DislocationNetwork, material: Material) -> float:
    """The factor that makes a network's shortest Burgers vector one of the material's; 1 if none is parallel to it."""
    lengths = np.linalg.norm(network.burgers_nm, axis=1)
    if not len(lengths) or lengths.max() == 0:
        raise InputError("network: no Burgers vector found, at least one allowed")
    shortest = network.burgers_nm[np.argmin(np.where(lengths > 1e-9 * lengths.max(), lengths, np.inf))]
    known = material.burgers_vectors_nm()
    cosine = np.abs(known @ shortest) / np.linalg.norm(known, axis=1) / np.linalg.norm(shortest)
    if cosine.max() < 0.999:
        return 1.0
    return float(np.linalg.norm(known[np.argmax(cosine)]) / np.linalg.norm(shortest))


def guess_material(path: str) -> tuple[str, str]:
    """A material for a network file, and the sentence that says why.

    The family is read off the directions of the shortest Burgers vectors: <110> fcc, <111> bcc; of that family the
    material whose |b| is nearest to burgMag of the .ctrl beside it, else a default.

    Raises
    ------
    InputError
        When the directions are of neither family.
    """
    is_data = path.endswith(".data")
    network = read_network(path, 1.0) if is_data else read_network(path)
    b = network.burgers_nm[np.linalg.norm(network.burgers_nm, axis=1) > 0]
    if not len(b):
        raise InputError(f"{path}: no Burgers vector found, at least one allowed")
    size = np.linalg.norm(b, axis=1)
    ordered = np.sort(np.abs(b[size < 1.05 * size.min()]) / size.min(), axis=1)
    families = {"fcc": (0.0, 0.5**0.5, 0.5**0.5), "bcc": (3**-0.5,) * 3}
    fits = {name: np.abs(ordered - v).max(axis=1) < 0.03 for name, v in families.items()}
    family = max(fits, key=lambda name: fits[name].mean())
    if fits[family].mean() < 0.5:
        raise InputError(
            f"{path}: Burgers vectors along neither <110> nor <111> found; say --material, one of {_names()}"
        )
    unit = burgers_unit_nm(path) if is_data else float(size.min())
    label = {"fcc": "<110>, fcc", "bcc": "<111>, bcc"}[family]
    if unit is None:
        return _DEFAULTS[family], f"Burgers vectors {label}: {_DEFAULTS[family]} assumed; --material chooses another"
    magnitude = {
        name: load_material(name).shortest_burgers_nm
        for name in material_names()
        if load_material(name).structure == family
    }
    best = min(magnitude, key=lambda name: abs(magnitude[name] - unit))
    return best, f"Burgers vectors {label}, |b| = {unit:.4g} nm: {best} assumed; --material chooses another"


def _names() -> str:
    return ", ".join(material_names())
