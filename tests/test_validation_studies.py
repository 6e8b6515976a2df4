"""The studies of bench/validation, small: what they measure is what they say."""

from __future__ import annotations

import numpy as np
import pytest

from veristem.bench.validation import beams, faces
from veristem.datasets.recipe import load_recipe
from veristem.sim.specimen import Specimen, make_specimen


def test_measures_of_a_line():
    """Of a profile whose contrast, width and place are known."""
    away = 0.4 * np.exp(-((beams._X - 7.0) ** 2) / (2 * 6.0**2))
    found = beams.measured(np.append(0.3 * (1 - away), 0.3))
    assert found.contrast == pytest.approx(0.4, rel=0.02)
    assert found.position_nm == pytest.approx(7.0, abs=0.01)
    assert found.width_nm == pytest.approx(6.0 / np.sqrt(2), rel=0.02)
    assert found.background == 0.3


def test_few_beams_miss_most_of_a_line_in_copper():
    """At 12 mrad the row of copper's 111 is far from two beams, and five beams are close to seven."""
    lines = beams.compared((12.0,), (100.0,), ("Cu 111",), (2, 5, 7))["Cu 111"]
    assert lines.shape == (1, 3, 1, 4)
    assert beams.differences(lines)[0, 0] > 0.3
    assert beams.differences(lines, 1)[0, 0] < 0.1
    assert beams.enough(lines, (12.0,)) == []
    assert beams.enough(lines[:, [2, 2]], (12.0,)) == [12.0]


def test_parts_of_an_image_of_free_faces():
    """Ends of lines, lines and background do not share a pixel, and the figure is drawn about an end."""
    recipe = load_recipe(faces.RECIPE)
    foil = make_specimen(recipe, np.random.default_rng(recipe.recipe.seed).spawn(2)[0])
    assert isinstance(foil, Specimen)
    parts = list(faces.regions(foil, (512, 512)).values())
    assert np.sum(parts, axis=0).max() == 1
    assert all(part.any() for part in parts)
    tips = faces.ends(foil.network, foil.thickness_nm, 512.0)
    column, row = np.floor(tips[0]).astype(int)
    assert parts[2][row, column]
    image = np.random.default_rng(0).normal(1, 0.1, (512, 512))
    assert len(faces.figure(image, np.roll(image, 1), tips).axes) == 8  # six pictures, two scales
