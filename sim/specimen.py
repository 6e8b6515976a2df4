"""A foil ready for the microscope: its dislocations in the specimen frame, its orientation, the strain they make."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from veristem.datasets.crystal import Material, load_material
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import specimen_from_crystal
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations, FromFile, Generated
from veristem.sim.contrast import Fault
from veristem.sim.contrast.howie_whelan import Extinction
from veristem.sim.elasticity.voxels import Strain, voxel_distortion
from veristem.sim.film import Film, make_film
from veristem.sim.networks import load_generator
from veristem.sim.networks.foil import clip, continued, cut_below, cut_foil, sparse_note
from veristem.sim.networks.from_file import crystal_from, read_bulk
from veristem.sim.networks.population import Faulted, Population
from veristem.sim.optics import beyond_nm
from veristem.sim.regions import Regions, make_regions
from veristem.sim.shape import Shape, make_shape
from veristem.sim.sheets import add_sheets

_SIDE_NM = 150.0  # lines of a bulk network are kept this far beyond the field
_SLICE_NM = 2.0  # thickest slice
_FAULT_NM = 1.0  # with faults between partials, which are as sharp as a slice
_VARIANTS = [np.roll(np.eye(3), turn, axis=0) for turn in range(3)]  # c along z, x, y of the cube
_PER_BEAT = 0.1  # thickest slice over the depth 1/s in which the beams get out of step


@dataclass
class Specimen:
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
    regions : Regions, optional
        Lamellae or grains.
    triangles_nm, shifts_nm : (T, 3, 3), (T, 3) float
        Planar faults and the shift of the side to which each normal points, see `sheets.add_sheets`.
    notes : tuple of str
        What a user should know about how it was made.
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
    regions: Regions | None = None
    triangles_nm: np.ndarray = field(default_factory=lambda: np.zeros((0, 3, 3)))
    shifts_nm: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    notes: tuple[str, ...] = ()
    images: dict = field(default_factory=dict, repr=False)  # of detector regions already imaged
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
        if self.regions is not None:
            s += np.abs(self.regions.s_per_nm).max()
        thickest = _FAULT_NM if len(self.triangles_nm) else _SLICE_NM
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
        self, theta_rad, sign: int, pixel_nm: float, shape: tuple[int, int], dz_nm: float, rim: int = 0
    ) -> list[Fault]:
        """Boundaries with a shift, as the rays of one direction meet them, for the reflection ``sign`` g."""
        if self.regions is None:
            return []
        return self.regions.faults(theta_rad, sign, self.focus_nm, pixel_nm, shape, dz_nm, rim)

    def _add_crystal(self, strain: Strain, corner_xyz, step_zyx) -> None:
        """Add to g·U what is not strain of lines: regions, bending, faults."""
        voxels = strain.voxels
        before = voxels[(slice(None), *strain.places.T)]
        add_sheets(voxels, self.triangles_nm, self.shifts_nm @ self.g_per_nm, corner_xyz, step_zyx)
        if self.regions is not None:
            self.regions.add_to(voxels, corner_xyz, step_zyx)
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


def orientation(recipe: Recipe) -> np.ndarray:
    """Rotation (3, 3) from crystal Cartesian to specimen coordinates, tilted to the recipe's excitation error."""
    table = recipe.specimen
    assert isinstance(table, Dislocations)
    material = load_material(table.material)
    tilt = material.bragg_angle_rad(table.g, recipe.microscope.energy_keV) + np.radians(table.tilt_off_bragg_deg)
    zone, g = material.direction_nm(table.zone_axis), material.reciprocal_per_nm(table.g)
    return specimen_from_crystal(zone, g, np.radians(table.g_azimuth_deg), tilt)


