"""The smallest errors that physics allows for lines: Cramér and Rao's bound, a piece of line at a time."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np

from veristem.bench.limits.line_contrast import background
from veristem.bench.limits.shared import groups_of_views, joint_variance
from veristem.datasets import polyline
from veristem.datasets.recipe import Recipe
from veristem.datasets.truth import LineTruth
from veristem.sim.acquire import acquire
from veristem.sim.foil import Foil
from veristem.sim.networks.foil import deeper
from veristem.sim.noise import mean_and_variance
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen

LENGTH_NM = 20.0  # of line that a limit is given for: information grows with it, the error falls as its root
REACH_NM = 15.0  # of the image of a line to both sides
_STEP_NM = 1.0  # of points along the lines
_AWAY_NM = 5.0  # from all pieces: there is no visible line
_SHIFT_NM = 1.0  # of all lines to both sides, for the derivative by depth


@dataclass(frozen=True, eq=False)
class LineLimits:
    """Limits of the visible lines, piece by piece.

    The limits are those of the offset from the line, normal to it, as scores measure it: a shift of an inclined line in
    depth is in part one along itself, which is none. Columns are across the beam (x and y) and in depth (z).

    Parameters
    ----------
    points_nm : (N, 3) float
        Points along all pieces [nm].
    piece : (N,) int
        Piece of each point.
    length_nm : (P,) float
        Arc length of each piece, about 20 nm; the limits are those of 20 nm of it [nm].
    psi_deg : (P,) float
        Angle in the image between each piece and the epipolar direction [deg].
    parallax_nm : (P, 2) float
        Limits where depth shows by parallax alone [nm], infinite where the views do not tell.
    full_nm : (P, 2) float
        The same where contrast that changes with depth tells as well; NaN where that was not computed.
    """

    points_nm: np.ndarray
    piece: np.ndarray
    length_nm: np.ndarray
    psi_deg: np.ndarray
    parallax_nm: np.ndarray
    full_nm: np.ndarray

    def at(self, places_nm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Parallax and full limits, (K, 2) each, at places (K, 3) on the lines [nm]; NaN off all visible ones."""
        from scipy.spatial import KDTree

        if not len(self.points_nm) or not len(places_nm):
            return np.full((len(places_nm), 2), np.nan), np.full((len(places_nm), 2), np.nan)
        known = np.asarray(np.isfinite(places_nm).all(axis=1))
        distance, nearest = KDTree(self.points_nm).query(np.where(known[:, None], places_nm, 0.0))
        on_line, piece = (known & (distance <= _AWAY_NM))[:, None], self.piece[nearest]
        parallax, full = (np.where(on_line, limit[piece], np.nan) for limit in (self.parallax_nm, self.full_nm))
        return parallax, full

    def typical_nm(self, limit_nm: np.ndarray, most_nm: float) -> np.ndarray:
        """(2,) root mean square by length over lines steeper than 25 degrees to the epipolar direction, NaN for none.

        Pieces whose limit in depth is beyond ``most_nm`` are left out, as scores leave out larger errors; of the limit
        across the beam also those in which it is itself.
        """
        counted = (self.psi_deg > 25) & (limit_nm[:, 1] <= most_nm)
        found = np.full(2, np.nan)
        for axis in (0, 1):
            known = counted & (limit_nm[:, axis] <= most_nm)
            if known.any():
                found[axis] = np.sqrt(np.average(limit_nm[known, axis] ** 2, weights=self.length_nm[known]))
        return found


