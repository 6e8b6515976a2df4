"""One curve moved to where the images of all views show it, by separable least squares.

In a view the band along the curve is A(s) f(u - e(s)): shapes f with amplitudes A that change slowly along the curve,
and a little, evenly, with the direction of the view, and a shift e that the curve in space makes in all views together.
Amplitudes are solved for at every step (variable projection; Golub & Pereyra, Inverse Problems 19 (2003) R1, here with
Kaufman's simplification); the shift by Gauss and Newton.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from veristem.datasets.geometry import project
from veristem.datasets.polyline import arc_length
from veristem.recon.fitted.images import Images, Straightened
from veristem.recon.fitted.profiles import Profiles
from veristem.recon.fitted.spline import Spline

KNOT_NM = 18.0
_TIMES = 10  # steps at most
_CLOSE_NM = 0.05  # step after which no other is made
_FAR = (0.5, 3.0)  # largest step aside and in depth, in scales
_BENT = 1 / 150.0  # curvature of lines, root mean square over a knot [1/nm]
_ASIDE = 1.0  # standard deviation of the start aside, in scales
_LOOSE = 3.0  # that in depth, over what the start says
_CHANGE = (0.5, 0.3, 0.01)  # of the amplitudes with direction: background, even and odd shapes; the last are depth's
_NOISE = 0.67  # mean square of a residual that is all noise, over that of pixels, as bands are interpolated
_MISFIT = 20.0  # by which a mean square beyond it counts more, as it goes on along the line
_OUTLIER = 3.0  # mean square beyond which a site counts less, over the median
_REST_NM, _LOST = 2.0, 1.5  # last step, and way aside in scales, from which a fit counts as lost
_STEEP = 0.2  # length of the image over that of a line, least that counts
_RIDGE = 1e-6  # where no pixel tells of an amplitude
_GRAM = "um,un,vus->vmns"


class Fitted(NamedTuple):
    """A curve (S, 3) at even sites, the standard deviation (S,) of its depth, how sure a line is at every site (S,), in
    squares of the noise for a step along its image, and whether the fit came to rest near its start."""

    curve: np.ndarray
    sigma: np.ndarray
    gain: np.ndarray
    held: bool


class Fit:
    """The fit of one curve.

    Parameters
    ----------
    images : Images
        All views.
    profiles : Profiles
        Shapes of lines in them.
    curve : (K, 3) float
        Where to begin [nm].
    sigma : (K,) float
        Standard deviation of its depth [nm].
    others : sequence of (N, 2) float
        Places of the other curves in every view: a pixel belongs to the curve nearest to it [nm].
    """

    def __init__(self, images: Images, profiles: Profiles, curve, sigma, others: Sequence[np.ndarray] = ()):
        self.images, self.profiles = images, profiles
        self.trees = [KDTree(places) if len(places) else None for places in others]
        spline = self.spline = Spline(curve, images.bands.step, KNOT_NM)
        basis, count = spline.basis, len(spline.control)
        self.pairs = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)
        # control points move aside, level and normal to the curve, and in depth: (2N,) -> (3N,)
        normal, zero = spline.normals(images.scale), np.zeros((count, count))
        self.ways = np.block([[np.diag(normal[:, 0]), zero], [np.diag(normal[:, 1]), zero], [zero, np.eye(count)]])
        self.normal = normal
        self.bending = np.kron(np.eye(3), spline.bending / (_BENT**2 * KNOT_NM))
        deep = np.interp(spline.middles, arc_length(curve), _LOOSE * sigma)
        self.tether = 1 / np.concatenate([np.full(count, _ASIDE * images.scale), deep]) ** 2
        # amplitudes: of the mean direction, and how they change from it
        self.mix = np.column_stack([np.ones(len(images.levers)), images.levers])
        change = profiles.by_parity(*_CHANGE)
        known = [1 / profiles.spread**2] + [1 / change**2] * images.levers.shape[1]
        self.known = np.repeat(np.concatenate(known), count)

    def run(self) -> Fitted:
        """Steps until they are small."""
        basis, images, control = self.spline.basis, self.images, self.spline.control
        robust, inflation, step = np.ones((len(self.mix), len(basis))), None, np.inf
        for _ in range(_TIMES):
            seen = images.straightened(basis @ control)
            own = seen.weights * robust[:, None, :] * self._nearest(seen)
            if inflation is None:
                _, inflation = self._squares(seen, own, self._amplitudes(seen, own)[1])
            weights = own / inflation
            normal, amplitudes = self._amplitudes(seen, weights)
            hessian, right = self._shift(seen, weights, normal, amplitudes, control)
            square, inflation = self._squares(seen, own, amplitudes)
            robust = 1 / np.maximum(1, square / (_OUTLIER * max(float(np.median(square)), _NOISE)))
            moved = np.linalg.solve(hessian, right)
            aside, deep = (np.abs(basis @ half).max() for half in np.split(moved, 2))
            shorter = max(1.0, aside / (_FAR[0] * images.scale), deep / (_FAR[1] * images.scale))
            control = control + (self.ways @ moved).reshape(3, -1).T / shorter
            if (step := max(aside, deep)) < _CLOSE_NM:
                break
        depth = np.linalg.inv(hessian)[len(control) :, len(control) :]
        sigma = np.sqrt(np.einsum("si,ij,sj->s", basis, depth, basis))
        line = np.einsum("um,vms->vus", self.profiles.shapes[:, 2:], amplitudes[:, 2:])
        curve = basis @ control
        gain = (own * line**2).sum(axis=(0, 1))
        pace = np.linalg.norm(np.gradient(seen.places_nm, axis=1), axis=-1).mean(axis=0) / self.images.bands.step
        far = np.linalg.norm((curve - self.spline.sites)[:, :2], axis=1).max() / images.scale
        held = bool(step < _REST_NM and far < _LOST)
        return Fitted(curve, sigma, gain / np.maximum(pace, _STEEP), held)

    def _nearest(self, seen: Straightened) -> np.ndarray:
        """Which pixels (V, U, S) no other curve is nearer to."""
        nearest = np.ones(seen.values.shape, bool)
        across = self.images.across[:, None, None]
        for mine, tree, places, normals in zip(nearest, self.trees, seen.places_nm, seen.normals):
            if tree is not None:
                mine[:] = tree.query(places + across * normals)[0] > np.abs(across[..., 0])
        return nearest

    def _amplitudes(self, seen: Straightened, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Normal matrix of all amplitudes, and their values (V, M, S) at the sites."""
        basis, mix, shapes = self.spline.basis, self.mix, self.profiles.shapes
        kinds, many, count = mix.shape[1], shapes.shape[1], basis.shape[1]
        gram = np.einsum(_GRAM, shapes, shapes, weights, optimize=True)
        both = np.einsum("va,vb,vmns->abmns", mix, mix, gram, optimize=True).reshape(-1, len(basis)) @ self.pairs
        normal = both.reshape(kinds, kinds, many, many, count, count).transpose(0, 2, 4, 1, 3, 5)
        normal = normal.reshape(len(self.known), -1)
        normal[np.diag_indices(len(normal))] += self.known + _RIDGE
        right = np.einsum("va,um,vus,sj->amj", mix, shapes, weights * seen.values, basis, optimize=True)
        solved = np.linalg.solve(normal, right.ravel()).reshape(right.shape)
        return normal, np.einsum("va,amj,sj->vms", mix, solved, basis, optimize=True)

    def _squares(self, seen: Straightened, weights: np.ndarray, amplitudes: np.ndarray) -> tuple[np.ndarray, float]:
        """Mean square (V, S) of what is left, over that of noise, and by how much too large that makes the weights."""
        left = seen.values - np.einsum("um,vms->vus", self.profiles.shapes, amplitudes)
        square = (weights * left**2).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300)
        square /= self.images.noise[:, None] ** 2
        known = seen.weights.any(axis=1)
        middle = float(np.median(square[known])) if known.any() else 0.0
        return square, 1 + _MISFIT * max(0.0, middle - _NOISE)

    def _shift(self, seen: Straightened, weights, normal, amplitudes, control) -> tuple[np.ndarray, np.ndarray]:
        """Matrix and right-hand side of the step (2N,) aside and in depth, amplitudes eliminated."""
        basis, images, (shapes, slopes, _) = self.spline.basis, self.images, self.profiles
        left = seen.values - np.einsum("um,vms->vus", shapes, amplitudes)
        slope = -np.einsum("um,vms->vus", slopes, amplitudes)
        aside = np.einsum("vsk,nk->vsn", seen.normals, self.normal) * basis
        deep = -np.einsum("vsk,vk->vs", seen.normals, images.tangents)[..., None] * basis
        lever, pull = np.concatenate([aside, deep], axis=2), weights * slope
        cross = np.einsum("vsp,vsm,va,sj->pamj", lever, np.einsum("vus,um->vsm", pull, shapes), self.mix, basis,
                          optimize=True).reshape(len(self.tether), -1)  # fmt: skip
        hessian = np.einsum("vsp,vs,vsq->pq", lever, (pull * slope).sum(axis=1), lever, optimize=True)
        hessian += self.ways.T @ self.bending @ self.ways + np.diag(self.tether)
        hessian -= cross @ np.linalg.solve(normal, cross.T)
        right = np.einsum("vsp,vs->p", lever, (pull * left).sum(axis=1))
        right -= self.ways.T @ self.bending @ control.T.ravel()
        right -= self.tether * (self.ways.T @ (control - self.spline.control).T.ravel())
        return hessian, right


def seen_of(curves: Sequence[np.ndarray], images: Images) -> list[list[np.ndarray]]:
    """Where the curves are in every view: lists, by view, of (K, 2) [nm]."""
    return [[project(curve, direction, images.focus) for curve in curves] for direction in images.directions]
