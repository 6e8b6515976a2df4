"""How well lines stand out of their images, before any method looks at them."""

from __future__ import annotations

import numpy as np

from veristem.datasets.recipe import Recipe
from veristem.datasets.truth import LineTruth
from veristem.sim.noise import mean_and_variance

LENGTH_NM = 20.0  # of a line, over which its signal is summed
_REACH_NM = 12.0  # of the image of a line on both sides
_SMOOTH_NM = 25.0  # over which the background is taken


def line_contrast(truth: LineTruth) -> tuple[float | None, float | None]:
    """Contrast of visible lines, and contrast-to-noise ratio of 20 nm of them, both means over the views.

    The contrast is the root mean square deviation of the expected image from its background within 12 nm of a visible
    line, over that background. The ratio is that of the matched filter, which knows the profile: its square is the sum
    of deviation² / variance over the pixels, per length of line, with what the detector makes of the electrons. Rose's
    criterion asks for 3 to 5. The background is a mean over 25 nm of what lies off all lines. None without a visible
    line or without background.

    Parameters
    ----------
    truth : LineTruth
        Expected images, lines and recipe.
    """
    from scipy.ndimage import distance_transform_edt

    recipe = Recipe.from_table(truth.recipe, "recipe of the truth")
    pixel = recipe.scan.pixel_nm
    contrasts, ratios = [], []
    for view, (expected, label) in enumerate(zip(truth.expected.astype(float), truth.labels)):
        first, second = (truth.project(end[truth.visible], view) for end in truth.network.ends_nm())
        middle = (first + second) / 2
        inside = ((middle >= 0) & (middle <= truth.field_nm)).all(axis=1)
        length = np.linalg.norm((second - first)[inside], axis=1).sum()
        level = background(expected, label, pixel, _REACH_NM)
        near = pixel * np.asarray(distance_transform_edt(label != 1)) <= _REACH_NM
        if not length or np.isnan(level).all() or not near.any():
            return None, None
        near &= level > 0
        signal, _ = mean_and_variance(expected[near] - level[near], recipe.microscope.response)
        _, variance = mean_and_variance(level[near], recipe.microscope.response)
        contrasts.append(float(np.sqrt(np.mean((expected[near] / level[near] - 1) ** 2))))
        ratios.append(float(np.sqrt(LENGTH_NM / length * np.sum(signal**2 / variance))))
    return float(np.mean(contrasts)), float(np.mean(ratios))


def background(expected: np.ndarray, label: np.ndarray, pixel_nm: float, reach_nm: float) -> np.ndarray:
    """Mean (Y, X) over 25 nm of what lies farther off all lines than a reach; NaN where there is nothing of it near.

    Parameters
    ----------
    expected : (Y, X) float
        Expected counts of a view.
    label : (Y, X) int
        0 off all lines and boundaries.
    pixel_nm, reach_nm : float
        Pixel size and how far the image of a line reaches to both sides [nm].
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    clear = np.ones(label.shape, bool)
    if label.any():
        clear = pixel_nm * np.asarray(distance_transform_edt(label == 0)) > reach_nm
    weight = gaussian_filter(clear.astype(float), _SMOOTH_NM / pixel_nm)
    filled = gaussian_filter(np.where(clear, expected, 0.0), _SMOOTH_NM / pixel_nm)
    return np.where(weight > 1e-3, filled / np.maximum(weight, 1e-12), np.nan)
