"""Particles in a film: what a report knows of them, and how they stand in a 3D scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from veristem.datasets import Acquisition, InputError, ParticleTruth, PointSet
from veristem.datasets.shapes import as_array
from veristem.reports import scenes, style

RADIUS_NM = 2.5  # of a particle whose radius is not known
CURVES = ("truth", "blurred", "reconstruction")  # of g(r), in the order in which they are drawn
_CROP_NM, _IN_CROP = (60.0, 160.0), 20  # sides of the window in which single particles are seen, and how many
_LEAST_SHOWN = 0.005  # radius of a sphere over the diagonal of the box, below which it is drawn larger


@dataclass(frozen=True, eq=False)
class RadialCurves:
    """Pair correlation functions on the same bins.

    Parameters
    ----------
    r_nm : (K,) float
        Middles of the bins [nm].
    bin_nm : float
        Their width [nm].
    truth, reconstruction, blurred : (K,) float or None
        g(r) of the true particles, of the points found, and of the true particles displaced at random by the
        covariance that the method reports.
    band : (2, K) float or None
        Lower and upper end of the 95 % interval of the reconstruction's.
    first_peak_nm : dict
        Where the first peak of each lies [nm], by the names above.

    Raises
    ------
    InputError
        On a wrong shape or another name of a peak.
    """

    r_nm: np.ndarray
    bin_nm: float
    truth: np.ndarray | None = None
    reconstruction: np.ndarray | None = None
    blurred: np.ndarray | None = None
    band: np.ndarray | None = None
    first_peak_nm: dict[str, float | None] = field(default_factory=dict)

    def __post_init__(self):
        r = as_array("r_nm", self.r_nm, (None,))
        object.__setattr__(self, "r_nm", r)
        for name, shape in (*((name, r.shape) for name in CURVES), ("band", (2, len(r)))):
            value = getattr(self, name)
            if value is not None:
                value = np.asarray(value, float)
                if value.shape != shape:
                    raise InputError(f"{name}: shape {value.shape} found, {shape} allowed")
                object.__setattr__(self, name, value)
        if unknown := set(self.first_peak_nm) - set(CURVES):
            raise InputError(f"first_peak_nm: {min(unknown)!r} found, allowed are {', '.join(CURVES)}")


@dataclass(frozen=True, eq=False)
class ParticleScene:
    """One acquisition of particles, what was found in it and, when known, its truth.

    Parameters
    ----------
    acquisition : Acquisition
        The images.
    points : PointSet
        The reconstruction, N points.
    truth : ParticleTruth or None
        What is really there, M particles.
    errors_nm : (N, 3) float or None
        Each point less the true particle that it was matched with (x, y, z) [nm]; NaN where it is false.
    limits_nm : (N, 3) float or None
        Smallest standard deviation (x, y, z) [nm] that any unbiased method can have for the matched particle; NaN where
        there is none.
    found : (M,) bool or None
        Which particles of the truth were found.
    scores : dict
        Score by name; None where a score does not exist.
    method : str
        Name of the method that found the points.
    about : str
        Conditions and seed in words.
    radial : RadialCurves or None
        Pair correlation functions.
    residuals : list of dict
        How the points fit the images, one dictionary a view: ``view``, ``rms_px``, ``within_1px``, ``explained``.
    losses : str
        Why particles were missed, in words.
    cell : str
        Of a run of a study: its name in the table of results.

    Raises
    ------
    InputError
        When ``errors_nm``, ``limits_nm`` or ``found`` has another length.
    """

    acquisition: Acquisition
    points: PointSet
    truth: ParticleTruth | None = None
    errors_nm: np.ndarray | None = None
    limits_nm: np.ndarray | None = None
    found: np.ndarray | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    method: str = ""
    about: str = ""
    radial: RadialCurves | None = None
    residuals: list[dict[str, Any]] = field(default_factory=list)
    losses: str = ""
    cell: str = ""
    kind: ClassVar[str] = "particles"

    def __post_init__(self):
        shape = self.points.points_nm.shape
        for name, value in (("errors_nm", self.errors_nm), ("limits_nm", self.limits_nm)):
            if value is not None and np.shape(value) != shape:
                raise InputError(f"{name}: shape {np.shape(value)} found, {shape} allowed, one row a point")
        if self.found is not None:
            shape = () if self.truth is None else self.truth.particles.radii_nm.shape
            if np.shape(self.found) != shape:
                raise InputError(f"found: shape {np.shape(self.found)} found, {shape} allowed, one a true particle")

    @property
    def thickness_nm(self) -> float | None:
        """Of the film [nm]; None when nothing tells it: then no faces are drawn."""
        return self.acquisition.thickness_nm if self.truth is None else self.truth.thickness_nm

    @property
    def reached_nm(self) -> tuple[float, float]:
        """Least and largest depth of what was found [nm]; 0 and 0 for nothing."""
        depths = self.points.points_nm[:, 2]
        return (float(depths.min()), float(depths.max())) if len(depths) else (0.0, 0.0)

    @property
    def size_nm(self) -> tuple[float, float, float]:
        """Width, height and thickness of the film [nm]; without a thickness, what the points reach."""
        if self.truth is not None:
            return (*self.truth.field_nm, self.truth.thickness_nm)
        deepest = float(self.points.points_nm[:, 2].max(initial=1.0))
        return (*self.acquisition.field_nm, self.acquisition.thickness_nm or deepest)

    @property
    def knows_thickness(self) -> bool:
        """Whether the film's thickness is known, or only what the points reach."""
        return self.truth is not None or self.acquisition.thickness_nm is not None

    @property
    def is_matched(self) -> np.ndarray:
        """(N,) whether a true particle is known to belong to a point."""
        if self.errors_nm is None:
            return np.zeros(len(self.points.points_nm), bool)
        return np.asarray(np.isfinite(self.errors_nm).all(axis=1))

    @property
    def is_false(self) -> np.ndarray:
        """(N,) whether no true particle belongs to a point within the field; nowhere without a truth."""
        places, size = self.points.points_nm[:, :2], np.array(self.size_nm[:2])
        inside = ((places >= 0) & (places <= size)).all(axis=1)
        return np.asarray(inside & ~self.is_matched) if self.errors_nm is not None else self.is_matched

    @property
    def is_missed(self) -> np.ndarray:
        """(M,) whether a true particle within the field was not found; nowhere if that is not known."""
        if self.truth is None or self.found is None:
            return np.zeros(0 if self.truth is None else len(self.truth.inside), bool)
        return np.asarray(self.truth.inside & ~np.asarray(self.found, bool))

    @property
    def window_nm(self) -> tuple[float, float, float, float]:
        """Left, right, upper and lower edge [nm] of the window in the middle of the field that shows single particles.

        About 20 of them, so that its side falls with their density.
        """
        width, height = self.acquisition.field_nm
        count = len(self.points.points_nm) if self.truth is None else int(self.truth.inside.sum())
        side = np.clip(np.sqrt(_IN_CROP * width * height / max(count, 1)), *_CROP_NM)
        pixel = self.acquisition.pixel_nm
        left, right = _middle(width, side, pixel)
        upper, lower = _middle(height, side, pixel)
        return left, right, upper, lower

    @property
    def shade(self) -> tuple[np.ndarray, str, Any, tuple[float, float]]:
        """What colours the points in space: values (N,), label, colours and limits."""
        depth = self.points.points_nm[:, 2]
        if self.errors_nm is None:
            return depth, "depth z (nm)", "viridis", (0.0, self.size_nm[2])
        error = np.abs(np.asarray(self.errors_nm, float)[:, 2])
        known = error[np.isfinite(error)]
        most = float(np.quantile(known, 0.98)) if len(known) else 1.0
        return error, "depth error (nm)", style.plasma(), (0.0, max(most, 1e-3))

    @property
    def magnified(self) -> float:
        """How much larger than they are spheres are drawn in a scene, to be seen at all."""
        radii = self.points.radii_nm if self.truth is None else self.truth.particles.radii_nm
        usual = float(np.median(radii_or_default(radii))) if len(radii) else RADIUS_NM
        return max(1.0, _LEAST_SHOWN * float(np.linalg.norm(self.size_nm)) / usual)


