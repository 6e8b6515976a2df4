"""A foil ready for the microscope: its dislocations in the specimen frame, its crystal, the strain the lines make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from veristem.datasets.crystal import Material, electron_wavelength_nm, load_material
from veristem.datasets.geometry import Region, Tilt, specimen_from_crystal
from veristem.datasets.microscope import Microscope
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations
from veristem.datasets.truth import LineTruth
from veristem.sim.contrast import Fault
from veristem.sim.contrast.howie_whelan import Extinction
from veristem.sim.elasticity.voxels import Strain, voxel_distortion
from veristem.sim.grains import Grains
from veristem.sim.images import foil_images
from veristem.sim.labels import label_maps
from veristem.sim.networks.foil import clip, continued
from veristem.sim.optics import Image
from veristem.sim.rays import Illumination
from veristem.sim.shape import Shape
from veristem.sim.sheets import add_sheets
from veristem.sim.visibility import visibility

SLICE_NM = 2.0  # thickest slice
_FAULT_NM = 1.0  # with faults between partials, which are as sharp as a slice
_NARROW_MRAD, _NARROW_BEAMS = 20.0, 7  # beams that cones need: reports/published/beams
_PER_BEAT = 0.1  # thickest slice over the depth 1/s in which the beams get out of step


def orientation(recipe: Recipe) -> np.ndarray:
    """Rotation (3, 3) from crystal Cartesian to specimen coordinates, tilted to the recipe's excitation error."""
    table = recipe.specimen
    assert isinstance(table, Dislocations)
    material = load_material(table.material, table.crystal)
    tilt = material.bragg_angle_rad(table.g, recipe.microscope.energy_keV) + np.radians(table.tilt_off_bragg_deg)
    zone, g = material.direction_nm(table.beam_axis), material.reciprocal_per_nm(table.g)
    return specimen_from_crystal(zone, g, np.radians(table.g_azimuth_deg), tilt)


