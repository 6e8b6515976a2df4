"""Rays through a foil: which directions a detector region needs, and what the defects do along each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numba
import numpy as np

from veristem.datasets.geometry import Region, directions_of
from veristem.sim.elasticity.octaves import check_memory
from veristem.sim.elasticity.voxels import Strain

_GRID = 400  # points across a region or a cone when its directions are binned, as in Region.fraction
# samples of s for each thickness fringe, period 1/t: above 1 two beams do not alias; those of a row beat faster
_PAIR, _ROW = 1.2, 2.4
_PANEL_NM = 0.7  # a pixel near a line has a ray in each, along x and y
_FAINT = 1e-3  # of the direct beam, what other beams count in the mean direction of rays
_TURNS = 3  # most strips that do
_LEAST = 24  # samples of s across the region or cone, whichever is smaller, however narrow


class Bundle(NamedTuple):
    """Rays that share one shear of the foil and one reflection.

    theta_rad (2,): their incidence. sign: 1 or -1, the reflection is sign g. s (k,): its excitation errors [1/nm].
    weight (V, beams, k): share of all electrons of the cone that each region could receive through each beam, the
    direct and the diffracted one or those of a row. rays: the incidences (N, 2) behind each number of weight, by
    region, beam and k, all of the same share. back: whether theta_rad and s are those of directions on the detector,
    which receive of each beam, instead of incidences.
    """

    theta_rad: np.ndarray
    sign: int
    s: np.ndarray
    weight: np.ndarray
    rays: tuple[tuple[tuple[np.ndarray, ...], ...], ...]
    back: bool = False


class Illumination(NamedTuple):
    """What reaches a foil, and what of the foil decides where it goes.

    Parameters
    ----------
    convergence_rad : float
        Semi-angle of the cone [rad].
    g_xy_per_nm : (2,) float
        Reflection in the image plane [1/nm].
    wavelength_nm : float
        Of the electrons [nm].
    s0_per_nm : float
        Excitation error of the axial ray [1/nm].
    thickness_nm : float
        Of the foil along the rays [nm]: neighbouring s differ by less than a thickness fringe.
    beams : int
        2 for two-beam cases, more for a systematic row.
    """

    convergence_rad: float
    g_xy_per_nm: np.ndarray
    wavelength_nm: float
    s0_per_nm: float
    thickness_nm: float
    beams: int = 2


def row_orders(beams: int) -> np.ndarray:
    """Orders n of the beams of a systematic row about n = 0; the odd one of an even number lies towards g."""
    return np.arange(beams) - (beams - 1) // 2


def bundles(regions: Sequence[Region], light: Illumination, shear_nm: Sequence[float] = (1.0, 2.5)) -> list[Bundle]:
    """The incidences that reach some detector regions about one centre, binned by shear and by excitation error.

    Beam n of the incidence theta leaves at theta + n lambda g, so a region may lie anywhere, beyond the cone as well.
    With two beams every detector angle within the cone shows both ends of one two-beam case, that of the nearer Bragg
    line, so that without absorption a wide cone stays flat; an angle beyond the cone shows what its neighbour in the
    cone loses to it. No electron is lost or counted twice (docs/conventions.md). A row counts all of its beams.
    The strips along g of a row sample s in turn, so that together they sample it finely. The bins are those of all
    regions together, so that their images add up to that of all; rays share one if the same regions receive them, so
    that each region sees from its own mean direction.

    Parameters
    ----------
    regions : sequence of Region
        Of the detector.
    light : Illumination
        Cone, reflection and foil.
    shear_nm : two float
        Steps, between the faces of the foil, from one direction to the next, along g and across it. The one along g
        is finer: which rays show a line and where they show it go together, so that a coarse one shifts the line.
    """
    incidence, detector, sign, beam, share, member = _transfers(regions, light)
    across = 2 * min(max(region.outer_rad for region in regions), light.convergence_rad)
    # beams of a row that reach one direction of a small region all come from one run, back from the detector
    back = light.beams > 2 and _by_detector(regions, light)
    along = detector if back else incidence
    per_fringe = _ROW if light.beams > 2 else _PAIR
    parts = _binned(along, incidence, sign, beam, share, member, light, across, shear_nm, per_fringe)
    return [part._replace(back=back) for part in parts]


def cone(light: Illumination, shear_nm: Sequence[float], per_fringe: float) -> list[Bundle]:
    """All incidences of the cone, each once: weight (1, beams, k) is their share, that of the first beam alone.

    ``per_fringe`` samples of s are taken for each thickness fringe, by strips together. See `bundles`.
    """
    theta = Region((0.0, 0.0), light.convergence_rad).directions(light.convergence_rad, _GRID)
    sign = _nearer(theta, light) if light.beams == 2 else np.ones(len(theta), int)
    every, beam = np.ones((1, len(theta)), bool), np.zeros(len(theta), int)
    across = 2 * light.convergence_rad
    return _binned(theta, theta, sign, beam, 1 / len(theta), every, light, across, shear_nm, per_fringe)


def _binned(
    theta, incidence, sign, beam, share: float, member, light: Illumination, across_rad: float, shear_nm, per_fringe
) -> list[Bundle]:
    """Bundles of rays along ``theta`` (N, 2), each of a ``share`` of the cone, that regions (V, N) see by a beam."""
    g, thickness_nm, beams = np.asarray(light.g_xy_per_nm, float), light.thickness_nm, light.beams
    if not len(theta):
        return []
    across = theta @ [-g[1], g[0]] / np.hypot(*g)
    strips = max(1, int(np.ceil(np.ptp(across) * thickness_nm / shear_nm[1] - 0.05)))
    strip = np.minimum((across - across.min()) * (strips / max(np.ptp(across), 1e-12)), strips - 1).astype(int)
    # two beams change at a Bragg line, where samples that strips take in turn would not end alike
    turns = min(strips, _TURNS) if beams > 2 else 1
    s = excitation(theta, sign, light)
    s_step = turns * min(1 / (per_fringe * thickness_nm), across_rad * np.hypot(*g) / _LEAST)
    # along g the shear goes with s: a bundle is a run of whole steps of s, which a wide cone then sums evenly
    s_cell = np.floor(s / s_step + 0.5 + strip % turns / turns).astype(int)
    run = max(1, int(shear_nm[0] / thickness_nm * np.hypot(*g) / s_step))
    _, alike = np.unique(member, axis=1, return_inverse=True)
    cell = np.column_stack([sign, alike.ravel(), s_cell // run, strip, s_cell])
    cell -= cell.min(axis=0)
    size = cell.max(axis=0) + 1
    cells, ray = np.unique(np.ravel_multi_index(tuple(cell.T), size), return_inverse=True)
    count = np.bincount(ray)
    s_mean = np.bincount(ray, s) / count
    place = beam * len(cells) + ray
    size_of = beams * len(cells)
    weight = np.array([share * np.bincount(place[of], minlength=size_of).reshape(beams, -1) for of in member])
    _, first, bundle = np.unique(cells // size[-1], return_index=True, return_inverse=True)
    rays = np.bincount(bundle, count)
    direct = beam == (0 if beams == 2 else -row_orders(beams)[0])
    most = np.where(direct, 1.0, _FAINT)  # of the electrons come by the direct beam, where the cone holds it
    total = np.bincount(bundle[ray], most)
    theta_mean = np.column_stack([np.bincount(bundle[ray], most * theta[:, axis]) / total for axis in (0, 1)])
    signs = np.rint(np.bincount(bundle[ray], sign) / rays).astype(int)
    single = []
    for of in member:
        order = np.flatnonzero(of)[np.argsort(place[of], kind="stable")]
        single.append(np.split(incidence[order], np.cumsum(np.bincount(place[of], minlength=size_of))[:-1]))
    parts = []
    for i, (start, stop) in enumerate(pairwise(np.append(first, len(cells)))):
        rays_of = tuple(
            tuple(tuple(rays[b * len(cells) + start : b * len(cells) + stop]) for b in range(beams)) for rays in single
        )
        parts.append(Bundle(theta_mean[i], int(signs[i]), s_mean[start:stop], weight[..., start:stop], rays_of))
    return parts


def excitation(theta, sign, light: Illumination) -> np.ndarray:
    """Excitation error of the reflection sign g at incidence theta [1/nm]: s_n for n = 1 and -1."""
    g = np.asarray(light.g_xy_per_nm, float)
    return sign * (light.s0_per_nm - theta @ g) - np.where(np.asarray(sign) < 0, light.wavelength_nm * (g @ g), 0.0)


def _nearer(theta, light: Illumination) -> np.ndarray:
    """1 or -1 (N,): which of the Bragg lines of g and -g lies nearer to each incidence (N, 2)."""
    g = np.asarray(light.g_xy_per_nm, float)
    return np.where(light.s0_per_nm - theta @ g >= -light.wavelength_nm * (g @ g) / 2, 1, -1)


def _by_detector(regions: Sequence[Region], light: Illumination) -> bool:
    """Whether regions are smaller than the cone, so that they and not it are laid out in points."""
    return max(region.outer_rad for region in regions) <= light.convergence_rad


def _transfers(regions: Sequence[Region], light: Illumination):
    """Incidence and detector (N, 2), sign of the reflection, index of the beam (N,), share of the cone, and (V, N)."""
    convergence_rad = light.convergence_rad
    if by_detector := _by_detector(regions, light):
        points = directions_of(regions, np.inf, _GRID)
        outer = max(region.outer_rad for region in regions)
        share = (2 * outer / _GRID) ** 2 / (np.pi * convergence_rad**2)
    else:
        points = Region((0.0, 0.0), convergence_rad).directions(convergence_rad, _GRID)
        share = 1 / len(points)
    found = []
    for incidence, detector, sign, beam in transfers(points, light, by_detector):
        member = np.array([region.contains(detector) for region in regions])
        keep = member.any(axis=0)
        found.append((incidence[keep], detector[keep], sign[keep], np.full(keep.sum(), beam), member[:, keep].T))
    incidence, detector, sign, beam, member = (np.concatenate(part) for part in zip(*found))
    return incidence, detector, sign, beam, share, member.T


def transfers(
    points_rad: np.ndarray, light: Illumination, by_detector: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """From where in the cone each beam brings electrons, and to where (docs/conventions.md).

    Parameters
    ----------
    points_rad : (N, 2) float
        Directions of incidence or, with ``by_detector``, on the detector [rad].
    light : Illumination
        Cone, reflection and foil.

    Yields
    ------
    incidence, detector : (M, 2) float
        Directions of rays of the cone, and on the detector [rad].
    sign : (M,) int
        The reflection is sign g.
    beam : int
        Index of the beam, as in `Bundle.weight`; with ``by_detector`` and a row that of the incidence, as seen from
        the direction on the detector.
    """
    g, beams = np.asarray(light.g_xy_per_nm, float), light.beams
    turn = light.wavelength_nm * g

    def in_cone(theta):
        return np.hypot(theta[:, 0], theta[:, 1]) <= light.convergence_rad

    for n in (-1, 0, 1) if beams == 2 else row_orders(beams):
        if by_detector:
            incidence = points_rad + n * turn if beams > 2 else points_rad - n * turn
        else:
            incidence = points_rad
        detector = points_rad if by_detector else points_rad + n * turn
        keep = in_cone(incidence)
        if beams > 2:
            sign, beam = np.ones(len(keep), int), n - row_orders(beams)[0]
        elif n == 0:
            sign, beam = _nearer(incidence, light), 0
        else:
            sign, beam = np.full(len(keep), n), 1
            keep &= np.where(in_cone(detector), _nearer(detector, light) == -n, _nearer(incidence, light) == n)
        yield incidence[keep], detector[keep], sign[keep], int(beam)


@numba.njit(cache=True)
def _taps(shift):
    """Whole part of a shift, and the four weights of cubic (Lagrange) interpolation for the rest."""
    whole = int(np.floor(shift))
    f = shift - whole
    weights = np.array(
        [
            -f * (f - 1) * (f - 2) / 6,
            (f + 1) * (f - 1) * (f - 2) / 2,
            -(f + 1) * f * (f - 2) / 2,
            (f + 1) * f * (f - 1) / 6,
        ]
    )
    return whole, weights


@numba.njit(cache=True, parallel=True)
def _gather(voxels, tan_x, tan_y, shifts_x, shifts_y, margin, out, pixels, nodes, close):
    """beta of one ray a pixel, cubic, and of several of some pixels, at ``nodes`` along x and y, linear in voxels."""
    slices, rows, columns = out.shape
    for z in numba.prange(slices):
        plane = voxels[2, z] + tan_x * voxels[0, z] + tan_y * voxels[1, z]
        ix, wx = _taps(shifts_x[z])
        iy, wy = _taps(shifts_y[z])
        a0, a1, a2, a3 = wy.astype(np.float32)
        b0, b1, b2, b3 = wx.astype(np.float32)
        left = margin + ix - 1
        for j in range(rows):
            row = j + margin + iy - 1
            line = a0 * plane[row] + a1 * plane[row + 1] + a2 * plane[row + 2] + a3 * plane[row + 3]
            for i in range(columns):
                k = i + left
                out[z, j, i] = b0 * line[k] + b1 * line[k + 1] + b2 * line[k + 2] + b3 * line[k + 3]
        for v in range(len(nodes)):
            y = shifts_y[z] + nodes[v] + margin
            iy = int(np.floor(y))
            fy = np.float32(y - iy)
            for u in range(len(nodes)):
                x = shifts_x[z] + nodes[u] + margin
                ix = int(np.floor(x))
                fx = np.float32(x - ix)
                for n in range(len(pixels)):
                    j, i = pixels[n, 0] + iy, pixels[n, 1] + ix
                    low = plane[j, i] + fx * (plane[j, i + 1] - plane[j, i])
                    high = plane[j + 1, i] + fx * (plane[j + 1, i + 1] - plane[j + 1, i])
                    close[z, n, v * len(nodes) + u] = low + fy * (high - low)


@numba.njit(cache=True)
def _meets(shift, margin, node, f):
    """Pixels from the one whose ray at ``node`` meets a voxel to that voxel, and where in it, counted in parts."""
    at = shift + margin + node + 0.5 - 0.5 / f
    whole = int(np.floor(at))
    return whole, (at - whole) * f


@numba.njit(cache=True)
def _mark(places, f, shifts_x, shifts_y, margin, nodes, out):
    """Mark the pixels (rows, columns) that have rays through divided voxels."""
    rows, columns = out.shape
    for m in range(len(places)):
        z = places[m, 0]
        for v in range(len(nodes)):
            j = places[m, 1] - _meets(shifts_y[z], margin, nodes[v], f)[0]
            for u in range(len(nodes)):
                i = places[m, 2] - _meets(shifts_x[z], margin, nodes[u], f)[0]
                if 0 <= j < rows and 0 <= i < columns:
                    out[j, i] = True


@numba.njit(cache=True, parallel=True)
def _replace(places, parts, number, tan_x, tan_y, shifts_x, shifts_y, margin, nodes, close):
    """Put the parts of divided voxels in their rays, linear between them; no two voxels share a ray and slice."""
    f = parts.shape[2] - 1
    rows, columns = number.shape
    for m in numba.prange(len(places)):
        z = places[m, 0]
        part = parts[m, 2] + tan_x * parts[m, 0] + tan_y * parts[m, 1]
        for a in range(len(nodes)):
            whole, y = _meets(shifts_y[z], margin, nodes[a], f)
            j, v = places[m, 1] - whole, int(y)
            fy = np.float32(y - v)
            for b in range(len(nodes)):
                whole, x = _meets(shifts_x[z], margin, nodes[b], f)
                i, u = places[m, 2] - whole, int(x)
                fx = np.float32(x - u)
                if 0 <= j < rows and 0 <= i < columns:
                    low = part[v, u] + fx * (part[v, u + 1] - part[v, u])
                    high = part[v + 1, u] + fx * (part[v + 1, u + 1] - part[v + 1, u])
                    close[z, number[j, i], a * len(nodes) + b] = low + fy * (high - low)


class Scratch:
    """Arrays that one direction after the other fills: fresh memory costs as much time as what is computed in it."""

    def __init__(self):
        self._held: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """An array of float32 that holds anything; the next one of that name lies in its place."""
        size = int(np.prod(shape))
        if name not in self._held or self._held[name].size < size:
            check_memory(4.5 * size, f"{size:.3g} slices of rays")
            self._held[name] = np.empty(size + size // 8, np.float32)
        return self._held[name][:size].reshape(shape)


def margin_pixels(theta_max_rad: float, depth_max_nm: float, pixel_nm: float) -> int:
    """Pixels that a volume must reach beyond the image so that every ray stays inside it."""
    return int(np.ceil(np.tan(theta_max_rad) * depth_max_nm / pixel_nm)) + 3


def sub_pixel_nodes(pixel_nm: float) -> np.ndarray:
    """Where rays through a pixel near a line lie along x and along y, in pixels from its middle: of equal weights."""
    count = int(np.ceil(pixel_nm / _PANEL_NM - 1e-9))
    return (np.arange(count) + 0.5) / count - 0.5


def ray_beta(
    strain: Strain,
    theta_rad,
    margin: int,
    dz_nm: float,
    pixel_nm: float,
    focus_nm: float,
    scratch: Scratch | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change of the excitation error along the rays of one direction: one ray a pixel, and more close to lines.

    beta = g·(U_z + theta_x U_x + theta_y U_y); the ray of pixel r passes through r + (z - z_f) tan(theta). What a pixel
    shows that holds a core is the mean intensity of rays beside each other.

    Parameters
    ----------
    strain : Strain
        On voxels that reach beyond the image, with voxels near lines divided in f x f.
    theta_rad : (2,) float
        Incidence [rad].
    margin : int
        Voxels beyond the image on each side.
    dz_nm, pixel_nm, focus_nm : float
        Slice, pixel, depth of the focus plane [nm].
    scratch : Scratch, optional
        Where the results lie until the next call with it.

    Returns
    -------
    beta : (nz, rows, columns) float32
        Of the rays through the middles of the pixels [1/nm].
    pixels : (rows, columns) bool
        Those with rays through divided voxels, N of them.
    close : (nz, N, n n) float32
        Of n x n rays through each of these pixels, whose mean intensity is the pixel's [1/nm].
    """
    _, slices, rows, columns = strain.voxels.shape
    tan_x, tan_y = np.tan(np.asarray(theta_rad, float)).astype(np.float32)
    z = ((np.arange(slices) + 0.5) * dz_nm - focus_nm) / pixel_nm
    path = (z * tan_x, z * tan_y, margin)
    f = strain.parts.shape[2] - 1
    pixels = np.zeros((rows - 2 * margin, columns - 2 * margin), np.bool_)
    nodes = sub_pixel_nodes(pixel_nm) if f > 1 else np.zeros(0)
    _mark(strain.places, f, *path, nodes, pixels)
    number = np.cumsum(pixels).reshape(pixels.shape) - 1
    scratch = scratch or Scratch()
    beta = scratch.array("beta", (slices, *pixels.shape))
    close = scratch.array("close", (slices, int(pixels.sum()), len(nodes) ** 2))
    _gather(strain.voxels, tan_x, tan_y, *path, beta, np.ascontiguousarray(np.argwhere(pixels)), nodes, close)
    _replace(strain.places, strain.parts, number, tan_x, tan_y, *path, nodes, close)
    return beta, pixels, close
