"""An annulus divided into quadrants A to D."""

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from veristem.datasets.geometry import Region


class Detector(BaseModel):
    """Four quadrants; A is centred at ``rotation_deg``, B, C and D follow from x towards y."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["segmented"] = "segmented"
    inner_mrad: Annotated[float, Field(ge=0, allow_inf_nan=False, description="inner angle of the annulus")] = 14.0
    outer_mrad: Annotated[float, Field(gt=0, allow_inf_nan=False, description="outer angle of the annulus")] = 28.0
    rotation_deg: Annotated[float, Field(allow_inf_nan=False, description="azimuth of the centre of A")] = 0.0

    @model_validator(mode="after")
    def _inner_below_outer(self):
        if self.inner_mrad >= self.outer_mrad:
            raise ValueError(f"inner_mrad below outer_mrad = {self.outer_mrad} allowed")
        return self

    def regions(self, kikuchi_azimuth_rad: float) -> list[Region]:
        """One region a quadrant; the quadrants do not follow the Kikuchi line."""
        quarter = np.pi / 2
        first = np.radians(self.rotation_deg) - quarter / 2
        return [
            Region((0.0, 0.0), 1e-3 * self.outer_mrad, 1e-3 * self.inner_mrad, first + i * quarter, quarter)
            for i in range(4)
        ]