@dataclass
class Foil:
    """One foil.

    Parameters
    ----------
    network : DislocationNetwork
        Its lines in the specimen frame, those just beyond the field included; lines end on the faces.
    material : Material
        Its crystal.
    g_hkl : (3,) float
        Reflection.
    g_per_nm : (3,) float
        Reflection in the specimen frame [1/nm].
    s0_per_nm : float
        Excitation error of the axial ray [1/nm].
    field_nm : (float, float)
        Width and height of the imaged field [nm].
    thickness_nm, focus_nm : float
        Foil thickness, the largest of an uneven foil, and depth of the focus plane [nm].
    relaxed_faces : bool
        Whether both faces are free of traction; else the lines lie in an infinite medium. Those of an uneven foil are
        relaxed as the faces of a slab of its largest thickness.
    shape : Shape, optional
        Wedge, hole, bending and contamination; a slab if not given.
    grains : Grains, optional
        Lamellae or grains.
    triangles_nm, shifts_nm : (T, 3, 3), (T, 3) float
        Planar faults and the shift of the side to which each normal points, see `sheets.add_sheets`.
    notes : tuple of str
        What a user should know about how it was made.
    beams : int or None
        2 for two-beam cases, 3 to 9 for a systematic row about the direct beam; None for what the cone needs.
    diffuse : bool
        Whether electrons that phonons take from the beams are counted where they land.
    between : int
        A row counts from g to 2g in so many steps: 2 where superlattice reflections lie between.
    """

    network: DislocationNetwork
    material: Material
    g_hkl: tuple[float, float, float]
    g_per_nm: np.ndarray
    s0_per_nm: float
    field_nm: tuple[float, float]
    thickness_nm: float
    focus_nm: float
    relaxed_faces: bool = True
    shape: Shape = field(default=None)  # type: ignore[assignment]
    grains: Grains | None = None
    triangles_nm: np.ndarray = field(default_factory=lambda: np.zeros((0, 3, 3)))
    shifts_nm: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    notes: tuple[str, ...] = ()
    beams: int | None = 2
    diffuse: bool = False
    between: int = 1
    drawn_as_seen: ClassVar[bool] = False  # its images are drawn on the focus plane
    imaged: dict = field(default_factory=dict, repr=False)  # of detector regions, and what phonons take
    _strains: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        if self.shape is None:
            self.shape = Shape(np.array(self.field_nm), self.thickness_nm)

    def foil_network(self) -> DislocationNetwork:
        """The lines within the imaged field: the truth."""
        return clip(self.network, np.zeros(3), np.array([*self.field_nm, self.thickness_nm]))

    def slices(self, pixel_nm: float) -> int:
        """How many slices an image with such pixels takes."""
        s = abs(self.s0_per_nm) + np.abs(self.shape.bend_per_nm) @ self.field_nm / 2
        if self.grains is not None:
            s += np.abs(self.grains.s_per_nm).max()
        thickest = _FAULT_NM if len(self.triangles_nm) else SLICE_NM
        per_nm = max(1 / thickest, 0.25 / pixel_nm, s / _PER_BEAT)
        return int(np.ceil(self.thickness_nm * per_nm))

    def strain(self, pixel_nm: float, shape: tuple[int, int], margin: int) -> tuple[Strain, float]:
        """g·U on (nz, rows + 2 margin, columns + 2 margin) voxels and the slice thickness [nm].

        Computed once for each grid: all views and microscopes of a specimen share it.
        """
        slices = self.slices(pixel_nm)
        key = (slices, pixel_nm, shape, margin)
        if key not in self._strains:
            nodes = self.network.nodes_nm
            low = nodes.min(axis=0)
            high = np.tile(nodes.max(axis=0), (len(nodes), 1))
            low[2], high[:, 2] = 0.0, self.exit_nm(nodes)
            corner, step = (-margin * pixel_nm, -margin * pixel_nm), (self.thickness_nm / slices, pixel_nm, pixel_nm)
            strain = voxel_distortion(
                continued(self.network, low, high),
                self.g_per_nm,
                corner,
                step,
                (slices, shape[0] + 2 * margin, shape[1] + 2 * margin),
                self.material.poisson_ratio,
                self.relaxed_faces,
            )
            self._add_crystal(strain, (*corner, 0.0), step)
            self._strains = {key: strain}
        return self._strains[key], self.thickness_nm / slices

    def exit_nm(self, points_nm: np.ndarray) -> np.ndarray:
        """Depth (...) of the exit face below points (..., 3) [nm]."""
        return self.shape.exit_nm(*np.moveaxis(points_nm[..., :2], -1, 0))

    def faults(
        self, theta_rad, part: float, pixel_nm: float, shape: tuple[int, int], dz_nm: float, rim: int = 0
    ) -> list[Fault]:
        """Boundaries with a shift, as the rays of one direction meet them, for the reflection ``part`` g."""
        if self.grains is None:
            return []
        return self.grains.faults(theta_rad, part, self.focus_nm, pixel_nm, shape, dz_nm, rim)

    def _add_crystal(self, strain: Strain, corner_xyz, step_zyx) -> None:
        """Add to g·U what is not strain of lines: regions, bending, faults."""
        voxels = strain.voxels
        before = voxels[(slice(None), *strain.places.T)]
        add_sheets(voxels, self.triangles_nm, self.shifts_nm @ self.g_per_nm, corner_xyz, step_zyx)
        if self.grains is not None:
            self.grains.add_to(voxels, corner_xyz, step_zyx)
        if any(self.shape.bend_per_nm):
            y, x = (corner_xyz[a] + (np.arange(voxels.shape[3 - a]) + 0.5) * step_zyx[2 - a] for a in (1, 0))
            voxels[2] += self.shape.bent_per_nm(x, y[:, None])
        added = voxels[(slice(None), *strain.places.T)] - before
        strain.parts[:] += added.T[:, :, None, None]  # the parts of divided voxels as well

    def extinction(self, energy_keV: float, loss_collected_fraction: float) -> Extinction:
        """Extinction and absorption distances [nm].

        Electrons scattered by phonons go far out and are lost; of those with an energy loss the region still counts
        ``loss_collected_fraction``, so that 1/xi0' = 1/xi0'(phonons) + (1 - fraction) (1/xi0'(all) - 1/xi0'(phonons)).
        """
        xi, xi_abs, everything, phonons = self.material.extinction_distances_nm(self.g_hkl, energy_keV)
        lost = 1 / phonons + (1 - loss_collected_fraction) * (1 / everything - 1 / phonons)
        return Extinction(xi, xi_abs, 1 / lost)

    def illumination(
        self,
        microscope: Microscope,
        tilt: Tilt = Tilt(),  # noqa: B008  (frozen)
        beams: int | None = None,
    ) -> Illumination:
        """What reaches the foil, tilted about g or not; of a row whose first order is a part of g."""
        g, s0, wavelength = self.g_per_nm, self.s0_per_nm, electron_wavelength_nm(microscope.energy_keV)
        narrow = microscope.convergence_mrad < _NARROW_MRAD
        beams = beams or self.beams or (_NARROW_BEAMS if narrow else self.material.wide_cone_beams)
        if beams > 2 and self.between > 1:
            n = self.between
            g, beams = g / n, n * (beams - 1) + 1
            s0 = float(s0 / n + (n - 1) * wavelength * (g @ g) / 2)  # of which s_n is s0
        thickness_nm = self.thickness_nm / np.cos(tilt.angle_rad) ** 2
        return Illumination(1e-3 * microscope.convergence_mrad, g[:2], wavelength, s0, thickness_nm, beams)

    def images(
        self,
        regions: Sequence[Region],
        microscope: Microscope,
        pixel_nm: float,
        shape: tuple[int, int],
        rim: int = 0,
        tilt: Tilt = Tilt(),  # noqa: B008  (frozen)
        moved_nm: Sequence[tuple[float, float]] | None = None,
        steepest_rad: float = 0.0,
    ) -> list[Image]:
        """What detector regions about one centre see of the foil; parameters and errors as of `foil_images`."""
        raster = (pixel_nm, shape, None, rim)
        return foil_images(self, regions, microscope, *raster, tilt, steepest_rad, moved_nm)

    def truth(self, recipe: Recipe, expected, directions_rad, to_image=None, contrast_directions_rad=None) -> LineTruth:
        """What is in the foil and how it was imaged."""
        network = self.foil_network()
        g_dot_b, g_dot_bu, visible = visibility(network, self.g_per_nm)
        pixel, shape = recipe.scan.pixel_nm, recipe.scan.shape
        labels = label_maps(network, visible, directions_rad, self.focus_nm, pixel, shape, to_image)
        if self.grains is not None:
            for label, direction in zip(labels, directions_rad):
                met = self.grains.label(direction, self.focus_nm, pixel, shape)
                label[met & (label == 0)] = 3
        return LineTruth(
            network=network,
            g_dot_b=g_dot_b,
            g_dot_bu=g_dot_bu,
            visible=visible,
            labels=labels,
            field_nm=recipe.specimen.field_nm,
            thickness_nm=self.thickness_nm,
            focus_nm=self.focus_nm,
            expected=expected,
            directions_rad=directions_rad,
            contrast_directions_rad=contrast_directions_rad,
            to_image=to_image,
            recipe=recipe.model_dump(mode="json"),
        )
