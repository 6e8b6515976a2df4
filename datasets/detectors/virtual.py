"""Virtual discs in the pattern of a pixelated detector: a pair, a fan of more between its ends, or a ring."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from veristem.datasets.geometry import Region


class Detector(BaseModel):
    """Two discs or more, evenly spaced in a row and symmetric about the optic axis, or on a ring about it.

    The first view is the one with the larger incidence angle along the pair, so that disparity (second less first)
    grows with depth.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    simultaneous: ClassVar[bool] = True
    kind: Literal["virtual"] = "virtual"
    pair_angle_deg: Annotated[float, Field(gt=0, lt=60, description="angle between the centres of the outer discs")] = (
        8.0
    )
    views: Annotated[int, Field(ge=2, le=64, description="discs; what they share, their counts share")] = 2
    ring: bool = Field(
        default=False, description="discs on a ring about the axis, half of the pair angle away, not in a row"
    )
    radius_mrad: Annotated[float, Field(gt=0, allow_inf_nan=False, description="radius of each disc")] = 15.0
    pair_azimuth_deg: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None,
        description="direction of the pair in the image, from x towards y; along the Kikuchi line if not given",
    )

    def regions(self, kikuchi_azimuth_rad: float) -> list[Region]:
        """One region a view; ``kikuchi_azimuth_rad`` is the direction in which the excitation error stays the same."""
        azimuth = kikuchi_azimuth_rad if self.pair_azimuth_deg is None else np.radians(self.pair_azimuth_deg)
        places = disc_places(np.radians(self.pair_angle_deg), float(azimuth), self.views, self.ring)
        return [Region((float(x), float(y)), 1e-3 * self.radius_mrad) for x, y in places]


def disc_places(angle_rad: float, azimuth_rad: float, count: int, ring: bool = False) -> np.ndarray:
    """Centres (count, 2) [rad] of discs: in a row along an azimuth, or on a ring from that azimuth from x towards y.

    ``angle_rad`` is that between the ends of the row, or the diameter of the ring.
    """
    if ring:
        turn = azimuth_rad + 2 * np.pi * np.arange(count) / count
        return angle_rad / 2 * np.column_stack([np.cos(turn), np.sin(turn)])
    along = np.array([np.cos(azimuth_rad), np.sin(azimuth_rad)])
    return (np.linspace(angle_rad / 2, -angle_rad / 2, count) if count > 1 else np.zeros(1))[:, None] * along


def cut_off(center_rad, outer_rad: float, cone_rad: float, low_rad, high_rad) -> bool:
    """Whether what a disc has within the cone reaches beyond a detector with these corners (2,) [rad]."""
    theta = Region((float(center_rad[0]), float(center_rad[1])), outer_rad).directions(cone_rad)
    return bool((theta < low_rad).any() or (theta > high_rad).any())
