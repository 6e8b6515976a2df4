"""Centrelines of dislocation images found by a network that was trained on simulated ones, run without PyTorch.

The network says of each pixel whether a line passes, where its centre is and how sure that is, and whether a boundary
between regions of the crystal passes instead. Its weights and their card lie in ``recon/weights``;
`veristem train contours` makes others.
"""

from __future__ import annotations

import numpy as np

from veristem.datasets.intermediate import Contours
from veristem.recon.contours.burnt import without_bars
from veristem.recon.contours.ridge import default_scale_nm
from veristem.recon.contours.skeletons import curves_along
from veristem.recon.trained import trained

OUTPUTS = ("line", "offset_x", "offset_y", "boundary", "log_variance")  # logits, pixels, and log of pixels squared
STRIDE = 8  # sides of an image are made multiples of it
VERSION = 1  # of what goes into the network and comes out: weights of another one are refused
SCALE_PX = 3.0  # half the width of a line's image in those it was trained on
_BACKGROUND_PX = 20.0
_RIM_PX = 2  # along the border a line is seen from one side only
_LIKE = (0.7, 1.5)  # pixels that are as fine as those it was trained on, within these factors
_SHORTEST = 3.0  # curve that is kept, in scales
_FORTH, _BACK = slice(None), slice(None, None, -1)
_MIRRORS = ((_FORTH, _FORTH), (_FORTH, _BACK), (_BACK, _FORTH), (_BACK, _BACK))  # of rows and columns


def learned_contours(
    views: np.ndarray,
    pixel_nm: float,
    scale_nm: float | None = None,
    weights: str | None = None,
    high: float = 0.55,
    low: float = 0.25,
) -> Contours:
    """Centrelines of the dislocation images of every view.

    Parameters
    ----------
    views : (V, Y, X) float
        Images, in any linear grey scale.
    pixel_nm : float
        Pixel size [nm].
    scale_nm : float, optional
        Half the width of a line's image [nm]; images are brought to three pixels of it.
    weights : path, optional
        A .onnx file of `veristem train contours`; those of the package if not given.
    high, low : float
        Probabilities between which a pixel counts when it hangs together with one above.

    Returns
    -------
    Contours
        With the standard deviation of each vertex that the network expects of itself.

    Raises
    ------
    InputError
        For weights that cannot be read, or of another version.
    """
    ratio = ratio_of(views.shape, pixel_nm, scale_nm)
    curves, sigmas = [], []
    for view in views:
        image, zoom = like_training(without_bars(view), ratio)
        found = lines_in(answer(image, weights), trained("contours", VERSION, weights).calibration[0], high, low)
        curves.append(tuple(c[:, :2] / zoom * pixel_nm for c in found))
        sigmas.append(tuple(c[:, 2] / zoom.mean() * pixel_nm for c in found))
    return Contours(tuple(curves), tuple(sigmas))


def ratio_of(shape: tuple[int, ...], pixel_nm: float, scale_nm: float | None) -> float:
    """How many pixels of the network a pixel of views of a shape (V, Y, X) takes; others as of `learned_contours`."""
    if scale_nm is None:
        scale_nm = default_scale_nm((shape[2] * pixel_nm, shape[1] * pixel_nm), pixel_nm)
    return pixel_nm / (scale_nm / SCALE_PX)


def normalised(view: np.ndarray) -> np.ndarray:
    """(Y, X) float32: a view about its background, over the standard deviation of what is not far out.

    What the network sees: neither dose nor grey scale matters.
    """
    import cv2

    view = np.asarray(view, np.float32)
    view = view - min(float(view.min()), 0.0)  # grey levels may begin anywhere
    background = cv2.GaussianBlur(view, (0, 0), _BACKGROUND_PX, borderType=cv2.BORDER_REFLECT_101)
    relative = view / np.maximum(background, max(1e-3 * float(view.mean()), 1e-12)) - 1
    width = 1.4826 * float(np.median(np.abs(relative - np.median(relative))))
    middle = np.clip(relative, -3 * width, 3 * width) if width > 0 else relative
    return np.clip(relative / max(float(middle.std()), 1e-9), -8, 8).astype(np.float32)


def answer(view: np.ndarray, weights: str | None = None) -> np.ndarray:
    """(5, Y, X) float32 `OUTPUTS` for a view (Y, X) of any size: the mean over the view and its mirror images.

    Errors as of `learned_contours`.
    """
    network, image = trained("contours", VERSION, weights), padded(normalised(view))
    total = np.zeros((len(OUTPUTS), *image.shape), np.float32)
    for turn in _MIRRORS:
        outputs = network(image[turn][None])[(slice(None), *turn)]
        for axis, name in ((1, "offset_x"), (0, "offset_y")):
            if turn[axis] == _BACK:
                outputs[OUTPUTS.index(name)] *= -1
        total += outputs
    return total[:, : view.shape[0], : view.shape[1]] / len(_MIRRORS)


def padded(image: np.ndarray) -> np.ndarray:
    """An image with sides that are multiples of `STRIDE`, continued as in a mirror."""
    fill = [(0, -n % STRIDE) for n in image.shape]
    return np.pad(image, fill, mode="reflect" if min(image.shape) >= STRIDE else "edge")


def lines_in(outputs: np.ndarray, calibration: float = 1.0, high: float = 0.55, low: float = 0.25) -> list[np.ndarray]:
    """Curves (K, 3) in the answer of the network: x, y and standard deviation [px].

    Parameters
    ----------
    outputs : (5, Y, X) float
        `OUTPUTS`.
    calibration : float
        By which the network's own standard deviations are multiplied.
    high, low : float
        Probabilities of the hysteresis, as of `learned_contours`.
    """
    from scipy.special import expit
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import skeletonize

    line, x, y, _, log_variance = outputs
    chance = expit(line)
    inside = np.zeros(chance.shape, bool)
    inside[_RIM_PX:-_RIM_PX, _RIM_PX:-_RIM_PX] = True
    skeleton = skeletonize(apply_hysteresis_threshold(np.where(inside, chance, 0.0), low, high))
    center = np.clip(np.stack([x, y], axis=-1), -SCALE_PX, SCALE_PX) + 0.5
    sigma = calibration * np.exp(np.clip(log_variance, -8, 4) / 2)
    return curves_along(skeleton, center, sigma, SCALE_PX, _SHORTEST)


def like_training(view: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """A view with pixels about as fine as in training, and by how much x and y were stretched for it (2,)."""
    import cv2

    if _LIKE[0] <= ratio <= _LIKE[1]:
        return view, np.ones(2)
    rows, columns = (max(STRIDE, round(n * ratio)) for n in view.shape)
    how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    image = cv2.resize(np.asarray(view, np.float32), (columns, rows), interpolation=how)
    return image, np.array([columns / view.shape[1], rows / view.shape[0]])
