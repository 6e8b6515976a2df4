"""The views of a series as maps on the focus plane, each row of which is one slice of the specimen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Alignment
from veristem.datasets.volume import Volume
from veristem.recon.registration.pictures import Frame, rotation

_STRAIGHT = 1.0  # voxels by which rays may leave their slice within the specimen
_MOST_VOXELS = 2**29


@dataclass(frozen=True, eq=False)
class Maps:
    """Where a volume lies, and what the views gather of it.

    Parameters
    ----------
    frame : Frame
        On the focus plane, x along the epipolar direction; its rows are slices, and its pixel the side of a voxel.
    depths_nm : (Z,) float
        Of the layers, below the focus plane [nm].
    slopes : (V,) float
        How far the rays of each view go along x per unit of depth.
    lean : float
        How far those of all views go along y.
    grey : (V, R, C) float32
        Contrast, 0 where a view shows nothing.
    inside : (V, R, C) bool
        Whether a view shows it.
    """

    frame: Frame
    depths_nm: np.ndarray
    slopes: np.ndarray
    lean: float
    grey: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(
        cls, images: np.ndarray, pixel_nm: float, alignment: Alignment, depths_nm: tuple[float, float], voxel_nm: float
    ) -> Maps:
        """Maps of contrast images (V, Y, X), which lie as an alignment says, for depths below the focus plane [nm].

        Raises
        ------
        InputError
            With fewer than two directions, directions that lie on no line, or too large a volume.
        """
        azimuth, slopes, lean = one_axis(alignment.directions_rad, depths_nm, voxel_nm)
        layers = max(1, int(np.ceil((depths_nm[1] - depths_nm[0]) / voxel_nm - 1e-6)))
        depths = sum(depths_nm) / 2 + (np.arange(layers) - (layers - 1) / 2) * voxel_nm
        field = np.array(images.shape[:0:-1]) * pixel_nm
        around = Frame.of(field, azimuth, voxel_nm)
        reach = int(np.ceil(np.abs(slopes).max() * np.abs(depths).max() / voxel_nm))
        frame = around._replace(shape=(around.shape[0], around.shape[1] + 2 * reach))
        voxels = layers * frame.shape[0] * max(frame.shape[1], len(slopes))
        if voxels > _MOST_VOXELS:
            raise InputError(
                f"voxel_nm: {voxel_nm:g} found, which makes {voxels:.2g} voxels of the field and {layers * voxel_nm:g} "
                f"nm of depth, at most {_MOST_VOXELS:.2g} allowed; choose larger ones, or a smaller `depth_range_nm`"
            )
        size = len(images), *frame.shape
        grey, inside = np.empty(size, np.float32), np.empty(size, bool)
        for view, image in enumerate(images):
            to_image = np.eye(2, 3) if alignment.to_image is None else alignment.to_image[view]
            grey[view], inside[view] = frame.picture(image, pixel_nm, to_image)
        return cls(frame, depths, slopes, lean, grey, inside)

    def volume(self, slices: np.ndarray, focus_nm: float, field_nm) -> Volume:
        """Slices (R, Z, C) in the frame of the specimen, cut to the field (2,) [nm]."""
        pixel, layers = self.frame.pixel_nm, len(self.depths_nm)
        columns, rows = (max(1, int(side / pixel + 1e-6)) for side in field_nm)
        origin = np.array([0.0, 0.0, focus_nm + self.depths_nm[0] - pixel / 2])
        y, x = np.indices((rows, columns))
        offset = (np.stack([x, y], axis=-1) + 0.5) * pixel - self.frame.middle_nm
        at = offset @ rotation(self.frame.azimuth_rad) / pixel + self.frame.middle_px
        values = np.empty((layers, rows, columns), np.float32)
        for layer, depth in enumerate(self.depths_nm):
            where = [at[..., 1] - depth * self.lean / pixel, at[..., 0]]
            map_coordinates(slices[:, layer], where, values[layer], order=1, mode="nearest")
        return Volume(values, pixel, origin)

    def shown(self, points_nm: np.ndarray, focus_nm: float, least: float, share: float) -> np.ndarray:
        """Whether (K,) a share of the views that show the place of a point (K, 3) has a contrast of ``least`` there."""
        seen, held = np.zeros(len(points_nm)), np.zeros(len(points_nm))
        for view, (grey, inside) in enumerate(zip(self.grey, self.inside)):
            at = self.places(points_nm, view, focus_nm)
            there = map_coordinates(inside.astype(np.uint8), at, order=0, cval=0) > 0
            seen += there
            held += there & (map_coordinates(grey, at, order=1) > least)
        return (seen > 0) & (held >= share * seen)

    def places(self, points_nm: np.ndarray, view: int, focus_nm: float) -> list[np.ndarray]:
        """Rows (K,) and columns (K,) of the map of a view where it shows points (K, 3) [nm]."""
        depth = (points_nm[:, 2] - focus_nm) / self.frame.pixel_nm
        x, y = ((points_nm[:, :2] - self.frame.middle_nm) @ rotation(self.frame.azimuth_rad)).T / self.frame.pixel_nm
        columns, rows = self.frame.middle_px
        return [rows + y - depth * self.lean, columns + x - depth * self.slopes[view]]


def one_axis(directions_rad: np.ndarray, depths_nm: tuple[float, float], voxel_nm: float) -> tuple:
    """Azimuth of the line on which the directions of all views lie [rad], slopes (V,) along and slope across it.

    Raises
    ------
    InputError
        With fewer than two directions, or directions that lie on no line.
    """
    tangents = np.tan(np.asarray(directions_rad, float))
    if len(tangents) < 2:
        raise InputError(f"views: {len(tangents)} found, at least 2 allowed for tomography, many of a tilt series")
    middle = tangents.mean(axis=0)
    _, spread, axes = np.linalg.svd(tangents - middle)
    if spread[0] < 1e-6:
        raise InputError("directions_rad: all views share one direction, at least two different ones allowed")
    along = axes[0] * np.sign(axes[0][np.abs(axes[0]).argmax()])
    azimuth = round(float(np.arctan2(along[1], along[0])), 9)
    slopes, across = (tangents @ rotation(azimuth)).T
    lean = float(across.mean()) if np.abs(across.mean()) > 1e-9 else 0.0
    off = np.abs(across - lean).max() * (depths_nm[1] - depths_nm[0]) / 2
    if off > _STRAIGHT * voxel_nm:
        raise InputError(
            f"directions_rad: views that lie {off:.2g} nm off one line found within the specimen, at most "
            f"{_STRAIGHT * voxel_nm:g} allowed for tomography, which takes views about one axis"
        )
    return azimuth, slopes, lean
