"""What is about to be done is said first, with its time where it can be told, and what cannot be done at once."""

from __future__ import annotations

import re
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import veristem as vs
from veristem.bench.files.forecast import about, reconstruction_text, simulation_text
from veristem.datasets import DislocationNetwork, InputError
from veristem.datasets.recipe import load_recipe
from veristem.recon.methods import METHODS
from veristem.sim import simulate
from veristem.sim.effort import COSTS, check_lines, core_seconds, work
from veristem.sim.elasticity import octaves
from veristem.sim.networks.foil import tiled
from veristem.sim.ray_strain import Scratch

FOIL = load_recipe("cantor-small")
MEMORY = namedtuple("MEMORY", "available")


@given(st.floats(0, 1e12))
def test_times_have_one_digit(seconds):
    """An estimate is no better; what is said is within a third of it."""
    text = about(seconds)
    if seconds < 2:
        assert text == "about a second"
        return
    _, value, unit = text.split()
    assert len(value.replace(".", "").strip("0")) == 1 or "e+" in value
    assert float(value) * {"s": 1, "min": 60, "h": 3600}[unit] == pytest.approx(seconds, rel=0.34)


def test_a_simulation_is_told():
    """What is made, and about how long it takes, whatever it is; what a file holds may take longer."""
    assert re.match(
        "simulating cantor-small, seed 0: foil of 256 x 256 x 100 nm, 2 views of 64 x 64 pixels; about", text_of({})
    )
    assert "or, with much in the file, longer" in text_of({"specimen.network": {"file": "not-there.data"}})
    film = load_recipe("particles-small")
    assert re.search(r"film of .*; about (a|\d+) s(econd)?, besides", simulation_text(film))
    stored = film.with_values({"specimen.dispersion": {"file": "not-there.csv"}})
    assert "or, with much in the file, longer" in simulation_text(stored)
    scan = simulation_text(load_recipe("tial-4d"))
    assert re.search(
        "4D scan of 256 x 256 pixels, 256 x 256 each, at most 8.6 GB of disk; about .* (min|h), besides", scan
    )
    assert "; about" in text_of({"specimen.regions": {"kind": "lamellae"}})


def text_of(values) -> str:
    """What is said of the foil with other values."""
    return simulation_text(FOIL.with_values(values))


@pytest.mark.parametrize(
    ("values", "cost"),
    [
        ({"microscope.aberrations": "corrected"}, "moved_pixels"),
        ({"stage.tilts_deg": [-5.0, 0.0, 5.0]}, "steps"),
        ({"specimen.diffuse": True}, "samples"),
        ({"specimen.thickness_nm": 200.0}, "strain_bytes"),
        ({"specimen.network.density_per_m2": 1e15}, "divided_parts"),
    ],
)
def test_what_is_asked_for_is_counted(values, cost):
    """An aberrated image moves its rays, each tilt has its own, phonons have some too."""
    plain = FOIL.with_values({"specimen.diffuse": False})
    assert work(plain.with_values(values))[cost] > 1.05 * work(plain).get(cost, 0.0)
    assert set(work(plain.with_values(values))) <= set(COSTS)


def test_particles_and_pixels_of_a_film_add_to_its_time():
    """Twice the particles, or the pixels, take twice the shading."""
    film = load_recipe("particles-small")
    one = work(film)["shaded_pixels"]
    assert work(film.with_values({"specimen.dispersion.concentration_mg_per_ml": 40.0}))["shaded_pixels"] == 2 * one
    larger = film.with_values({"scan.shape": [512, 1024], "specimen.field_nm": [409.6, 204.8]})
    assert work(larger)["shaded_pixels"] == pytest.approx(2 * one)


def test_more_work_takes_longer():
    """Pixels, thickness and line each add to it."""
    less = core_seconds(FOIL)
    for values in (
        {"scan.shape": [128, 128], "specimen.field_nm": [512.0, 512.0]},
        {"specimen.thickness_nm": 200.0},
        {"specimen.network.density_per_m2": 1e15},
    ):
        more = core_seconds(FOIL.with_values(values))
        assert more[0] > less[0]


