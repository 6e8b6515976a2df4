"""Check of the edges of lamellae and grains: they stand where they are, between pixels as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from validation.check import Check
from veristem.datasets import DislocationNetwork
from veristem.datasets.crystal import load_material
from veristem.datasets.geometry import Region
from veristem.datasets.microscope import Microscope
from veristem.reports.style import METHODS
from veristem.sim.foil import Foil
from veristem.sim.grains import Grains
from veristem.sim.images import region_image

_SIDE, _PIXEL, _THICKNESS = 128.0, 2.0, 100.0
_RISES = (1 / 7, 1 / 3, 0.8)  # columns a row


def _edge(rise: float) -> tuple[np.ndarray, np.ndarray]:
    """A field with an edge-on boundary, and how many columns of each row lie on its left, by the grey levels there."""
    along = np.array([1.0, -rise, 0]) / np.hypot(1, rise)
    seeds = np.array([_SIDE / 2, _SIDE / 2, _THICKNESS / 2]) + np.outer([-30, 30], along)
    size = np.array([_SIDE, _SIDE, _THICKNESS])
    regions = Grains(size, seeds, np.array([0.0, 0.001]), np.zeros(2), np.zeros(2))
    far = DislocationNetwork.from_polyline(np.array([[-5e4, -5e4, 0.0], [-5e4, -5e4, _THICKNESS]]), np.zeros(3))
    material = load_material("CoCrFeMnNi")
    g = np.array([np.linalg.norm(material.reciprocal_per_nm((0, 0, 2))), 0.0, 0.0])
    field = (_SIDE, _SIDE)
    foil = Foil(far, material, (0, 0, 2), g, 0.002, field, _THICKNESS, _THICKNESS / 2, False, grains=regions)
    shape = (round(_SIDE / _PIXEL), round(_SIDE / _PIXEL))
    image = region_image(foil, Region((0.0, 0.0), 1e-4), Microscope(convergence_mrad=0.1), _PIXEL, shape)
    left, right = image[:, :1], image[:, -1:]
    return image, ((image - right) / (left - right)).sum(axis=1)


def edges() -> Check:
    """Check 27: where the edge of a lamella stands in every row, by its grey levels, against a straight line."""
    found, off = {}, {}
    for rise in _RISES:
        found[rise] = _edge(rise)
        row = np.arange(len(found[rise][1]))
        straight = _SIDE / 2 / _PIXEL + rise * (row + 0.5 - len(row) / 2)
        off[rise] = found[rise][1] - straight
    return Check(
        "27",
        "Edges of lamellae are no stairs",
        "largest distance of an edge-on boundary, by the grey levels of each row, from where it is; 1/7, 1/3 and 0.8 "
        "columns a row. Pixels that belong to one side or the other leave 0.5",
        "share of each voxel on both sides of the plane",
        float(max(np.abs(one[8:-8]).max() for one in off.values())),
        0.05,
        "px",
        partial(_draw, image=found[_RISES[0]][0], off=off),
    )


def _draw(figure, image, off) -> None:
    left, right = figure.subplots(1, 2)
    middle = image.shape[0] // 2
    left.imshow(image[middle - 16 : middle + 16, middle - 16 : middle + 16], cmap="gray")
    left.set(xticks=[], yticks=[], title="1/7 column a row, pixels of 2 nm")
    for (rise, one), colour in zip(off.items(), METHODS):
        right.plot(one, color=colour, lw=1, label=f"{rise:.2g} columns a row")
    right.set(xlabel="row", ylabel="edge less the plane (px)", ylim=(-0.6, 0.6))
    right.axhline(0.5, color="0.5", lw=0.8, ls=(0, (4, 3)))
    right.axhline(-0.5, color="0.5", lw=0.8, ls=(0, (4, 3)))
    right.legend(fontsize=7)


CHECKS: dict[str, Callable[[], Check]] = {"27": edges}
