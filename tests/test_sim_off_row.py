"""A crystal near a zone axis is said to be one."""

import pytest

from veristem.datasets.crystal import load_material
from veristem.datasets.recipe import load_recipe
from veristem.sim.foil import orientation
from veristem.sim.off_row import off_row_notes


def notes(**values) -> list[str]:
    """Of gamma-TiAl, g = 002 of the zone [110], by a cone of 12.8 mrad, or what is changed."""
    recipe = load_recipe("tial-stem").with_values({key.replace("__", "."): value for key, value in values.items()})
    return off_row_notes(load_material(recipe.specimen.material), orientation(recipe), recipe)


def test_on_the_zone_axis_reflections_of_the_zone_take_part():
    """(1 -1 1) lies nearer to its Bragg condition than 002 itself."""
    (note,) = notes(specimen__tilt_about_g_deg=0.0)
    assert "(-1 1 -1) is near its Bragg condition within the cone of 12.8 mrad" in note
    assert note.endswith("change specimen.tilt_about_g_deg")


@pytest.mark.parametrize("values", [
    {},  # the default turn
    {"specimen__tilt_about_g_deg": 0.0, "microscope__convergence_mrad": 30.0},  # a wide cone meets others anyhow
    {"specimen__tilt_about_g_deg": 0.0, "specimen__beams": 2},  # two-beam cases are asked for
])  # fmt: skip
def test_otherwise_nothing_is_said(values):
    """No warning that one could not act on."""
    assert notes(**values) == []


def test_a_turn_about_g_keeps_g_and_its_excitation_error():
    """Only what is off the row moves; the turned axis is what an acquisition tells."""
    flat, turned = (load_recipe("tial-stem").with_values({"specimen.tilt_about_g_deg": angle}) for angle in (0.0, 8.0))
    g = load_material("gamma-TiAl").reciprocal_per_nm((0, 0, 2))
    assert orientation(turned) @ g == pytest.approx(orientation(flat) @ g, abs=1e-9)
    axis = turned.specimen.nominal_crystal()["zone_axis"]
    crystal = load_material("gamma-TiAl").direction_nm(axis)
    before = load_material("gamma-TiAl").direction_nm((1, 1, 0))
    cosine = crystal @ before / (crystal @ crystal) ** 0.5 / (before @ before) ** 0.5
    assert cosine == pytest.approx(0.99027, abs=1e-5)  # cos 8 deg
