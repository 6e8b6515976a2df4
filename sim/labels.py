"""Where lines and particles show in each view, pixel by pixel."""

from __future__ import annotations

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.geometry import project
from veristem.datasets.network import DislocationNetwork


def label_maps(
    network: DislocationNetwork, visible, directions_rad, focus_nm: float, pixel_nm: float, shape, to_image=None
) -> np.ndarray:
    """(V, rows, columns) uint8: 1 on the projection of a visible segment, 2 on an invisible one, 0 elsewhere."""
    from skimage.draw import line

    first, second = network.ends_nm()
    labels = np.zeros((len(directions_rad), *shape), np.uint8)
    order = np.argsort(visible, kind="stable")  # visible ones are drawn last
    for view, direction in enumerate(directions_rad):
        places = (
            project(p, direction, focus_nm, None if to_image is None else to_image[view]) for p in (first, second)
        )
        ends = [np.floor(place / pixel_nm).astype(int) for place in places]
        for m in order:
            j, i = line(ends[0][m, 1], ends[0][m, 0], ends[1][m, 1], ends[1][m, 0])
            inside = (j >= 0) & (j < shape[0]) & (i >= 0) & (i < shape[1])
            labels[view, j[inside], i[inside]] = 1 if visible[m] else 2
    return labels


def overlaps(
    particles: ParticleDispersion, directions_rad, focus_nm: float, pixel_nm: float, shape, to_image=None
) -> np.ndarray:
    """(V, rows, columns) uint8: number of particles that each pixel shows along the mean direction of each view."""
    from skimage.draw import disk

    labels = np.zeros((len(directions_rad), *shape), np.uint8)
    for view, direction in enumerate(directions_rad):
        at = project(particles.centers_nm, direction, focus_nm, None if to_image is None else to_image[view])
        at = at / pixel_nm - 0.5
        for (x, y), radius in zip(at, particles.radii_nm / pixel_nm):
            labels[(view, *disk((y, x), radius, shape=shape))] += 1
    return labels