def test_a_reconstruction_is_told(acquisition):
    """The time of every method of our own is known, with parameters as well, and of no other."""
    for name in METHODS.keys() - {"failing"}:
        for method in (name, f"{name} some=1"):
            assert re.fullmatch(
                f"reconstructing with {method}: 2 views of 20 x 16 pixels; about a second, besides what a first run "
                "compiles",
                reconstruction_text(acquisition, method),
            )
    assert reconstruction_text(acquisition, "mine:run") == "reconstructing with mine:run: 2 views of 20 x 16 pixels"


def test_it_is_told_before_the_work(monkeypatch, simulated, tmp_path):
    """One line each; a file that cannot be written is told before the method is run."""
    said = []

    def work(*_, **__):
        assert len(said) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "simulate_recipe", work)
    with pytest.raises(KeyboardInterrupt):
        vs.simulate(FOIL, tell=said.append)
    said.clear()
    with pytest.raises(InputError, match=r"no/x\.vtp: No such file"):
        vs.reconstruct(simulated / "acquisition.h5", "failing", out=tmp_path / "no/x.vtp", tell=said.append)
    assert said == []


def test_memory_is_told_before_the_file_is_read(monkeypatch):
    """A field of 5 micrometres of a network from a file took 200 s before it was refused, naming no key."""
    monkeypatch.setattr(octaves.psutil, "virtual_memory", lambda: MEMORY(8e9))
    large = FOIL.with_values({
        "specimen.field_nm": [5120.0, 5120.0], "scan.shape": [128, 128], "scan.pixel_nm": 40.0,
        "specimen.thickness_nm": 200.0, "specimen.network": {"file": "not-there.data"},
    })  # fmt: skip
    with pytest.raises(
        InputError, match=r"strain of the foil: \d\d\.\d GB .*specimen.field_nm .*specimen.thickness_nm"
    ):
        vs.simulate(large)


def straight(count: int, box=None) -> DislocationNetwork:
    """Parallel lines through a cube of 100 nm."""
    y, z = np.divmod(np.arange(count), int(np.ceil(count**0.5)))
    at = np.column_stack([0 * y, y + 0.5, z + 0.5]) * 100 / np.ceil(count**0.5)
    nodes = np.stack([at, at + np.array([100.0, 0, 0])], axis=1).reshape(-1, 3)
    burgers = np.tile([0.25, 0.0, 0.0], (count, 1))
    return DislocationNetwork(nodes, np.arange(2 * count).reshape(-1, 2), burgers, np.ones(2 * count, bool), box)


def test_lines_that_are_too_many(monkeypatch):
    """As for a density: what is cut from a file is measured before its strain is found, and divided voxels count."""
    with pytest.raises(
        InputError, match=r"network.file: 1.1e\+06 nm of line in a foil of 256 x 256 x 100 nm found, 1e\+06"
    ):
        check_lines(FOIL, straight(11_000))
    check_lines(FOIL, straight(100))
    monkeypatch.setattr(octaves.psutil, "virtual_memory", lambda: MEMORY(1e6))
    with pytest.raises(InputError, match=r"strain near 1e\+04 nm of line: .* GB of memory needed"):
        check_lines(FOIL, straight(100))
    with pytest.raises(InputError, match="slices of rays"):
        Scratch().array("close", (100, 1000, 1000))


def test_a_crowded_cell_is_not_repeated_for_ever():
    """Each of 100 000 copies may hold many segments."""
    crowded = replace(straight(2000), box_nm=np.array([[0.0] * 3, [100.0] * 3]))
    with pytest.raises(InputError, match="2000 segments in a cell of 100 x 100 x 100 nm found"):
        tiled(crowded, np.zeros(3), np.full(3, 4000.0))
