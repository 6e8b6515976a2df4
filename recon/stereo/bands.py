"""Matched curves corrected by what both images show along them.

A contour is where one image seems to have a line; the images about it tell more. Along each matched curve both views
are straightened into bands, and a network that was trained on simulated images tells how far the line is from the
middle of each, how sure that is, and whether there is a line in both. Its weights and their card lie in
``recon/weights``; `veristem train bands` makes others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from veristem.datasets.geometry import mapped
from veristem.datasets.intermediate import Matches
from veristem.datasets.polyline import arc_length, between
from veristem.recon.contours.learned import SCALE_PX, like_training, normalised
from veristem.recon.trained import trained

OUTPUTS = ("apart", "aside", "there", "log_variance")  # [px] second less first, mean of both; logit; of apart
ACROSS = 33  # places across a band
REACH = 4.0  # half the width of a band, in scales
VERSION = 1
_TIMES = 2  # that curves are corrected
_STEEP = 0.15  # |sin| of the angle to the rows below which bands tell nothing of the disparity
THERE = 0.15  # probability of a line in both views below which it is left out
_GAP = 5.0  # length without a line that divides a curve, in scales
_SHORTEST = 2.0  # curve that is kept, in scales


class Bands:
    """Two views, ready to be straightened along curves.

    Parameters
    ----------
    views : sequence of (Y, X) float
        Two images, in any linear grey scale.
    pixel_nm : float
        Pixel size [nm].
    scale_nm : float
        Half the width of a line's image [nm].
    to_image : sequence of (2, 3) float or None, optional
        From the focus plane, where curves are, to each image.
    """

    def __init__(self, views: Sequence[np.ndarray], pixel_nm: float, scale_nm: float, to_image=(None, None)):
        self.step = scale_nm / SCALE_PX
        brought = [like_training(view, pixel_nm / self.step) for view in views]
        self.images = [normalised(image) for image, _ in brought]
        self.zoom = [zoom / pixel_nm for _, zoom in brought]
        self.to_image = to_image

    def straightened(self, places_nm: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Both views (2, ACROSS, K) along curves (2, K, 2) with normals of unit length; 0 beyond the images."""
        import cv2

        across = self.step * SCALE_PX * np.linspace(-REACH, REACH, ACROSS)[:, None, None]
        bands = []
        for image, zoom, to_image, curve, normal in zip(self.images, self.zoom, self.to_image, places_nm, normals):
            at = curve + across * normal
            at = ((at if to_image is None else mapped(at, to_image)) * zoom - 0.5).astype(np.float32)
            bands.append(cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT))
        return np.stack(bands)

    def corrected(self, matches: Matches, epipolar: np.ndarray, weights: str | None = None) -> Matches:
        """Curves moved to where the images show their lines; what shows none in both is left out.

        Parameters
        ----------
        matches : Matches
            Of the two views, on the focus plane.
        epipolar : (2,) float
            Unit vector of the epipolar direction.
        weights : path, optional
            A .onnx file of `veristem train bands`; that of the package if not given.

        Raises
        ------
        InputError
            For weights that cannot be used.
        """
        network = trained("bands", VERSION, weights)
        for _ in range(_TIMES):
            pieces = [
                piece
                for places, sigma in zip(matches.places_nm, matches.sigma_nm)
                for piece in self._moved(places, sigma, epipolar, network, float(network.calibration[0]))
            ]
            matches = Matches(matches.views, tuple(p for p, _ in pieces), tuple(s for _, s in pieces))
        return matches

    def _moved(
        self, places: np.ndarray, sigma: np.ndarray, epipolar: np.ndarray, network: Callable, calibration: float
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pieces (2, K, 2) of one curve with the standard deviations (K,) of their disparities."""
        places, sigma = evenly(places, sigma, self.step)
        normals = normals_of(places, self.step * SCALE_PX)
        apart, aside, there, log_variance = _told(network, self.straightened(places, normals))
        apart, aside = self.step * apart, self.step * aside
        error = calibration * self.step * np.exp(np.clip(log_variance, -8, 8) / 2)
        old = (places[1] - places[0]) @ epipolar
        first, second = places + np.stack([aside - apart / 2, aside + apart / 2])[..., None] * normals
        rows = np.array([-epipolar[1], epipolar[0]])
        tangent = np.column_stack([normals[1][:, 1], -normals[1][:, 0]])
        sine = tangent @ rows
        steep = np.abs(sine) > _STEEP
        slip = (second - first) @ rows * (tangent @ epipolar) / np.where(steep, sine, 1.0)
        disparity = np.where(steep, (second - first) @ epipolar - slip, old)
        error = np.where(steep, error / np.maximum(np.abs(sine), _STEEP), np.maximum(sigma, error / _STEEP))
        seen = np.flatnonzero(there > np.log(THERE / (1 - THERE)))
        least = max(3, round(_SHORTEST * SCALE_PX))
        found = np.stack([first, first + disparity[:, None] * epipolar])
        runs = np.split(seen, np.flatnonzero(np.diff(seen) > _GAP * SCALE_PX) + 1)
        return [(found[:, run], error[run]) for run in runs if len(run) >= least]


def _told(network: Callable, bands: np.ndarray) -> np.ndarray:
    """`OUTPUTS` (4, K): the mean of what is told of bands, and of the same in a mirror with the views swapped."""
    mirrored = np.array(network(np.ascontiguousarray(bands[::-1, ::-1])))
    mirrored[OUTPUTS.index("aside")] *= -1  # apart is turned twice
    return (np.asarray(network(bands)) + mirrored) / 2


def evenly(places: np.ndarray, sigma: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Curves (V, K, 2) with vertices that lie a step apart in their mean, and what ``sigma`` (K,) is there."""
    at = arc_length(places.mean(axis=0))
    even = np.linspace(0, at[-1], max(2, round(at[-1] / step) + 1))
    return np.stack([between(curve, at, even) for curve in places]), np.interp(even, at, sigma)


def normals_of(places: np.ndarray, reach: float) -> np.ndarray:
    """Unit normals (V, K, 2) of curves (V, K, 2), from chords over ``reach`` to both sides."""
    found = []
    for curve in places:
        at = arc_length(curve)
        chord = between(curve, at, at + reach) - between(curve, at, at - reach)
        chord /= np.maximum(np.linalg.norm(chord, axis=1, keepdims=True), 1e-12)
        found.append(np.column_stack([-chord[:, 1], chord[:, 0]]))
    return np.stack(found)
