"""A pixelated detector: the whole pattern of every scan pixel, and a pair of virtual discs in it."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from veristem.datasets.detectors import virtual
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Region

Side = Annotated[int, Field(ge=16, le=4096)]
Pixels = Annotated[float, Field(allow_inf_nan=False, ge=-2048, le=2048)]


class Detector(virtual.Detector):
    """`veristem simulate` writes the patterns; views and studies sum whole pixels whose centres lie in two discs."""

    kind: Literal["pixelated"] = "pixelated"
    shape: tuple[Side, Side] = Field(default=(256, 256), description="rows, columns of the detector")
    pixel_mrad: Annotated[float, Field(gt=0, le=20)] = Field(default=0.8, description="angle that a pixel spans")
    center_px: tuple[Pixels, Pixels] = Field(
        default=(0.0, 0.0), description="where the optic axis meets the detector, from its middle, along x and y"
    )
    descan_px: tuple[Pixels, Pixels] = Field(
        default=(0.0, 0.0),
        description="how far the pattern moves along x from the first column of the scan to the last, and along y from "
        "the first row to the last",
    )
    vacuum_shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        default=(16, 16), description="rows, columns of the scan of the same field without a specimen"
    )

    @model_validator(mode="after")
    def _axis_is_on_the_detector(self):
        for name, at, count in zip("xy", self.center_px, self.shape[::-1]):
            if abs(at) >= count / 2:
                raise ValueError(f"center_px: {name} = {at:g} found, within the detector of {count} pixels allowed")
        return self

    @property
    def pixel_rad(self) -> float:
        """Angle that a pixel spans [rad]."""
        return 1e-3 * self.pixel_mrad

    @property
    def corner_rad(self) -> tuple[float, float]:
        """Direction (theta_x, theta_y) of the detector's first corner [rad]."""
        rows, columns = self.shape
        x, y = self.center_px
        return -(columns / 2 + x) * self.pixel_rad, -(rows / 2 + y) * self.pixel_rad

    def directions_rad(self) -> np.ndarray:
        """(rows, columns, 2) direction of the centre of each pixel [rad]."""
        (left, top), (rows, columns) = self.corner_rad, self.shape
        x, y = left + (np.arange(columns) + 0.5) * self.pixel_rad, top + (np.arange(rows) + 0.5) * self.pixel_rad
        return np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1)

    def regions(self, kikuchi_azimuth_rad: float) -> list[Region]:
        """One region a view, of whole pixels; see `check_reach`."""
        return [
            Region(disc.center_rad, disc.outer_rad, pixel_rad=self.pixel_rad, corner_rad=self.corner_rad)
            for disc in super().regions(kikuchi_azimuth_rad)
        ]

    def check_reach(self, kikuchi_azimuth_rad: float, cone_rad: float) -> None:
        """Refuse discs that lose a part of the bright-field disc beyond the detector.

        Raises
        ------
        InputError
            With how far the detector reaches about the first such disc.
        """
        low = np.array(self.corner_rad)
        high = low + self.pixel_rad * np.array(self.shape[::-1])
        for disc in super().regions(kikuchi_azimuth_rad):
            if virtual.cut_off(disc.center_rad, disc.outer_rad, cone_rad, low, high):
                left = np.array([disc.center_rad - low, high - disc.center_rad]).min()
                raise InputError(
                    f"microscope.detector: a disc of {1e3 * disc.outer_rad:g} mrad found where {1e3 * left:.4g} mrad "
                    "of the detector are left, all of its bright field on the detector allowed; lower radius_mrad or "
                    "pair_angle_deg, or raise pixel_mrad"
                )
