"""Views as they would lie on the focus plane, x along the epipolar direction: what registration compares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from veristem.datasets.geometry import mapped

_FINE_PX = 1.0  # noise is finer than this, which makes the rest


class Picture(NamedTuple):
    """A view in the frame of comparison.

    grey (R, C): contrast against the background, 0 outside the view. inside (R, C): whether the view has a pixel there.
    """

    grey: np.ndarray
    inside: np.ndarray


class Frame(NamedTuple):
    """Where pictures lie on the focus plane: about the middle of the field, turned.

    middle_nm (2,): of the field. azimuth_rad: of the pictures' x axis. shape: rows and columns. pixel_nm: their pixel.
    """

    middle_nm: np.ndarray
    azimuth_rad: float
    shape: tuple[int, int]
    pixel_nm: float

    @classmethod
    def of(cls, field_nm, azimuth_rad: float, pixel_nm: float) -> Frame:
        """A frame around a field (2,) [nm]."""
        c, s = abs(np.cos(azimuth_rad)), abs(np.sin(azimuth_rad))
        width, height = field_nm
        rows, columns = (
            max(1, int(side / pixel_nm + 1e-6)) for side in (s * width + c * height, c * width + s * height)
        )
        return cls(np.asarray(field_nm, float) / 2, azimuth_rad, (rows, columns), pixel_nm)

    @property
    def middle_px(self) -> np.ndarray:
        """(2,) column and row of the middle."""
        return (np.array(self.shape[::-1]) - 1) / 2

    def places_nm(self, offset_px) -> np.ndarray:
        """Places (..., 2) on the focus plane of offsets (..., 2) from the middle of a picture."""
        return self.middle_nm + np.asarray(offset_px) * self.pixel_nm @ rotation(self.azimuth_rad).T

    def picture(self, image: np.ndarray, image_px_nm: float, to_image: np.ndarray) -> Picture:
        """What an image (Y, X) shows here, whose pixels and whose map (2, 3) from the focus plane are given."""
        row, column = np.indices(self.shape)
        places = self.places_nm(np.stack([column, row], axis=-1) - self.middle_px)
        at = mapped(places, to_image) / image_px_nm - 0.5
        inside = np.all((at >= 0) & (at <= np.array(image.shape[::-1]) - 1), axis=-1)
        grey = map_coordinates(image, [at[..., 1], at[..., 0]], order=3, mode="nearest")
        return Picture(np.where(inside, grey, 0.0).astype(np.float32), inside)

    def map_nm(self, linear: np.ndarray, shift_px) -> np.ndarray:
        """A map (2, 3) on the focus plane [nm] from one of pictures about their middle: linear (2, 2), shift (2,)."""
        turn = rotation(self.azimuth_rad)
        on_plane = turn @ linear @ turn.T
        shift = turn @ np.asarray(shift_px, float) * self.pixel_nm
        return np.column_stack([on_plane, self.middle_nm - on_plane @ self.middle_nm + shift])


def rotation(angle_rad: float) -> np.ndarray:
    """(2, 2) from x towards y."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s], [s, c]])


def binned(image: np.ndarray, step: int) -> np.ndarray:
    """An image whose pixels are the means of squares of ``step`` pixels."""
    rows, columns = (n // step * step for n in image.shape)
    image = np.asarray(image, float)[:rows, :columns]
    return image.reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))


def contrast(image: np.ndarray, coarse_px: float) -> np.ndarray:
    """What is finer than ``coarse_px``, of unit variance: brightness, contrast and shading are taken out."""
    low, high = np.percentile(image, (0.5, 99.5))
    clipped = np.clip(image, low, high).astype(float)
    band = gaussian_filter(clipped, _FINE_PX) - gaussian_filter(clipped, coarse_px)
    return (band - band.mean()) / max(float(band.std()), 1e-12)