def line_limits(truth: LineTruth, slopes: np.ndarray | None = None) -> LineLimits:
    """Smallest errors of the visible lines that an unbiased method can have which is given 20 nm of line at a time.

    Each piece is moved as a whole across itself and in depth; its contrast and its width in every view are unknown
    too. J = sum over views and pixels of d signal d signal^T / variance, with what the detector makes of the expected
    counts; the limit is the block of the two shifts of its inverse. Of views that share electrons the inverse of their
    covariance stands in place of 1 / variance. A pixel counts for the line nearest to it: a method that has to tell
    lines apart where they cross may not reach the limit. Slopes are those of the image without errors of the scan: rows
    that jitter displaced are as steep as lines, and tell nothing. One that fits a smooth curve over more than 20 nm may
    beat it, by up to the root of the ratio of lengths.

    Parameters
    ----------
    truth : LineTruth
        Lines and expected counts.
    slopes : (V, Y, X) float, optional
        `depth_slopes`; without them the full limits are NaN.
    """
    recipe = Recipe.from_table(truth.recipe, "recipe of the truth")
    pixel, response = recipe.scan.pixel_nm, recipe.microscope.response
    points, piece, is_end, tangent, length = _pieces(truth)
    count, views = len(length), len(truth.expected)
    tangents = np.tan(truth.directions_rad)
    maps = np.tile(np.eye(2), (views, 1, 1)) if truth.to_image is None else truth.to_image[:, :, :2]
    seen = tangent[:, :2] - tangent[:, 2:] * tangents.mean(axis=0)
    normal = _turned(seen)  # of the shift across the line, in the specimen
    # the two shifts, then contrast and width of each view; by parallax and in full
    information = np.zeros((2, count, 2 + 2 * views, 2 + 2 * views))
    for group, correlation in groups_of_views(recipe):
        spread = joint_variance(truth.expected[group].astype(float), response, correlation)
        found = []  # of each view: its pixels that tell, their pieces, and how both kinds of shift change them
        for view in group:
            expected = truth.expected[view].astype(float)
            steady = expected if truth.steady is None else truth.steady[view].astype(float)
            level = background(steady, truth.labels[view], pixel, REACH_NM)
            deviation = steady - np.where(np.isnan(level), steady.mean(), level)
            of, away = _nearest(truth.project(points, view), np.where(is_end, -1, piece), expected.shape, pixel)
            own = (of >= 0) & (expected > 0)  # a pixel without electrons tells nothing
            of, away = of[own], away[own]
            across = _turned((tangent[:, :2] - tangent[:, 2:] * tangents[view]) @ maps[view].T)
            slope = np.einsum("na,na->n", _gradient(deviation, pixel)[own], across[of])
            # how far the image of a piece moves across itself for each shift
            lever = np.einsum("pa,pa->p", normal @ maps[view].T, across), across @ (maps[view] @ -tangents[view])
            wider = -np.einsum("na,na->n", away, across[of]) * slope
            in_depth = -lever[1][of] * slope
            shifts = [in_depth if slopes is None or number == 0 else slopes[view][own] for number in (0, 1)]
            changes = np.array([[-lever[0][of] * slope, shift, deviation[own], wider] for shift in shifts])
            found.append((own, of, mean_and_variance(changes, response)[0], [0, 1, 2 + 2 * view, 3 + 2 * view]))
        for (m, first), (n, second) in product(enumerate(found), repeat=2):
            both = first[0] & second[0]
            of, other = (view[1][both[view[0]]] for view in (first, second))
            same = of == other  # where lines cross, each view may show another one
            rows, columns = (view[2][:, :, both[view[0]]][:, :, same] for view in (first, second))
            variance = spread[m, n][both][same]
            for number, i, j in product((0, 1), range(4), range(4)):
                told = np.bincount(of[same], rows[number, i] * columns[number, j] / variance, count)
                information[number, :, first[3][i], second[3][j]] += told
    information *= (LENGTH_NM / length)[:, None, None]
    limits = [_normal_to_line(_shifts(part), tangent[:, 2] ** 2) for part in information]
    if slopes is None:
        limits[1][:] = np.nan
    along = np.linalg.svd(tangents - tangents.mean(axis=0))[2][0]  # the epipolar direction
    psi = np.degrees(np.arctan2(np.abs(seen @ _turned(along)), np.abs(seen @ along)))
    return LineLimits(points, piece, length, psi, *limits)


def full_line_limits(truth: LineTruth) -> LineLimits:
    """Limits of a truth with what contrast tells of depth: its specimen is made again and imaged twice more."""
    recipe = Recipe.from_table(truth.recipe, "recipe of the truth")
    specimen_rng, noise_rng = streams(recipe.recipe.seed)
    foil = make_specimen(recipe, specimen_rng)
    assert isinstance(foil, Foil)
    return line_limits(truth, depth_slopes(moved_in_depth(foil), recipe, noise_rng))


def depth_slopes(moved: Sequence[Foil], recipe: Recipe, rng: np.random.Generator) -> np.ndarray | None:
    """Change (V, Y, X) of the expected counts when all lines lie deeper [1/nm]: parallax and contrast.

    Parameters
    ----------
    moved : two Foils
        `moved_in_depth`; without them None is returned.
    recipe : Recipe
        Its microscope, scan and stage.
    rng : numpy.random.Generator
        That of the acquisition, whose errors of scan and stage count.
    """
    if not moved:
        return None
    first, second = (acquire(specimen, recipe, deepcopy(rng))[0].expected.astype(float) for specimen in moved)
    return (second - first) / (2 * _SHIFT_NM)


def moved_in_depth(foil: Foil) -> list[Foil]:
    """The foil with all its lines a nanometre higher, and deeper; its faces stay. Of an uneven foil nothing: ()."""
    if foil.shape.uneven:
        return []
    return [
        replace(
            foil,
            network=deeper(foil.network, step, foil.thickness_nm),
            triangles_nm=foil.triangles_nm + np.array([0.0, 0.0, step]),
            imaged={},
            _strains={},
        )
        for step in (-_SHIFT_NM, _SHIFT_NM)
    ]


