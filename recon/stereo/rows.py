"""Two views turned so that their epipolar lines are the rows of both images."""

from __future__ import annotations

import numpy as np

from veristem.recon.contours.learned import STRIDE


def to_rows(field_nm: tuple[float, float], epipolar: np.ndarray, step_nm: float) -> tuple[np.ndarray, tuple[int, int]]:
    """How the focus plane is turned for it.

    Parameters
    ----------
    field_nm : (float, float)
        Width and height of the images [nm].
    epipolar : (2,) float
        Unit vector along which disparity is measured: it becomes +x.
    step_nm : float
        Pixel of the turned images [nm].

    Returns
    -------
    (2, 3) float
        Map from places [nm] to pixels of the turned images, the middle of the first at 0.5.
    (int, int)
        Columns and rows that hold all of the field: multiples of `learned.STRIDE`.
    """
    linear = np.array([[epipolar[0], epipolar[1]], [-epipolar[1], epipolar[0]]]) / step_nm
    width, height = field_nm
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ linear.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    columns, rows = (STRIDE * int(np.ceil(n / STRIDE - 1e-6)) for n in high - low)
    return np.column_stack([linear, -low]), (columns, rows)


def turned(image: np.ndarray, place: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image (Y, X) of float32 after a map (2, 3) of its pixels, in ``size`` columns and rows; 0 beyond it."""
    import cv2

    # OpenCV counts pixels from their middles
    of_indices = np.column_stack([place[:, :2], place[:, 2] + place[:, :2] @ [0.5, 0.5] - 0.5])
    return cv2.warpAffine(image, of_indices, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
