"""What real images hold and the simulator does not: painted over the images of training foils, before they are counted.

Everything is drawn over the share of electrons that pixels receive, in pixels of the network. Boundaries that are
painted are told to the network as such; to it they look like lines otherwise.
"""

from __future__ import annotations

import cv2
import numpy as np

_NEAR_PX = 4.0  # of a line, where too little contrast is left to tell of it
_SMOOTH_PX = 12.0  # what varies over less is the contrast of lines


def painted(
    image: np.ndarray, distance: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image with other contrast, lamellae, texture and streaks, each in some of the images.

    Parameters
    ----------
    image : (Y, X) float32
        Share of the electrons that each pixel receives.
    distance : (Y, X) float
        From the nearest visible line [px]; inf where that is far.
    rng : numpy.random.Generator
        Of everything.

    Returns
    -------
    image : (Y, X) float32
        Painted.
    boundary : (Y, X) bool
        Where painted boundaries run.
    lost : (Y, X) bool
        Where nothing is to be told of lines, which are too faint to be seen or not.
    """
    boundary, lost = np.zeros(image.shape, bool), np.zeros(image.shape, bool)
    if rng.uniform() < 0.2:  # lines as dark and as even as in thicker foils
        width, depth = rng.uniform(1.2, 2.8), rng.uniform(0.05, 0.4)
        image = image * (1 - depth * np.exp(-0.5 * (distance / width) ** 2))
    smooth = cv2.GaussianBlur(image, (0, 0), _SMOOTH_PX)
    if rng.uniform() < 0.5:  # fainter or stronger, down to near black
        image = np.maximum(smooth + (image - smooth) * np.exp(rng.uniform(np.log(0.6), np.log(3.0))), 0.02 * smooth)
    if rng.uniform() < 0.35:
        image, boundary, faint = _lamellae(image, smooth, rng)
        lost = faint & (distance < _NEAR_PX)
    if rng.uniform() < 0.25:
        image = image * (1 + rng.uniform(0.02, 0.15) * _texture(image.shape, rng.uniform(6, 40), rng))
    if rng.uniform() < 0.15:  # a thick dark contour of bending
        d = _distance(image.shape, rng, wavy=20)
        image = image * (1 - rng.uniform(0.2, 0.7) * np.exp(-0.5 * (d / rng.uniform(12, 50)) ** 2))
    if rng.uniform() < 0.1:  # rows of a scan that differ
        image = image * (1 + rng.uniform(0.003, 0.02) * rng.normal(size=(len(image), 1)))
    return np.maximum(image, 0.0).astype(np.float32), boundary, lost


def _lamellae(image, smooth, rng: np.random.Generator):
    """Bands between parallel boundaries: each of its own grey, with lines of its own contrast.

    Thin boundaries look as lines do, but that several run side by side, each from edge to edge.
    """
    wide = rng.uniform() < 0.6
    period = np.exp(rng.uniform(np.log(20), np.log(150 if wide else 45)))
    wavy = float(rng.choice([0.0, 0.0, rng.uniform(1, 6)])) if wide else 0.0
    d = _distance(image.shape, rng, wavy, rng.uniform(0, np.pi))
    edges = np.cumsum(np.concatenate([[-200 + rng.uniform(0, period)], period * rng.uniform(0.4, 1.6, 16)]))
    rough = rng.choice([0.0, rng.uniform(0.3, 1.5)]) * _texture(image.shape, 4, rng)
    band = np.searchsorted(edges, d + rough)
    grey = np.where(rng.uniform(size=20) < 0.6, np.exp(rng.uniform(np.log(0.3), np.log(1.5), 20)), 1.0)
    contrast = np.where(rng.uniform(size=20) < 0.4, rng.uniform(0.1, 1.0, 20), 1.0)
    level = cv2.GaussianBlur(grey[band].astype(np.float32), (0, 0), rng.uniform(0.5, 3.0))
    kept = cv2.GaussianBlur(contrast[band].astype(np.float32), (0, 0), 1.0)
    found = (smooth + (image - smooth) * kept) * level
    boundary = np.zeros(image.shape, bool)
    for edge in edges:
        width = np.exp(rng.uniform(np.log(4), np.log(25))) if wide else rng.uniform(0.8, 3.0)
        at = np.abs(d + rough - edge)
        if at.min() > 2 or rng.uniform() < 0.15:
            continue
        shape = np.exp(-0.5 * (at / width) ** 2)
        if wide and rng.uniform() < 0.6:  # fringes of an inclined boundary
            shape = shape * (0.5 + 0.5 * np.cos(2 * np.pi * (d - edge) / rng.uniform(6, 20) + rng.uniform(0, 6)))
        if not wide and rng.uniform() < 0.3:  # doubled
            shape = np.maximum(shape, np.exp(-0.5 * ((at - rng.uniform(3, 7)) / width) ** 2))
        found = found * (1 - rng.uniform(0.1, 0.85) * shape)
        boundary |= at < max(2.0, width)
    return found, boundary, contrast[band] < 0.4


def _distance(shape, rng: np.random.Generator, wavy: float = 0.0, turn: float | None = None) -> np.ndarray:
    """(Y, X) distance of each pixel from a line through the image, straight or wavy [px]."""
    turn = rng.uniform(0, np.pi) if turn is None else turn
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = x - rng.uniform(0, shape[1]), y - rng.uniform(0, shape[0])
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    if not wavy:
        return across
    return across + wavy * np.sin(2 * np.pi * along / rng.uniform(60, 250) + rng.uniform(0, 6))


def _texture(shape, size: float, rng: np.random.Generator) -> np.ndarray:
    """(Y, X) smooth random field of standard deviation 1."""
    field = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), size)
    return field / max(float(field.std()), 1e-12)
