"""An objective aperture in the back focal plane, moved from one view to the next."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from veristem.datasets.detectors import virtual


class Detector(virtual.Detector):
    """Two places of the aperture, symmetric about the optic axis; one scan each, the first view first.

    The views are those of the virtual pair; the defaults lie within a cone of 12.4 mrad.
    """

    simultaneous: ClassVar[bool] = False
    kind: Literal["aperture"] = "aperture"
    pair_angle_deg: Annotated[float, Field(gt=0, lt=60, description="angle between the places of the aperture")] = 1.0
    radius_mrad: Annotated[float, Field(gt=0, allow_inf_nan=False, description="radius of the aperture")] = 3.5
