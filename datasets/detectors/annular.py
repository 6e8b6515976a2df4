"""A disc or ring about the axis, as the bright field and annular dark field detectors of a microscope are."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from veristem.datasets.geometry import Region

# camera length [mm]: inner and outer angle [mrad], of a JEOL microscope (a PhD thesis, table 5.1)
_ANGLES = {
    "BF": {
        34: (0.0, 119.0),
        43: (0.0, 94.1),
        54: (0.0, 75.0),
        75: (0.0, 54.0),
        87: (0.0, 46.5),
        115: (0.0, 35.2),
        220: (0.0, 18.4),
        330: (0.0, 12.3),
        550: (0.0, 7.36),
        770: (0.0, 5.25),
        1100: (0.0, 3.7),
    },
    "HAADF": {1100: (6.8, 41.7), 2100: (3.4, 20.8), 3300: (2.3, 13.9), 4300: (1.7, 10.6), 5000: (1.5, 9.2)},
}


class Detector(BaseModel):
    """One view by a ring about the optic axis, a disc without an inner angle; its angles, or a camera length."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    simultaneous: ClassVar[bool] = True
    kind: Literal["annular"] = "annular"
    # None, not the angles themselves: a recipe written out with all its keys must still take a camera length
    inner_mrad: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None, description="inner angle of the annulus; 0 if not given"
    )
    outer_mrad: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="outer angle of the annulus; 18.4 if not given"
    )
    camera_length_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="in place of both angles: BF from 34 to 1100, HAADF from 1100 to 5000"
    )
    element: Literal["BF", "HAADF"] = Field(default="BF", description="detector that the camera length is of")

    @model_validator(mode="after")
    def _one_annulus(self):
        if self.camera_length_mm is not None:
            for key in ("inner_mrad", "outer_mrad"):
                if (angle := getattr(self, key)) is not None:
                    raise ValueError(f"camera_length_mm = {self.camera_length_mm:g} and {key} = {angle:g} found, "
                                     "one of the two allowed")  # fmt: skip
            shortest, *_, longest = _ANGLES[self.element]
            if not shortest <= self.camera_length_mm <= longest:
                raise ValueError(f"camera_length_mm = {self.camera_length_mm:g} found, {shortest} to {longest} allowed "
                                 f"for {self.element}; give inner_mrad and outer_mrad instead")  # fmt: skip
        elif self.element == "HAADF":
            raise ValueError("element = HAADF found without camera_length_mm, both allowed; angles need no element")
        inner, outer = self.angles_mrad
        if inner >= outer:
            raise ValueError(f"inner_mrad = {inner:g} found, below outer_mrad = {outer:g} allowed")
        return self

    @property
    def angles_mrad(self) -> tuple[float, float]:
        """Inner and outer angle, however they were given [mrad]."""
        if self.camera_length_mm is None:
            return self.inner_mrad or 0.0, 18.4 if self.outer_mrad is None else self.outer_mrad
        lengths = np.array(list(_ANGLES[self.element]), float)
        # angle times camera length is the radius of the detector itself, the same at all of them but for rounding
        inner, outer = lengths * np.array(list(_ANGLES[self.element].values())).T
        length = self.camera_length_mm
        return float(np.interp(length, lengths, inner) / length), float(np.interp(length, lengths, outer) / length)

    def regions(self, kikuchi_azimuth_rad: float) -> list[Region]:
        """The ring; it looks the same from everywhere."""
        inner, outer = self.angles_mrad
        return [Region((0.0, 0.0), 1e-3 * outer, 1e-3 * inner)]
