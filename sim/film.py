"""A film of ice with particles, ready for the microscope, and its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.formats import read_particles
from veristem.datasets.geometry import Region, Tilt, inverse, mapped, project, rays_of
from veristem.datasets.recipe import Microscope, Recipe
from veristem.datasets.scattering import GOLD, ICE, elastic_per_nm, gains, inelastic_per_nm, sphere_depth
from veristem.datasets.specimens import Centres, Particles
from veristem.datasets.truth import ParticleTruth
from veristem.sim.contrast.mass_thickness import Rays, shade_image
from veristem.sim.dispersions import load_generator
from veristem.sim.film_pattern import FilmRays
from veristem.sim.labels import overlaps
from veristem.sim.optics import Image, finest_rad

_STEP = 0.5  # of a pixel: farthest that neighbouring rays may be apart in the film
_LEVEL = Tilt()


@dataclass
class Film:
    """One film, with the entrance face at z = 0.

    Parameters
    ----------
    particles : ParticleDispersion
        All that can show in an image, those just beyond the field included; the box is the field and the largest
        thickness.
    slope : float
        Rise of the exit face along x.
    thickness_nm, focus_nm : float
        Thickness in the middle of the field and depth of the focus plane [nm].
    rescattering : bool
        Whether electrons scattered into another direction of the cone are counted where they arrive.
    notes : tuple of str
        What a user should know about how it was made.
    """

    particles: ParticleDispersion
    slope: float
    thickness_nm: float
    focus_nm: float
    rescattering: bool
    notes: tuple[str, ...] = ()
    drawn_as_seen: ClassVar[bool] = True  # its images are drawn where the scan sees them
    imaged: dict = field(default_factory=dict, repr=False)  # of detector regions already imaged

    def exit_nm(self, x_nm: np.ndarray) -> np.ndarray:
        """Depth of the exit face at x [nm]."""
        return self.thickness_nm + self.slope * (x_nm - self.particles.box_nm[0] / 2)

    def rays(
        self,
        regions: Sequence[Region],
        microscope: Microscope,
        pixel_nm: float,
        tilt: Tilt = _LEVEL,
        moved_nm: Sequence | None = None,
    ) -> tuple[list[Rays], float]:
        """The rays of detector regions about one centre, and the absorption in the film [1/nm].

        An electron is lost to the regions when it is scattered elastically, less as many as come in from all directions
        of the cone, the same mean for all regions. With rescattering this gain is taken, for the particles, from the
        directions it comes from: nearly the same contrast of a whole particle, but a blur towards the axis that the
        regions' own rays stand out of. What each ray shows is displaced by its aberration less ``moved_nm`` (V, 2).
        """
        energy, cone = microscope.energy_keV, 1e-3 * microscope.convergence_mrad
        aberrations = microscope.aberrations
        deepest = max(self.focus_nm, float(self.particles.box_nm[2]) - self.focus_nm) / np.cos(tilt.angle_rad)
        if regions[0].pixel_rad:
            return self._pixel_rays(regions, microscope, pixel_nm)
        step = min(_STEP * pixel_nm / deepest, finest_rad(aberrations, regions, cone, _STEP * pixel_nm))
        theta, shares, delta = rays_of(regions, cone, step, aberrations.displacement_nm)
        coarse = 2 * _STEP * pixel_nm / deepest if self.rescattering else cone / 30  # they blur, or are only summed
        whole, gained = gains(energy, tuple(regions), cone, coarse, sphere_depth(self.particles.radii_nm, energy))
        kept = {
            GOLD: 0.0 if self.rescattering else gained[GOLD].sum() / shares.sum(),
            ICE: gained[ICE].sum() / shares.sum(),
        }
        gold, ice = _absorption(kept, microscope)
        found = []
        for share, gain, moved in zip(shares, gained[GOLD], moved_nm or np.zeros((len(regions), 2))):
            own = share > 0
            bare, at, weight, off = float(share.sum()), theta[own], share[own], delta[own]
            if self.rescattering:
                at, weight = np.concatenate([at, whole]), np.concatenate([weight, -gain])
                off = np.concatenate([off, aberrations.displacement_nm(whole)])
            if tilt.angle_rad:  # as they run against the ray along the beam, in the plane of the image
                run = np.tan(tilt.into_specimen(at)) - np.tan(tilt.into_specimen(np.zeros(2)))
                at = np.arctan(np.cos(tilt.angle_rad) * run @ tilt.to_image(self.particles.box_nm[:2])[:, :2].T)
            found.append(Rays(at, weight, bare, gold - ice, off - np.asarray(moved)))
        return found, ice

    def pattern(self, microscope: Microscope, pixel_nm: float) -> tuple[FilmRays, float, float]:
        """The rays of the patterns of a pixelated detector, excess of absorption in particles, and the film's [1/nm].

        What ice brings back is its mean over the cone, the same for all pixels; nothing is sent beyond the cone.
        """
        deepest = max(self.focus_nm, float(self.particles.box_nm[2]) - self.focus_nm)
        depth = sphere_depth(self.particles.radii_nm, microscope.energy_keV)
        of = self.particles, self.focus_nm, self.rescattering
        rays = FilmRays(*of, microscope, pixel_nm, _STEP * pixel_nm / deepest, depth)
        gold, ice = _absorption(rays.kept, microscope)
        return rays, gold - ice, ice

    def _pixel_rays(self, regions: Sequence[Region], microscope: Microscope, pixel_nm: float):
        """`rays` of regions of whole pixels: those of their patterns."""
        pattern, per_nm, ice = self.pattern(microscope, pixel_nm)
        theta = pattern.grid.theta_rad
        return [Rays(theta, share @ pattern.shown, share.sum(), per_nm) for share in pattern.shares(regions)], ice

    def region_image(self, region: Region, microscope: Microscope, pixel_nm: float, shape) -> np.ndarray:
        """Share of the cone's electrons that a detector region receives from each pixel, (rows, columns) float64."""
        return self.images([region], microscope, pixel_nm, shape)[0].share

    def images(
        self,
        regions: Sequence[Region],
        microscope: Microscope,
        pixel_nm: float,
        shape: tuple[int, int],
        rim: int = 0,
        tilt: Tilt = _LEVEL,
        moved_nm: Sequence[tuple[float, float]] | None = None,
        steepest_rad: float = 0.0,
    ) -> list[Image]:
        """What detector regions about one centre see of the film, with ``rim`` pixels beyond the field of ``shape``.

        The scan follows the focus plane of a tilted film. ``moved_nm`` (V, 2) moves the images against the shift that
        aberrations leave. ``steepest_rad`` is what a foil takes; a film needs none.
        """
        used = {"energy_keV", "convergence_mrad", "loss_collected_fraction", "aberrations"}
        key = (
            tuple(regions),
            microscope.model_dump_json(include=used),
            pixel_nm,
            shape,
            rim,
            tilt,
            tuple(moved_nm or ()),
        )
        if key not in self.imaged:
            cone = 1e-3 * microscope.convergence_mrad
            seen = self.seen_nm(self.particles.centers_nm, tilt)
            seen = seen + np.array([rim * pixel_nm, rim * pixel_nm, 0.0])
            whole = (shape[0] + 2 * rim, shape[1] + 2 * rim)
            y, x = ((np.arange(n) - rim + 0.5) * pixel_nm for n in whole)
            if tilt.angle_rad:
                places = np.stack(np.broadcast_arrays(x, y[:, None]), axis=-1)
                x = mapped(places, inverse(tilt.to_image(self.particles.box_nm[:2])))[..., 0]
            every, film_per_nm = self.rays(regions, microscope, pixel_nm, tilt, moved_nm)
            level, _ = self.rays(regions, microscope, pixel_nm)
            film = np.exp(-film_per_nm / np.cos(tilt.angle_rad) * self.exit_nm(x))
            self.imaged[key] = []
            for region, rays, flat in zip(regions, every, level):
                shade = shade_image(seen, self.particles.radii_nm, rays, self.focus_nm, pixel_nm, whole)
                contrast = tilt.into_specimen(flat.share @ flat.theta_rad / flat.share.sum())
                self.imaged[key].append(
                    Image(film * (rays.bare + shade), region.mean_direction_rad(cone, tilt), contrast)
                )
        return self.imaged[key]

    def truth(
        self, recipe: Recipe, expected, directions_rad, to_image=None, contrast_directions_rad=None
    ) -> ParticleTruth:
        """What is in the film and how it was imaged; particles that show in no view are left out."""
        pixel, shape = recipe.scan.pixel_nm, recipe.scan.shape
        low, high = -self.particles.radii_nm[:, None], self.particles.box_nm[:2] + self.particles.radii_nm[:, None]
        shows = np.zeros(len(self.particles.radii_nm), bool)
        for view, direction in enumerate(directions_rad):
            at = project(
                self.particles.centers_nm, direction, self.focus_nm, None if to_image is None else to_image[view]
            )
            shows |= ((at > low) & (at < high)).all(axis=1)
        particles = self.particles.where(shows | self.particles.inside_field)
        return ParticleTruth(
            particles=particles,
            labels=overlaps(particles, directions_rad, self.focus_nm, pixel, shape, to_image),
            focus_nm=self.focus_nm,
            expected=expected,
            directions_rad=directions_rad,
            contrast_directions_rad=contrast_directions_rad,
            to_image=to_image,
            recipe=recipe.model_dump(mode="json"),
        )

    def seen_nm(self, points_nm: np.ndarray, tilt: Tilt, to_image=None) -> np.ndarray:
        """Points (N, 3) as the tilted film shows them: where they are in the image, and how deep along the beam.

        Their z is such that ``focus_nm`` lies on the tilted focus plane, which the scan follows. ``to_image`` (2, 3) is
        the map from the focus plane to the image, that of the tilt if not given.
        """
        if not tilt.angle_rad and to_image is None:
            return points_nm
        along = tilt.into_specimen(np.zeros(2))
        to_image = tilt.to_image(self.particles.box_nm[:2]) if to_image is None else to_image
        places = project(points_nm, along, self.focus_nm, to_image)
        depth = (points_nm[:, 2:] - self.focus_nm) / np.cos(tilt.angle_rad)
        return np.concatenate([places, depth + self.focus_nm], axis=1)