def _pieces(truth: LineTruth) -> tuple[np.ndarray, ...]:
    """Points (N, 3) of the visible lines, their piece and whether a line ends there (N,); tangents, lengths (P,)."""
    points, pieces, ends = [np.zeros((0, 3))], [np.zeros(0, int)], [np.zeros(0, bool)]
    tangents, lengths = [], []
    for chain in truth.network.chains(truth.visible):
        length = polyline.length(chain)
        parts = max(1, round(length / LENGTH_NM))
        steps = parts * max(2, int(np.ceil(length / parts / _STEP_NM)))
        along, _ = polyline.resample(chain, np.zeros(len(chain)), length / steps)
        steps = len(along) - 1
        for first, last in pairwise(np.rint(np.linspace(0, steps, parts + 1)).astype(int)):
            chord = along[last] - along[first]
            if np.linalg.norm(chord) < 1e-6:  # a ring shorter than a piece
                continue
            number = np.arange(first, last + 1)
            points.append(along[number])
            pieces.append(np.full(len(number), len(lengths)))
            ends.append(np.isin(number, (0, steps)))
            tangents.append(chord / np.linalg.norm(chord))
            lengths.append(length * (last - first) / steps)
    of_points = (np.concatenate(column) for column in (points, pieces, ends))
    return *of_points, np.reshape(tangents, (-1, 3)), np.array(lengths)


def _turned(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 2) at right angles to vectors; 0 of those of no length."""
    size = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1) / size


def _gradient(image: np.ndarray, pixel_nm: float) -> np.ndarray:
    """Gradient (Y, X, 2) by x and y [1/nm], of all waves alike: lines are but a pixel or two wide.

    Of differences of the fourth order a limit comes out 9 to 14 % too large, of cubic splines 6 to 10 %
    (tests/test_line_limits.py has the case).
    """
    from scipy.fft import irfft, rfft, rfftfreq

    found = []
    for axis in (1, 0):
        lines = np.moveaxis(image, axis, -1)
        count = lines.shape[-1]
        waves = 2j * np.pi * rfftfreq(2 * count, pixel_nm)
        waves[-1] = 0  # of the highest wave pixels show no slope
        both = np.concatenate([lines, lines[..., ::-1]], axis=-1)  # mirrored, so that it has no step at the edge
        found.append(np.moveaxis(irfft(rfft(both) * waves, 2 * count)[..., :count], -1, axis))  # type: ignore
    return np.stack(found, axis=-1)


def _nearest(places_nm: np.ndarray, piece: np.ndarray, shape, pixel_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Piece (Y, X) whose image is nearest to each pixel, -1 beyond its reach, and the way from it (Y, X, 2) [nm]."""
    from scipy.spatial import KDTree

    if not len(places_nm):
        return np.full(shape, -1), np.zeros((*shape, 2))
    centres = ((np.mgrid[: shape[0], : shape[1]] + 0.5) * pixel_nm)[::-1].transpose(1, 2, 0)
    distance, nearest = KDTree(places_nm).query(centres, distance_upper_bound=REACH_NM)
    near = np.isfinite(distance)
    nearest = np.where(near, nearest, 0)
    return np.where(near, piece[nearest], -1), centres - places_nm[nearest]


def _shifts(information: np.ndarray) -> np.ndarray:
    """Variances (P, 2) of the two shifts: of the inverse of the information, infinite where that tells nothing."""
    found = np.full((len(information), 2), np.inf)
    for number, full in enumerate(information):
        scale = np.sqrt(np.maximum(np.diagonal(full), 0.0))
        unit = full / np.maximum(np.outer(scale, scale), 1e-300)
        known = scale > 1e-9 * scale.max(initial=0)
        without_depth = known & (np.arange(len(known)) != 1)  # the place across the line may be known without it
        for rows in (known, without_depth):
            part = unit[np.ix_(rows, rows)]
            if rows[0] and np.linalg.cond(part) < 1e10:
                variance = np.diagonal(np.linalg.inv(part)) / scale[rows] ** 2
                found[number, rows[:2]] = variance[: rows[:2].sum()]
                break
    return found


def _normal_to_line(variance: np.ndarray, steep: np.ndarray) -> np.ndarray:
    """Limits (P, 2) across the beam and in depth of the offset normal to the line; steep: its tangent's z, squared."""
    across, deep = variance.T
    share = np.stack([steep * (1 - steep), (1 - steep) ** 2], axis=1)
    part = np.where(share > 1e-12, share * np.where(share > 1e-12, deep[:, None], 0.0), 0.0)  # 0 times infinity is 0
    part[:, 0] += across
    return np.sqrt(part)
