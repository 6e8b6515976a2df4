"""Virtual discs in the pattern of a pixelated detector: a pair, or a fan of more between its ends."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from veristem.datasets.geometry import Region


class Detector(BaseModel):
    """Two discs or more, evenly spaced and symmetric about the optic axis.

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
    radius_mrad: Annotated[float, Field(gt=0, allow_inf_nan=False, description="radius of each disc")] = 15.0
    pair_azimuth_deg: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None,
        description="direction of the pair in the image, from x towards y; along the Kikuchi line if not given",
    )

    def regions(self, kikuchi_azimuth_rad: float) -> list[Region]:
        """One region a view; ``kikuchi_azimuth_rad`` is the direction in which the excitation error stays the same."""
        azimuth = kikuchi_azimuth_rad if self.pair_azimuth_deg is None else np.radians(self.pair_azimuth_deg)
        half = np.radians(self.pair_angle_deg) / 2
        along = np.array([np.cos(azimuth), np.sin(azimuth)])
        places = [angle * along for angle in np.linspace(half, -half, self.views)]
        return [Region((float(x), float(y)), 1e-3 * self.radius_mrad) for x, y in places]
