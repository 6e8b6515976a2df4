"""Studies of record of the physics, small: what they measure is what they say."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from scripts import ROOT, script
from veristem.datasets.geometry import Region
from veristem.datasets.recipe import load_recipe
from veristem.sim.foil import Foil
from veristem.sim.specimen import make_specimen

angles, beams, faces, segments = (
    script(f"reports/published/{name}/make.py") for name in ("angles", "beams", "faces", "segments")
)


def test_measures_of_a_line():
    """Of a profile whose contrast, width and place are known."""
    away = 0.4 * np.exp(-((beams._X - 7.0) ** 2) / (2 * 6.0**2))
    found = beams.measured(np.append(0.3 * (1 - away), 0.3))
    assert found.contrast == pytest.approx(0.4, rel=0.02)
    assert found.position_nm == pytest.approx(7.0, abs=0.01)
    assert found.width_nm == pytest.approx(6.0 / np.sqrt(2), rel=0.02)
    assert found.background == 0.3


def test_few_beams_miss_most_of_a_line_in_copper():
    """In a cone of 12 mrad the row of copper's 111 is far from two beams, and five beams are close to seven."""
    crystal, disc = beams.Crystal.of("Cu", (1, 1, 1)), Region((0.0, 0.0), 12e-3)
    seen = {n: beams.profiles(crystal, disc, 12.0, n)[1:2] for n in (2, 5, 7)}
    assert beams.difference(seen[2], seen[7])[0] > 0.3
    assert beams.met(beams.difference(seen[5], seen[7])).tolist()[0]
    assert not beams.difference(seen[7], seen[7]).any()


def test_profiles_shifted_by_a_nanometre():
    """The largest correlation tells it, whatever the contrast."""
    first, second = (np.append(1 - c * np.exp(-((beams._X - at) ** 2) / 50), 1.0) for c, at in ((0.4, 3.0), (0.2, 4.0)))
    assert beams.shift_nm(first, second) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("name", ["gamma-TiAl", "Si", "Ti", "GaN"])
def test_lines_of_all_materials_leave_no_fault(name):
    """g·b of every order of the row is a whole number, and not 0."""
    crystal = beams.Crystal.of(name)
    turns = crystal.g_per_nm * crystal.burgers_nm[0]  # g lies along x but for the Bragg angle
    assert abs(turns - round(turns)) < 0.02
    assert round(turns) != 0


def test_parts_of_an_image_of_free_faces():
    """Ends of lines, lines and background do not share a pixel, and the figure is drawn about an end."""
    recipe = load_recipe(faces.RECIPE)
    foil = make_specimen(recipe, np.random.default_rng(recipe.recipe.seed).spawn(2)[0])
    assert isinstance(foil, Foil)
    parts = list(faces.regions(foil, (512, 512)).values())
    assert np.sum(parts, axis=0).max() == 1
    assert all(part.any() for part in parts)
    tips = faces.ends(foil.network, foil.thickness_nm, 512.0)
    column, row = np.floor(tips[0]).astype(int)
    assert parts[2][row, column]
    image = np.random.default_rng(0).normal(1, 0.1, (512, 512))
    assert len(faces.figure(image, np.roll(image, 1), tips).axes) == 8  # six pictures, two scales


def test_profiles_are_shifted_to_agree():
    """A profile and itself moved to the right, over a background that is not."""
    x = np.arange(128.0)
    left, right = (100 - 8 * np.exp(-((x - at) ** 2) / 30) + 5 * np.exp(-((x - at - 9) ** 2) / 50) for at in (55, 58.3))
    shift, alike = angles.shift_nm(left, right, 2.0)
    assert shift == pytest.approx(6.6, abs=0.02)
    assert alike > 0.999


def test_angle_of_exact_disparities():
    """Where depths are wrong by a known amount, that is what is left."""
    depth = np.linspace(20, 180, 9)
    wrong = np.tile([2.0, -4.0, 2.0], 3)  # no slope, no mean
    disparity = 2 * np.tan(np.radians(2.25) / 2) * (depth + wrong) + 3.0
    angle, left = angles.angle_deg(depth, disparity)
    assert angle == pytest.approx(2.25, rel=1e-6)
    assert left == pytest.approx(np.sqrt(np.mean(wrong**2)), rel=1e-6)


def test_particles_that_only_absorb_measure_the_mean_direction():
    """Centroids of particles move by the angle between the mean directions, 2.25 degrees, not between the rims."""
    (found,) = angles.particles(14.0, rescattering=False)
    assert found.measured == pytest.approx(2.25, abs=0.01)
    assert found.scale(found.mean) == pytest.approx(1, abs=0.003)
    assert found.scale(found.rim) < 0.75


def test_particles_that_scatter_measure_a_larger_angle():
    """Centroids move by that between the directions of the contrast, what is darkest by less."""
    centroid, contour = angles.particles(14.0)
    assert centroid.measured == pytest.approx(2.97, abs=0.02)
    assert centroid.scale(centroid.contrast) == pytest.approx(1, abs=0.003)
    assert 2.3 < contour.measured < centroid.measured
    for angle, error in angles.MULTISLICE_DEG.values():
        assert abs(centroid.measured - angle) < error + 0.05


def test_page_on_segments_says_what_was_measured():
    """Its table is that of the scores beside it, and a pair of segments lies where the cone ends."""
    folder = ROOT / "reports/published/segments"
    found = json.loads((folder / "scores.json").read_text("utf-8"))
    assert segments.rows_of(found) in (folder / "README.md").read_text("utf-8")
    for cone, name in product(segments.CONES_MRAD, segments.PAIRS):
        lines = segments._angles(found, cone, "none", name)
        assert lines[0, 1] < np.degrees(2e-3 * cone)
        assert lines[0, 2] == pytest.approx(lines[0, 1], rel=0.03)  # electrons come from where the segment is
