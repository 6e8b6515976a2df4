"""An annulus divided into quadrants A to D, or into four rings of quadrants."""

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from veristem.datasets.geometry import Region


class Detector(BaseModel):
    """Four quadrants; A is centred at ``rotation_deg``, B, C and D follow from x towards y.

    Sixteen segments are four rings of equal width, ring by ring from the inside, A to D in each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    simultaneous: ClassVar[bool] = True
    kind: Literal["segmented"] = "segmented"
    inner_mrad: Annotated[float, Field(ge=0, allow_inf_nan=False, description="inner angle of the annulus")] = 14.0
    outer_mrad: Annotated[float, Field(gt=0, allow_inf_nan=False, description="outer angle of the annulus")] = 28.0
    rotation_deg: Annotated[float, Field(allow_inf_nan=False, description="azimuth of the centre of A")] = 0.0
    segments: Literal[4, 16] = Field(default=4, description="4: one ring of quadrants, 16: four rings of equal width")

    @model_validator(mode="after")
    def _inner_below_outer(self):
        if self.inner_mrad >= self.outer_mrad:
            raise ValueError(f"inner_mrad = {self.inner_mrad:g} found, below outer_mrad = {self.outer_mrad:g} allowed")
        return self

    def regions(self, kikuchi_azimuth_rad: float) -> list[Region]:
        """One region a segment; the segments do not follow the Kikuchi line."""
        quarter = np.pi / 2
        first = np.radians(self.rotation_deg) - quarter / 2
        radii = 1e-3 * np.linspace(self.inner_mrad, self.outer_mrad, self.segments // 4 + 1)
        return [
            Region((0.0, 0.0), float(outer), float(inner), first + i * quarter, quarter)
            for inner, outer in pairwise(radii)
            for i in range(4)
        ]
