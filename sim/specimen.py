"""From a recipe to a specimen ready for the microscope: a foil with dislocations or a film with particles."""

from __future__ import annotations

import numpy as np

from veristem.datasets.crystal import load_material
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations, FromFile, Generated
from veristem.sim.effort import check_lines, check_room
from veristem.sim.film import Film, make_film
from veristem.sim.foil import SLICE_NM, Foil, orientation
from veristem.sim.grains import Grains, make_grains
from veristem.sim.networks import load_generator
from veristem.sim.networks.foil import cut_below, cut_foil, place_note, place_of, sparse_note
from veristem.sim.networks.from_file import crystal_from, read_bulk
from veristem.sim.networks.population import Faulted, Population
from veristem.sim.off_row import off_row_notes
from veristem.sim.shape import Shape, make_shape

Specimen = Foil | Film

_SIDE_NM = 150.0  # lines of a bulk network are kept this far beyond the field
_VARIANTS = [np.roll(np.eye(3), turn, axis=0) for turn in range(3)]  # c along z, x, y of the cube


def generated(
    table: Dislocations, rotation, g, shape: Shape, grains: Grains | None, beyond: float, rng: np.random.Generator
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
    grains : Grains or None
        Lamellae or grains, at whose boundaries lines stop.
    beyond : float
        How far beyond the field the density is met too, where views reach there [nm].
    rng : numpy.random.Generator
        Of everything random.
    """
    wanted = table.network
    assert isinstance(wanted, Generated)
    material, generate = load_material(table.material, table.crystal), load_generator(wanted.generator)
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
            boundaries=() if grains is None else tuple(grains.boundaries()),
        )
        return Faulted.of(generate(population, rng))

    if grains is None or table.regions is None:
        made = fill(1.0, np.eye(3), None)
        return made.moved([-beyond, -beyond, 0.0]) if beyond else made
    if not table.regions.variants:
        stopped = table.regions.stopped
        return fill(1.0, np.eye(3), lambda line, rng: grains.within(line) if rng.uniform() < stopped else line)
    parts = []
    for number, axes in enumerate(_VARIANTS):
        own = grains.variant == number
        if share := grains.share(own):
            part = fill(share, axes, lambda line, rng, own=own: grains.within(line, own))
            if not own[grains.of(np.mean(part.network.ends_nm(), axis=0))].all():
                raise InputError(
                    f"specimen.regions.variants: true found with lines of {wanted.generator!r}, which no boundary "
                    "stops; another generator allowed"
                )
            parts.append(part)
    return Faulted.union(parts)


def make_specimen(recipe: Recipe, rng: np.random.Generator) -> Specimen:
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
        thinner than a slice or larger than memory, or particles that do not fit.
    """
    return _MAKERS[recipe.specimen.kind](recipe, rng)


def make_foil(recipe: Recipe, rng: np.random.Generator) -> Foil:
    """The foil of a recipe whose specimen table is one of dislocations; parameters and errors as of `make_specimen`."""
    table = recipe.specimen
    assert isinstance(table, Dislocations)
    if table.thickness_nm < SLICE_NM:
        raise InputError(
            f"specimen.thickness_nm: {table.thickness_nm:g} found, at least a slice of {SLICE_NM:g} allowed"
        )
    check_room(recipe)
    material = load_material(table.material, table.crystal)
    material.extinction_distances_nm(table.g, recipe.microscope.energy_keV)  # a forbidden one is said before the work
    rotation = orientation(recipe)
    g = rotation @ material.reciprocal_per_nm(table.g)
    shape = make_shape(table, g, rng.spawn(1)[0])
    size = np.array([*table.field_nm, shape.deepest_nm])
    grains = None
    if table.regions is not None:
        grains = make_grains(table.regions, rotation, material, g, size, rng.spawn(1)[0])
    notes = off_row_notes(material, rotation, recipe)
    if table.crystal is not None:
        notes += [f"{material.name}: {material.source[key]}" for key in ("b_angstrom2", "xi_0_abs_nm")]
    triangles, shifts = np.zeros((0, 3, 3)), np.zeros((0, 3))
    if isinstance(table.network, FromFile):
        bulk, read = read_bulk(table.network.file, material, table.network.burgers_magnitude_nm)
        turn = rotation @ crystal_from(bulk)
        notes += read + sparse_note(bulk, turn, size)
        side = min(_SIDE_NM, 0.3 * size[:2].max())
        place = place_of(bulk, turn, size, table.network.place, rng)
        network = cut_foil(bulk, turn, size, side + recipe.beyond_nm, place)
        notes.append(place_note(bulk, network, size, table.network.place, place))
        check_lines(recipe, network)
    else:
        beyond = recipe.beyond_nm
        if beyond and (shape.uneven or grains is not None):
            beyond = 0.0
            notes.append("no lines beyond the field: an uneven foil and one of regions have them only within it")
        network, triangles, shifts = generated(table, rotation, g, shape, grains, beyond, rng)
    if shape.uneven:
        network = cut_below(network, shape.exit_nm)
    tilt_off = np.radians(table.tilt_off_bragg_deg)
    return Foil(
        network=network,
        material=material,
        g_hkl=table.g,
        g_per_nm=g,
        s0_per_nm=float(np.linalg.norm(g) * np.sin(tilt_off)),
        field_nm=table.field_nm,
        thickness_nm=shape.deepest_nm,
        shape=shape,
        grains=grains,
        beams=table.beams,
        between=material.orders_between(table.g, recipe.microscope.energy_keV),
        diffuse=table.diffuse,
        triangles_nm=triangles,
        shifts_nm=shifts,
        focus_nm=table.thickness_nm / 2,
        relaxed_faces=table.relaxed_faces,
        notes=tuple(notes),
    )


_MAKERS = {"dislocations": make_foil, "particles": make_film}
