"""The microscope, scan and stage tables of a recipe. All imperfections are off unless a key turns them on."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from veristem.datasets.aberrations import Aberrations, AnyAberrations
from veristem.datasets.detectors import DETECTORS, AnyDetector
from veristem.datasets.geometry import ring_rad
from veristem.datasets.specimens import Finite, NotNegative, Positive, Table

Angle = Annotated[float, Field(ge=-70, le=70)]


class Response(Table):
    """What a detector makes of the electrons that fall on it."""

    mode: Literal["counting", "integrating"] = Field(
        default="counting",
        description="counting: each electron is counted with the probability dqe; integrating: each leaves a pulse, "
        "whose height varies so much that the dqe results",
    )
    dqe: Annotated[float, Field(gt=0, le=1)] = Field(default=1.0, description="detective quantum efficiency")
    readout_electrons: NotNegative = Field(default=0.0, description="standard deviation of a pixel without electrons")
    saturation_electrons: Positive | None = Field(default=None, description="largest signal of a pixel")
    bits: Annotated[int, Field(ge=1, le=32)] | None = Field(
        default=None,
        description="depth of a counter, which holds at most 2^bits - 1, or of the converter of an integrating "
        "detector, from 0 to saturation_electrons",
    )

    @model_validator(mode="after")
    def _range_is_known(self):
        if self.mode == "integrating" and self.bits is not None and self.saturation_electrons is None:
            raise ValueError(f"bits = {self.bits} found without saturation_electrons, both allowed; an integrating "
                             "detector needs its range")  # fmt: skip
        return self


class Microscope(Table):
    """Beam and detector."""

    energy_keV: Annotated[float, Field(ge=20, le=3000)] = Field(default=200.0, description="of the beam")
    current_nA: Annotated[float, Field(gt=0, le=1e3)] = Field(default=0.1, description="of the whole probe")
    current_noise: Annotated[float, Field(ge=0, le=0.3)] = Field(
        default=0.0, description="standard deviation of the probe current from pixel to pixel over its mean"
    )
    convergence_mrad: Annotated[float, Field(gt=0, le=300)] = Field(default=91.0, description="semi-angle of the cone")
    aberrations: AnyAberrations = Field(
        default=Aberrations(), description="none, uncorrected, corrected or unbalanced, or a table of coefficients"
    )
    source_size_nm: NotNegative = Field(default=0.0, description="full width at half maximum of the source's image")
    loss_collected_fraction: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="share of the electrons with an energy loss that the region still counts"
    )
    detector: AnyDetector = DETECTORS["virtual"]()  # type: ignore[reportInvalidTypeForm]  # made at run time
    response: Response = Response()

    @property
    def balanced(self) -> Microscope:
        """The microscope as its operator leaves it: a corrected lens is balanced where the detector looks.

        What is imaged with it, not what stands in the recipe: another pair angle has another balance.
        """
        lens = self.aberrations
        if lens.preset != "corrected" or lens.balanced_mrad is not None:
            return self
        ring = 1e3 * ring_rad(self.detector.regions(0.0), 1e-3 * self.convergence_mrad)
        return self.model_copy(update={"aberrations": lens.model_copy(update={"balanced_mrad": ring})})


class Scan(Table):
    """The raster. Errors of the beam's place are the same for views taken at once, and others for each scan."""

    shape: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = Field(
        default=(256, 256), description="rows, columns"
    )
    pixel_nm: Positive = Field(default=2.0, description="step of the scan")
    dwell_us: Annotated[float, Field(gt=0, le=1e9)] = Field(default=590.0, description="time on a pixel")
    jitter_nm: NotNegative = Field(default=0.0, description="standard deviation of the place of a row, along x and y")
    flyback_nm: Finite = Field(default=0.0, description="how far the beam still is from a row's first pixel, along x")
    flyback_us: Positive = Field(default=100.0, description="time in which that falls to 1/e")
    drift_nm_per_s: NotNegative = Field(default=0.0, description="speed of the specimen, in a random direction")
    registered: bool = Field(
        default=False,
        description="every view moved back by its mean shift, which aberrations, drift and the stage leave: what an "
        "ideal registration would do; without it they shift all depths",
    )

    @property
    def perfect(self) -> bool:
        """Whether the beam is always where it should be."""
        return not (self.jitter_nm or self.flyback_nm or self.drift_nm_per_s)


class Series(Table):
    """Evenly spaced tilts."""

    start: Angle = Field(description="first tilt [deg]")
    stop: Angle = Field(description="last tilt, or the largest below it [deg]")
    step: Positive = Field(description="from one tilt to the next [deg]")

    @model_validator(mode="after")
    def _forward(self):
        if self.stop <= self.start:
            raise ValueError(f"stop = {self.stop:g} found, more than start = {self.start:g} allowed")
        return self


# told apart by what is given, so that an error speaks of that one alone
Tilts = Annotated[
    Annotated[tuple[Angle, ...], Tag("list")] | Annotated[Series, Tag("range")],
    Discriminator(lambda given: "range" if isinstance(given, (dict, Series)) else "list"),
]


class Stage(Table):
    """Tilts of a foil about g, which keeps the excitation error, or of a film about y; one scan each."""

    tilts_deg: Tilts = Field(default=(0.0,), description="a list, or { start = -50, stop = 50, step = 2 }")
    shift_nm: NotNegative = Field(default=0.0, description="largest shift of the field from one tilt to the next")
    axis_error_deg: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.0, description="largest angle between the tilt axis and where it is believed to be in the images"
    )
    angle_error_deg: Annotated[float, Field(ge=0, le=5)] = Field(
        default=0.0, description="standard deviation of a tilt from its read-out"
    )

    @property
    def angles_deg(self) -> np.ndarray:
        """(T,) nominal tilts [deg]."""
        if isinstance(self.tilts_deg, Series):
            series = self.tilts_deg
            return series.start + series.step * np.arange(int((series.stop - series.start) / series.step + 1e-6) + 1)
        return np.array(self.tilts_deg)

    @model_validator(mode="after")
    def _tilts_found(self):
        if not len(self.angles_deg):
            raise ValueError("tilts_deg: no tilt found, at least one allowed")
        if len(set(self.angles_deg)) < len(self.angles_deg):
            raise ValueError("tilts_deg: one tilt twice found, each once allowed")
        return self

    @property
    def steepest_deg(self) -> float:
        """Largest tilt that may occur, errors within three standard deviations included [deg]."""
        return float(np.abs(self.angles_deg).max() + 3 * self.angle_error_deg)
