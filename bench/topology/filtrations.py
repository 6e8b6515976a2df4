"""Fifteen ways to grow a binary image: in what order its pixels appear decides what persistence sees.

Each gives every pixel a value in nm; persistence follows the sublevel sets, low values first. Pixel centres lie at
(index + 1/2) times the pixel size, as everywhere; a vector is (x, y) in images and (x, y, z) in volumes. Of a mask X
without a pixel every filtration is constant, and a constant image has no class that lives: its diagrams are empty.

Source: Garin & Tauzin, ICMLA 2019, arXiv:1910.08345; here the ball of the density is Euclidean.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import numpy as np

from veristem.bench.topology.masks import as_mask
from veristem.datasets.shapes import check_positive

RADIUS_NM = 10.0  # of the density, as far as a line may lie from the truth to count as found
NAMES = ("dilation", "density", *(f"height-{i}" for i in range(1, 5)), *(f"radial-{i}" for i in range(1, 10)))

_SIXTHS = np.array([1, 3, 5]) / 6
DIRECTIONS = {
    2: np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]),
    3: np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3),  # corners of a tetrahedron
}
CENTRES = {  # in shares of the field
    2: np.array([[x, y] for y in _SIXTHS for x in _SIXTHS]),
    3: np.array([[x, y, z] for z in (0.25, 0.75) for y in (0.25, 0.75) for x in (0.25, 0.75)] + [[0.5, 0.5, 0.5]]),
}


def filtrations(mask, pixel_nm: float, radius_nm: float = RADIUS_NM) -> dict[str, np.ndarray]:
    """All fifteen of a mask, in the order of `NAMES`.

    Parameters
    ----------
    mask : (Y, X) or (Z, Y, X) of 0 and 1
        Which pixels belong to lines.
    pixel_nm : float
        Size of a pixel, the same along all axes [nm].
    radius_nm : float
        Radius of the density [nm].

    Returns
    -------
    dict of str to array
        Values of the mask's shape [nm]: one dilation, one density, heights along the four `DIRECTIONS` (images: +x, -x,
        +y, -y), radials about the nine `CENTRES` (images: middles of a 3 x 3 grid; volumes: middles of the eight
        octants, then that of the box).

    Raises
    ------
    InputError
        For what is no mask, or a length that is not above zero.
    """
    inside = as_mask("mask", mask)
    size = _size_nm(inside.shape, pixel_nm)
    values = [dilation(inside, pixel_nm), density(inside, pixel_nm, radius_nm)]
    values += [height(inside, direction, pixel_nm) for direction in DIRECTIONS[inside.ndim]]
    values += [radial(inside, share * size, pixel_nm) for share in CENTRES[inside.ndim]]
    return dict(zip(NAMES, values, strict=True))


def height(mask, direction, pixel_nm: float) -> np.ndarray:
    """How far along a direction: <p, v> at each pixel p of the mask, and one pixel beyond the image elsewhere.

    "Beyond" counts from the largest <p, v> of the whole image, not of the mask: so two masks of one shape share it,
    and a single far pixel does not change the life of all classes.

    Parameters
    ----------
    mask : (Y, X) or (Z, Y, X) of 0 and 1
        Which pixels belong to lines.
    direction : (2,) or (3,) float
        Unit vector v, x first.
    pixel_nm : float
        Size of a pixel [nm].
    """
    inside = as_mask("mask", mask)
    centres = _centres_nm(inside.shape, pixel_nm)
    return _outside_last(inside, _sum(v * c for v, c in zip(direction, centres, strict=True)), pixel_nm)


def radial(mask, centre_nm, pixel_nm: float) -> np.ndarray:
    """Distance |p - c| from a centre [nm] at each pixel p of the mask, and one pixel beyond the image elsewhere."""
    inside = as_mask("mask", mask)
    centres = _centres_nm(inside.shape, pixel_nm)
    square = _sum((x - c) ** 2 for x, c in zip(centres, centre_nm, strict=True))
    return _outside_last(inside, np.sqrt(square), pixel_nm)


def density(mask, pixel_nm: float, radius_nm: float = RADIUS_NM) -> np.ndarray:
    """Densest first: radius times the share of a ball around each pixel that is not mask, from 0 to the radius [nm].

    With n(p) = #{q in X: |p - q| <= r} and N the pixels of a full ball, the value is r (1 - n(p) / N): its sublevel
    sets are the superlevel sets of n. The mask ends at the edge of the image.
    """
    from scipy.signal import oaconvolve

    inside = as_mask("mask", mask)
    check_positive("pixel_nm", pixel_nm)
    check_positive("radius_nm", radius_nm)
    reach = int(radius_nm / pixel_nm + 1e-9)
    square = _sum(c**2 for c in np.ogrid[(slice(-reach, reach + 1),) * inside.ndim])
    ball = (square * pixel_nm**2 <= radius_nm**2 * (1 + 1e-9)).astype(float)
    around = oaconvolve(np.pad(inside.astype(float), reach), ball, mode="valid")
    return radius_nm * (1 - np.rint(around) / ball.sum())


def dilation(mask, pixel_nm: float) -> np.ndarray:
    """Distance from each pixel to the nearest of the mask, 0 on it [nm]; 0 everywhere when the mask is empty."""
    from scipy.ndimage import distance_transform_edt

    inside = as_mask("mask", mask)
    check_positive("pixel_nm", pixel_nm)
    if not inside.any():
        return np.zeros(inside.shape)
    return np.asarray(distance_transform_edt(~inside)) * pixel_nm


def units_nm(shape: tuple[int, ...], pixel_nm: float, radius_nm: float = RADIUS_NM) -> np.ndarray:
    """(15,) what each filtration is measured by [nm]: the radius, or the reach of the field for height and radial."""
    size = _size_nm(shape, pixel_nm)
    heights = np.abs(DIRECTIONS[len(shape)]) @ size
    share = CENTRES[len(shape)]
    radials = np.linalg.norm(np.maximum(share, 1 - share) * size, axis=1)
    return np.concatenate([[radius_nm, radius_nm], heights, radials])


def _sum(terms: Iterable[np.ndarray]) -> np.ndarray:
    """Of arrays that are to be broadcast."""
    return reduce(np.add, terms)


def _outside_last(inside: np.ndarray, values: np.ndarray, pixel_nm: float) -> np.ndarray:
    return np.where(inside, values, values.max() + pixel_nm)


def _size_nm(shape: tuple[int, ...], pixel_nm: float) -> np.ndarray:
    check_positive("pixel_nm", pixel_nm)
    return np.array(shape[::-1]) * pixel_nm


def _centres_nm(shape: tuple[int, ...], pixel_nm: float) -> list[np.ndarray]:
    """x, y (and z) of the pixel centres, each to be broadcast [nm]."""
    check_positive("pixel_nm", pixel_nm)
    return [(c + 0.5) * pixel_nm for c in np.ogrid[tuple(slice(n) for n in shape)]][::-1]
