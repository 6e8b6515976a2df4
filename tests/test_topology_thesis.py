"""The rows of the thesis that are ranked by topology: every condition can be asked for, and masks are drawn alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scripts import script
from veristem.bench.topology.ranking import rank_scores
from veristem.datasets import DislocationNetwork
from veristem.datasets.recipe import load_recipe
from veristem.datasets.truth import LineTruth
from veristem.sim.simulate import simulate_recipe

thesis = script("reports/published/topology/make.py")


@pytest.mark.parametrize("row", thesis.ROWS, ids=lambda row: row.name)
def test_every_condition_is_a_recipe(row):
    """Checked as `veristem simulate` does; no two are the same, and the field stays."""
    recipes = [load_recipe(row.recipe).with_values({**row.values, **values}) for values in row.conditions.values()]
    assert len({recipe.model_dump_json() for recipe in recipes}) == len(row.conditions)
    assert {tuple(recipe.specimen.field_nm) for recipe in recipes} == {tuple(recipes[0].specimen.field_nm)}
    text = "\n".join(
        thesis.table(row, rank_scores({name: np.ones(2) for name in row.conditions}, np.random.default_rng(0)), 2.5)
    )
    assert "Empty masks: 2.5" in text
    assert row.thesis in text
    assert all(name in text for name in row.conditions)


def test_figure_marks_the_choice_of_the_thesis():
    """A panel a row; only the dose of T17 was chosen outside what is tried; worse ones are hollow."""
    far = {row.name: {name: np.array([i, i + 0.1]) for i, name in enumerate(row.conditions)} for row in thesis.ROWS}
    panels = thesis.thesis_figure(far, dict.fromkeys(far, 9.0)).axes[: len(thesis.ROWS)]
    marked = {panel.get_title(loc="left"): len(panel.patches) for panel in panels}
    assert marked == {row.name: {"T14 HAADF": 2, "T17 dose": 0}.get(row.name, 1) for row in thesis.ROWS}
    for panel, row in zip(panels, thesis.ROWS):
        faces = [container.lines[0].get_markerfacecolor() for container in panel.containers]
        assert len(faces) == len(row.conditions)
        assert faces.count("white") == len(faces) - 1


@pytest.mark.parametrize("pixel_nm", [2.0, 4.0])
def test_masks_lie_on_one_grid_whatever_the_pixels(pixel_nm):
    """A line across the field, dark in a blank image, is found where it is; both masks have pixels of 2 nm."""
    recipe = load_recipe("cantor-small").with_values({
        "specimen.field_nm": [128.0, 128.0], "specimen.thickness_nm": 20.0, "specimen.network.density_per_m2": 2e14,
        "scan.shape": [int(128 / pixel_nm)] * 2, "scan.pixel_nm": pixel_nm,
    })  # fmt: skip
    truth, acquisition, _ = simulate_recipe(recipe)
    assert isinstance(truth, LineTruth)
    ends = np.array([[0.0, 64.0, 10.0], [128.0, 64.0, 10.0]])
    network = DislocationNetwork.from_polyline(ends, np.array([0.0, 0.25, 0.0]))
    one = {"network": network, "g_dot_b": np.ones(1), "g_dot_bu": np.zeros(1), "visible": np.ones(1, bool)}
    y = (np.arange(int(128 / pixel_nm)) + 0.5) * pixel_nm
    rng = np.random.default_rng(0)
    image = rng.poisson(1e4 * (1 - 0.2 * np.exp(-(((y - 64) / 5) ** 2) / 2))[:, None] * np.ones(len(y)))
    views = np.stack([image, image]).astype(np.float32)
    found, there = thesis.masks(replace(truth, focus_nm=10.0, **one), replace(acquisition, views=views))
    assert found.shape == there.shape == (int(128 / thesis.GRID_NM),) * 2
    assert there.sum() == pytest.approx(8.0 * 128 / thesis.GRID_NM**2, rel=0.05)
    assert (found & there).sum() > 0.8 * found.sum() > 0
