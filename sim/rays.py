"""Rays through a foil: which directions and excitation errors a detector region needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from veristem.datasets.geometry import Region, directions_of

SHEAR_NM = (1.0, 2.5)  # between the faces of the foil from one direction to the next, along g and across it
_GRID = 400  # points across a region or a cone when its directions are binned, as in Region.fraction
# samples of s for each thickness fringe, period 1/t: above 1 two beams do not alias; those of a row beat faster
_PAIR, _ROW = 1.2, 2.4
_FAINT = 1e-3  # of the direct beam, what other beams count in the mean direction of rays
_TURNS = 3  # strips that take samples of s in turn, at most
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


def bundles(regions: Sequence[Region], light: Illumination, shear_nm: Sequence[float] = SHEAR_NM) -> list[Bundle]:
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
    # Every region must sample s finely by its own strips, a quadrant by the few it covers. Two beams change at a Bragg
    # line, where samples that strips take in turn would not end alike.
    turns = min(_TURNS, *(_covered(strip[of]) for of in member)) if beams > 2 else 1
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


def _covered(strip: np.ndarray) -> int:
    """How many strips hold half as many of a region's rays (N,) as the one that holds most, or more."""
    rays = np.bincount(strip, minlength=1)
    return max(1, int(np.count_nonzero(2 * rays >= rays.max(initial=1))))


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