def radii_or_default(radii_nm: np.ndarray) -> np.ndarray:
    """Radii (N,) [nm]; where one is not known the median of the others, 2.5 nm where none is."""
    known = np.isfinite(radii_nm)
    return np.where(known, radii_nm, np.median(radii_nm[known]) if known.any() else RADIUS_NM)


def truth_plotter(scene: ParticleScene):
    """The true particles in their film, coloured by whether they were found."""
    assert scene.truth is not None
    plotter = scenes.new_plotter()
    particles = scene.truth.particles
    shown = central(particles.centers_nm, scene.size_nm, scene.truth.inside)
    for mask, colour in ((~scene.is_missed, style.FOUND), (scene.is_missed, style.MISSED)):
        part = particles.where(shown & mask)
        radii = part.radii_nm * scene.magnified
        scenes.add_spheres(plotter, part.centers_nm, radii, sides=_sides(shown), color=colour)
    scenes.add_foil(plotter, scene.size_nm)
    return plotter


def reconstruction_plotter(scene: ParticleScene):
    """The points coloured by depth error, or by depth without a truth; cubes for false ones, frames for missed ones."""
    plotter = scenes.new_plotter()
    values, *scale = scene.shade
    places, radii = scene.points.points_nm, radii_or_default(scene.points.radii_nm) * scene.magnified
    # a wild point must not shrink the film to a dot
    away = np.abs(places / scene.size_nm - 0.5)
    near = np.asarray((away <= np.array([0.55, 0.55, 1.0])).all(axis=1))
    shown = central(places, scene.size_nm, near)
    true = shown & ~scene.is_false
    scenes.add_spheres(plotter, places[true], radii[true], (values[true], *scale), sides=_sides(shown))
    false = shown & scene.is_false
    scenes.add_cubes(plotter, places[false], 2.2 * radii[false], "black", solid=True)
    if scene.truth is not None:
        particles = scene.truth.particles.where(scene.is_missed)
        missed = central(particles.centers_nm, scene.size_nm)
        sides = 4 * scene.magnified * particles.radii_nm[missed]
        scenes.add_cubes(plotter, particles.centers_nm[missed], sides, "black", solid=False)
    scenes.add_box(plotter, scene, float(places[:, 2].min(initial=0.0)))
    return plotter


def central(places_nm: np.ndarray, size_nm, allowed: np.ndarray | None = None) -> np.ndarray:
    """(N,) which of the allowed places (N, 3) [nm] are the 2000 nearest to the middle of the field, by its shape."""
    away = np.abs(places_nm[:, :2] / np.asarray(size_nm[:2]) - 0.5).max(axis=1, initial=0)
    allowed = np.ones(len(away), bool) if allowed is None else allowed
    order = np.argsort(np.where(allowed, away, np.inf), kind="stable")
    shown = np.zeros(len(away), bool)
    shown[order[: scenes.MOST_SPHERES]] = True
    return shown & allowed


def _sides(shown: np.ndarray) -> int:
    """Corners around a sphere: few, as spheres are small, so that two specimens fit on a page."""
    return int(np.clip(np.sqrt(scenes.MOST_VERTICES / 2 / max(shown.sum(), 1)), 6, 16))


def _middle(length: float, side: float, pixel: float) -> tuple[float, float]:
    """Ends of the middle part of a length, on the edges of pixels [nm]."""
    count, whole = max(1, round(min(side, length) / pixel)), round(length / pixel)
    first = (whole - count) // 2
    return first * pixel, (first + count) * pixel
