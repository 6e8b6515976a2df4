"""Topological distances of a mask from the truth, and one score of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.bench.topology.diagrams import Diagrams, diagrams
from veristem.bench.topology.distances import distance
from veristem.bench.topology.filtrations import filtrations, units_nm
from veristem.bench.topology.masks import as_mask
from veristem.datasets.errors import InputError


@dataclass(frozen=True, eq=False)
class Topology:
    """What persistence sees of a mask.

    Parameters
    ----------
    diagrams : tuple of 15 (h0, h1)
        Of each filtration, in the order of `filtrations.NAMES`, all with their default radius.
    length_nm : float
        Length of its lines: pixels of its skeleton times their size [nm]. Slanting lines come out short.
    shape : tuple of int
        Shape of the mask.
    pixel_nm : float
        Size of a pixel [nm].
    """

    diagrams: tuple[Diagrams, ...]
    length_nm: float
    shape: tuple[int, ...]
    pixel_nm: float

    @staticmethod
    def of(mask, pixel_nm: float) -> Topology:
        """Of a mask (Y, X) or (Z, Y, X) of 0 and 1; a volume takes its time, as GUDHI has no fast path for it.

        Raises
        ------
        InputError
            For what is no mask, or a pixel size that is not above zero.
        """
        from skimage.morphology import skeletonize

        inside = as_mask("mask", mask)
        found = tuple(diagrams(values) for values in filtrations(inside, pixel_nm).values())
        return Topology(found, float(skeletonize(inside).sum()) * pixel_nm, inside.shape, pixel_nm)


def distances_nm(found: Topology, truth: Topology, kind: str = "wasserstein-1") -> np.ndarray:
    """(15, 2) distances in H0 and H1 of each filtration [nm]; ``kind`` as in `distances.distance`.

    Raises
    ------
    InputError
        For masks of different shape or pixel size.
    """
    if found.shape != truth.shape or found.pixel_nm != truth.pixel_nm:
        raise InputError(
            f"masks: {found.shape} of {found.pixel_nm} nm against {truth.shape} of {truth.pixel_nm} nm found, "
            "one shape and pixel size allowed"
        )
    pairs = zip(found.diagrams, truth.diagrams, strict=True)
    return np.array([[distance(a, b, kind) for a, b in zip(*pair, strict=True)] for pair in pairs])


def relative_distances(found: Topology, truth: Topology) -> np.ndarray:
    """(15, 2) Wasserstein-1 distances a micrometre of true line, in units of the filtration [1/µm].

    A sum over classes grows with the length of line in the mask, and the life of a class with the reach of the
    filtration; masks of different size and density compare without both. The unit is `filtrations.units_nm`; a truth
    shorter than the shortest side of its field, or empty, counts as one line along that side.
    """
    length_nm = max(truth.length_nm, min(truth.shape) * truth.pixel_nm)
    units = units_nm(truth.shape, truth.pixel_nm)
    return distances_nm(found, truth) / units[:, None] / (1e-3 * length_nm)


def topological_score(found: Topology, truth: Topology) -> float:
    """Weighted sum of `relative_distances`: 0 for the truth, more the more is wrong.

    The weights are those that ship for images and for volumes (`reports/published/topology-weights` fits them): the
    score estimates how many places are wrong a micrometre of line, in the sense of `degradations.degrade` [1/µm]. Those
    of volumes are of tubes of 6.4 nm radius in voxels as large.

    Raises
    ------
    InputError
        For masks of different shape or pixel size.
    """
    from veristem.bench.topology.weights import load_weights

    return float((load_weights(len(truth.shape)) * relative_distances(found, truth)).sum())