def generated(
    table: Dislocations, rotation, g, shape: Shape, regions: Regions | None, beyond: float, rng: np.random.Generator
) -> Faulted:
    """The lines of a generator, with their planar faults; lamellae of other variants have lines of their own.

    Parameters
    ----------
    table : Dislocations
        Its network is a generated one.
    rotation : (3, 3) float
        From crystal to specimen coordinates.
    g : (3,) float
        Reflection in the specimen frame [1/nm].
    shape : Shape
        Of the foil.
    regions : Regions or None
        Lamellae or grains, at whose boundaries lines stop.
    beyond : float
        How far beyond the field the density is met too, where views reach there [nm].
    rng : numpy.random.Generator
        Of everything random.
    """
    wanted = table.network
    assert isinstance(wanted, Generated)
    material, generate = load_material(table.material), load_generator(wanted.generator)
    normals, burgers = (np.array(v) for v in zip(*material.chosen_slip_systems(wanted.plane, wanted.burgers)))
    density = 1e-18 * wanted.density_per_m2

    def fill(share, turn, trim) -> Faulted:
        turned = rotation @ turn
        population = Population(
            normals=normals @ turned.T,
            burgers_nm=burgers @ turned.T,
            g_per_nm=g,
            size_nm=np.array([*(n + 2 * beyond for n in table.field_nm), shape.deepest_nm]),
            density_per_nm2=share * density,
            exit_nm=shape.exit_nm if shape.uneven else None,
            volume_nm3=shape.volume_nm3 if shape.uneven else None,
            visible_fraction=wanted.visible_fraction,
            trim=trim,
            dissociations=tuple(d.rotated(turned) for d in material.dissociations()),
            elastic=(material.shear_modulus_gpa, material.poisson_ratio),
            boundaries=() if regions is None else tuple(regions.boundaries()),
        )
        return Faulted.of(generate(population, rng))

    if regions is None or table.regions is None:
        made = fill(1.0, np.eye(3), None)
        return made.moved([-beyond, -beyond, 0.0]) if beyond else made
    if not table.regions.variants:
        stopped = table.regions.stopped
        return fill(1.0, np.eye(3), lambda line, rng: regions.within(line) if rng.uniform() < stopped else line)
    parts = []
    for number, axes in enumerate(_VARIANTS):
        own = regions.variant == number
        if share := regions.share(own):
            part = fill(share, axes, lambda line, rng, own=own: regions.within(line, own))
            if not own[regions.of(np.mean(part.network.ends_nm(), axis=0))].all():
                raise InputError(
                    f"specimen.regions.variants: true found with lines of {wanted.generator!r}, which no boundary "
                    "stops; another generator allowed"
                )
            parts.append(part)
    return Faulted.union(parts)


def make_specimen(recipe: Recipe, rng: np.random.Generator) -> Specimen | Film:
    """The specimen of a recipe: a foil with dislocations or a film with particles.

    Parameters
    ----------
    recipe : Recipe
        Its specimen table.
    rng : numpy.random.Generator
        Of everything random in the specimen.

    Raises
    ------
    InputError
        For an unknown material, reflection, slip system or generator, a bad file, a foil that holds no line or is
        thinner than a slice, or particles that do not fit.
    """
    table = recipe.specimen
    if not isinstance(table, Dislocations):
        return make_film(recipe, rng)
    if table.thickness_nm < _SLICE_NM:
        raise InputError(
            f"specimen.thickness_nm: {table.thickness_nm:g} found, at least a slice of {_SLICE_NM:g} allowed"
        )
    material = load_material(table.material)
    rotation = orientation(recipe)
    g = rotation @ material.reciprocal_per_nm(table.g)
    shape = make_shape(table, g, rng.spawn(1)[0])
    size = np.array([*table.field_nm, shape.deepest_nm])
    regions = None
    if table.regions is not None:
        regions = make_regions(table.regions, rotation, material, g, size, rng.spawn(1)[0])
    notes: list[str] = []
    triangles, shifts = np.zeros((0, 3, 3)), np.zeros((0, 3))
    if isinstance(table.network, FromFile):
        bulk, notes = read_bulk(table.network.file, material, table.network.burgers_magnitude_nm)
        turn = rotation @ crystal_from(bulk)
        notes += sparse_note(bulk, turn, size)
        side = min(_SIDE_NM, 0.3 * size[:2].max())
        network = cut_foil(bulk, turn, size, side + beyond_nm(recipe), table.network.center_nm)
    else:
        beyond = beyond_nm(recipe)
        if beyond and (shape.uneven or regions is not None):
            beyond = 0.0
            notes.append("no lines beyond the field: an uneven foil and one of regions have them only within it")
        network, triangles, shifts = generated(table, rotation, g, shape, regions, beyond, rng)
    if shape.uneven:
        network = cut_below(network, shape.exit_nm)
    tilt_off = np.radians(table.tilt_off_bragg_deg)
    return Specimen(
        network=network,
        material=material,
        g_hkl=table.g,
        g_per_nm=g,
        s0_per_nm=float(np.linalg.norm(g) * np.sin(tilt_off)),
        field_nm=table.field_nm,
        thickness_nm=shape.deepest_nm,
        shape=shape,
        regions=regions,
        triangles_nm=triangles,
        shifts_nm=shifts,
        focus_nm=table.thickness_nm / 2,
        relaxed_faces=table.relaxed_faces,
        notes=tuple(notes),
    )
