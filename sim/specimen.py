"""A foil ready for the microscope: its dislocations in the specimen frame, its orientation, the strain they make."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from veristem.datasets.crystal import Material, load_material
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import specimen_from_crystal
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations, FromFile
from veristem.sim.contrast.howie_whelan import Extinction
from veristem.sim.elasticity.voxels import Strain, voxel_distortion
from veristem.sim.film import Film, make_film
from veristem.sim.networks import load_generator
from veristem.sim.networks.foil import clip, continued, cut_foil, sparse_note
from veristem.sim.networks.from_file import read_bulk
from veristem.sim.networks.population import Population

_SIDE_NM = 150.0  # lines of a bulk network are kept this far beyond the field
_SLICE_NM = 2.0  # thickest slice
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
        Foil thickness and depth of the focus plane [nm].
    relaxed_faces : bool
        Whether both faces are free of traction; else the lines lie in an infinite medium.
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
    notes: tuple[str, ...] = ()
    images: dict = field(default_factory=dict, repr=False)  # of detector regions already imaged
    _strains: dict = field(default_factory=dict, repr=False)

    def foil_network(self) -> DislocationNetwork:
        """The lines within the imaged field: the truth."""
        return clip(self.network, np.zeros(3), np.array([*self.field_nm, self.thickness_nm]))

    def slices(self, pixel_nm: float) -> int:
        """How many slices an image with such pixels takes."""
        per_nm = max(1 / _SLICE_NM, 0.25 / pixel_nm, abs(self.s0_per_nm) / _PER_BEAT)
        return int(np.ceil(self.thickness_nm * per_nm))

    def strain(self, pixel_nm: float, shape: tuple[int, int], margin: int) -> tuple[Strain, float]:
        """g·U on (nz, rows + 2 margin, columns + 2 margin) voxels and the slice thickness [nm].

        Computed once for each grid: all views and microscopes of a specimen share it.
        """
        slices = self.slices(pixel_nm)
        key = (slices, pixel_nm, shape, margin)
        if key not in self._strains:
            low = self.network.nodes_nm.min(axis=0)
            high = self.network.nodes_nm.max(axis=0)
            low[2], high[2] = 0.0, self.thickness_nm
            self._strains = {
                key: voxel_distortion(
                    continued(self.network, low, high),
                    self.g_per_nm,
                    (-margin * pixel_nm, -margin * pixel_nm),
                    (self.thickness_nm / slices, pixel_nm, pixel_nm),
                    (slices, shape[0] + 2 * margin, shape[1] + 2 * margin),
                    self.material.poisson_ratio,
                    self.relaxed_faces,
                )
            }
        return self._strains[key], self.thickness_nm / slices

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
        For an unknown material, reflection or generator, a bad file, a foil without lines or thinner than a slice, or
        particles that do not fit.
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
    size = np.array([*table.field_nm, table.thickness_nm])
    notes: list[str] = []
    if isinstance(table.network, FromFile):
        bulk, notes = read_bulk(table.network.file, material, table.network.burgers_magnitude_nm)
        notes += sparse_note(bulk, rotation, size)
        network = cut_foil(bulk, rotation, size, min(_SIDE_NM, 0.3 * size[:2].max()), table.network.center_nm)
    else:
        normals, burgers = (np.array(v) @ rotation.T for v in zip(*material.slip_systems()))
        density = 1e-18 * table.network.density_per_m2
        population = Population(normals, burgers, g, size, density, table.network.visible_fraction)
        network = load_generator(table.network.generator)(population, rng)
    tilt_off = np.radians(table.tilt_off_bragg_deg)
    return Specimen(
        network=network,
        material=material,
        g_hkl=table.g,
        g_per_nm=g,
        s0_per_nm=float(np.linalg.norm(g) * np.sin(tilt_off)),
        field_nm=table.field_nm,
        thickness_nm=table.thickness_nm,
        focus_nm=table.thickness_nm / 2,
        relaxed_faces=table.relaxed_faces,
        notes=tuple(notes),
    )