def make_film(recipe: Recipe, rng: np.random.Generator) -> Film:
    """The film of a recipe.

    Parameters
    ----------
    recipe : Recipe
        Its specimen table is one of particles.
    rng : numpy.random.Generator
        Of the arrangement.

    Raises
    ------
    InputError
        For particles that do not fit into the film, or a bad file.
    """
    table = recipe.specimen
    assert isinstance(table, Particles)
    slope = float(np.tan(np.radians(table.wedge_deg)))
    width, height = table.field_nm
    box = np.array([width, height, table.thickness_nm + abs(slope) * width / 2])
    notes: list[str] = []
    if isinstance(table.dispersion, Centres):
        stored = read_particles(table.dispersion.file)
        particles, notes = _placed(stored, box, table, slope)
    else:
        diameter = table.dispersion.diameter_nm * (1 + 3 * table.dispersion.spread)
        rim = diameter + box[2] * np.tan(1e-3 * recipe.microscope.convergence_mrad) + recipe.beyond_nm
        larger = np.array([width + 2 * rim, height + 2 * rim, table.thickness_nm])
        centers, radii = load_generator(table.dispersion.generator)(table.dispersion, larger, slope, rng)
        particles = ParticleDispersion(centers - [rim, rim, 0.0], radii, box)
    return film_of(table, particles, tuple(notes))


