"""Views straightened along curves in space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import convolve1d

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Alignment
from veristem.recon.stereo.bands import ACROSS, REACH, Bands, normals_of

_HALF = 2.5  # half the width of a band, in scales
_TAPER = 1.5  # standard deviation of the weight across a band, in scales
_FLAT = 0.1  # of the widest spread of directions: a direction in which they spread less has no parallax
_SMALLEST = 0.05  # noise, in standard deviations of an image: no line is told better than its shape is


class Straightened(NamedTuple):
    """Bands (V, U, S) along a curve, the weights of their pixels, 1 / variance, and the normals (V, S, 2) and places
    (V, S, 2) of the curve in every view [nm]."""

    values: np.ndarray
    weights: np.ndarray
    normals: np.ndarray
    places_nm: np.ndarray


class Images:
    """The views of an acquisition, ready to be straightened.

    Parameters
    ----------
    acquisition : Acquisition
        The views.
    alignment : Alignment
        Where they look from and where their images lie.
    scale_nm : float
        Half the width of a line's image [nm].

    Attributes
    ----------
    across : (U,) float
        Places across a band [nm].
    levers : (V, Q) float
        Directions about their mean, along the one or two axes in which they spread, of mean square 1.
    """

    def __init__(self, acquisition: Acquisition, alignment: Alignment, scale_nm: float):
        self.scale, self.focus, self.field = scale_nm, acquisition.focus_nm, np.array(acquisition.field_nm)
        self.directions, self.tangents = alignment.directions_rad, np.tan(alignment.directions_rad)
        count = len(self.directions)
        to_image = (None,) * count if alignment.to_image is None else alignment.to_image
        self.bands = Bands(list(acquisition.views), acquisition.pixel_nm, scale_nm, to_image)
        everywhere = scale_nm * np.linspace(-REACH, REACH, ACROSS)
        self._kept = np.abs(everywhere) < _HALF * scale_nm * (1 + 1e-9)
        self.across = everywhere[self._kept]
        self.taper = np.exp(-0.5 * (self.across / (_TAPER * scale_nm)) ** 2)
        left, spread, _ = np.linalg.svd(self.tangents - self.tangents.mean(axis=0), full_matrices=False)
        self.levers = np.sqrt(count) * left[:, spread > _FLAT * spread[0]]
        pixels = [float(np.prod(1 / np.asarray(zoom))) for zoom in self.bands.zoom]  # [nm²]
        du = self.across[1] - self.across[0]
        self.noise = np.array([noise_of(image) for image in self.bands.images])
        self._told = du / np.array(pixels) / self.noise**2

    def straightened(self, curve: np.ndarray) -> Straightened:
        """Bands along the sites (S, 3) of a curve [nm]; sites beyond the edge of a view weigh nothing in it.

        A site has the weight of the pixels of its length in the image, over their noise.
        """
        places = np.stack([project(curve, direction, self.focus) for direction in self.directions])
        normals = normals_of(places, self.scale)
        values = self.bands.straightened(places, normals)[:, self._kept].astype(float)
        length = np.linalg.norm(np.gradient(places, axis=1), axis=-1)
        inside = ((places > self.scale) & (places < self.field - self.scale)).all(axis=-1)
        weights = self._told[:, None, None] * self.taper[:, None] * (length * inside)[:, None, :]
        return Straightened(values, weights, normals, places)


def noise_of(image: np.ndarray) -> float:
    """Standard deviation of white noise in an image (Y, X), from second differences along both axes, which smooth
    structures hardly have (Immerkær, Comput. Vis. Image Underst. 64 (1996) 300, with the median for the mean)."""
    rough = image.astype(float)
    for axis in (0, 1):
        rough = convolve1d(rough, [1.0, -2.0, 1.0], axis=axis)
    return max(1.4826 * float(np.median(np.abs(rough))) / 6, _SMALLEST * float(image.std()), 1e-12)