def _absorption(kept: dict, microscope: Microscope) -> tuple[float, float]:
    """What gold and ice take [1/nm], less the shares that are kept of what they scatter elastically."""
    energy, lost = microscope.energy_keV, 1 - microscope.loss_collected_fraction
    gold, ice = (
        float((1 - kept[m]) * elastic_per_nm(m, energy) + lost * inelastic_per_nm(m, energy)) for m in (GOLD, ICE)
    )
    return gold, ice


def film_of(table: Particles, particles: ParticleDispersion, notes: tuple[str, ...] = ()) -> Film:
    """The film of a recipe table with these particles in it."""
    slope, middle = float(np.tan(np.radians(table.wedge_deg))), table.thickness_nm / 2
    return Film(particles, slope, table.thickness_nm, middle, table.rescattering, notes)


def _placed(
    stored: ParticleDispersion, box: np.ndarray, table: Particles, slope: float
) -> tuple[ParticleDispersion, list[str]]:
    """Particles of a file in the film: where they stand if they fit, else with the middle of both put together."""
    from scipy.spatial import KDTree

    notes: list[str] = []
    centers, radii = stored.centers_nm, stored.radii_nm
    if not len(radii):
        return ParticleDispersion(centers, radii, box), notes
    thinnest = table.thickness_nm - abs(slope) * box[0] / 2
    if 2 * radii.max() > thinnest:
        raise InputError(
            f"{_file(table)}: a particle of {2 * radii.max():.3g} nm in a film of {thinnest:.3g} nm at its thinnest "
            "found, a thicker film allowed; raise specimen.thickness_nm"
        )
    pairs = KDTree(centers).query_pairs(2 * radii.max(), output_type="ndarray")
    apart = np.linalg.norm(centers[pairs[:, 0]] - centers[pairs[:, 1]], axis=1) - radii[pairs].sum(axis=1)
    if len(pairs) and (same := apart + radii[pairs].sum(axis=1) < 1e-6).any():
        first, second = pairs[same][0] + 1
        raise InputError(f"{_file(table)}: particles {first} and {second} at the same place found, one allowed there")
    if (cut := int((apart < -1e-3).sum())) > 0:
        notes.append(f"{cut} pairs of particles in the file cut into each other")

    def fits(where: np.ndarray) -> np.ndarray:
        exit_nm = table.thickness_nm + slope * (where[:, 0] - box[0] / 2)
        return (where[:, 2] >= 0) & (where[:, 2] <= exit_nm)

    if not (fits(centers).all() and (centers[:, :2] >= 0).all() and (centers[:, :2] <= box[:2]).all()):
        middle = (centers.min(axis=0) + centers.max(axis=0)) / 2
        shift = np.array([box[0], box[1], table.thickness_nm]) / 2 - middle
        centers = centers + shift
        notes.append(f"the particles of the file were moved by {_vector(shift)} nm into the film")
    if not (inside := fits(centers)).all():
        raise InputError(
            f"{_file(table)}: particle {int(np.flatnonzero(~inside)[0]) + 1} outside a film of {table.thickness_nm:g} "
            "nm found, all within allowed; raise specimen.thickness_nm"
        )
    return ParticleDispersion(centers, radii, box), notes


def _file(table: Particles) -> str:
    return getattr(table.dispersion, "file", "")


def _vector(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{v:.4g}" for v in values) + ")"
