"""What several tests share: the real cases and tiny made-up data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest

from veristem.datasets import Acquisition, DislocationNetwork, InputError, LineTruth

SEED = 987654321
SMALL = (
    "specimen.field_nm=[256,256]",
    "specimen.thickness_nm=100",
    "specimen.beams=2",
    "specimen.diffuse=false",
    "specimen.network.density_per_m2=1e14",
    "scan.shape=[64,64]",
    "scan.pixel_nm=4",
)

TINY = """
[recipe]
name = "tiny"
[specimen]
thickness_nm = 60.0
field_nm = [96.0, 96.0]
relaxed_faces = false
beams = 2
diffuse = false
network = { density_per_m2 = 3.0e14 }
[scan]
shape = [24, 24]
pixel_nm = 4.0
[microscope]
detector = { kind = "virtual", radius_mrad = 4.0 }
"""


def pytest_configure(config):
    """One thread a test process where several run at once: threads that wait for each other take twice the time."""
    if config.getoption("numprocesses", None):  # what begins the others, which read this as they import NumPy
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    if "PYTEST_XDIST_WORKER" in os.environ:
        numba.set_num_threads(1)


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Set the number of threads of compiled loops, as it was before after the test; 2 are to be had."""
    if numba.config.NUMBA_NUM_THREADS < 2:  # type: ignore[attr-defined]
        pytest.skip("one thread only")
    before = numba.get_num_threads()
    yield numba.set_num_threads
    numba.set_num_threads(before)


@pytest.fixture
def cli(monkeypatch, capsys) -> Callable[..., Ended]:
    """The command line, called in this process: cli("list", "methods")."""
    from veristem.bench.cli import main

    def run(*arguments) -> Ended:
        monkeypatch.setattr(sys, "argv", ["veristem", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Ended(int(end.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def refused_after() -> Callable[..., None]:
    """Change an HDF5 file, and read it: one line that names the file and what is wrong in it."""
    import h5py

    def check(path: Path, change: Callable, read: Callable, message: str) -> None:
        with h5py.File(path, "a") as file:
            change(file)
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)

    return check


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Options that make the default recipe small: 64 x 64 pixels of 4 nm, and a dense thin foil."""
    return [part for value in SMALL for part in ("--set", value)]


@pytest.fixture(scope="session")
def tiny() -> str:
    """Text of a recipe whose images take some hundredths of a second."""
    return TINY


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    """Folder with the three files of a small simulation with seed SEED; not to be written to."""
    from veristem.bench.commands.options import values_of
    from veristem.bench.files.simulation import save_simulation
    from veristem.datasets.recipe import load_recipe
    from veristem.sim.simulate import simulate_recipe

    folder = tmp_path_factory.mktemp("simulated")
    recipe = load_recipe("cantor-stereo").with_values(values_of([*SMALL, f"recipe.seed={SEED}"]))
    save_simulation(folder, *simulate_recipe(recipe)[:2])
    return folder


@pytest.fixture(scope="session")
def two_doses(tmp_path_factory):
    """Folder and table of the study of tests/studies.py; not to be changed."""
    from studies import RECIPE, STUDY
    from veristem.bench.study.runner import run_study

    folder = tmp_path_factory.mktemp("study")
    return folder, run_study(STUDY, RECIPE, folder)


@pytest.fixture(scope="session")
def cases() -> Path:
    """Folder of real files: VERISTEM_CASES, or ../shared/cases beside the repository."""
    folder = Path(os.environ.get("VERISTEM_CASES") or Path(__file__).parents[1] / "../shared/cases").resolve()
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}; set VERISTEM_CASES")
    return folder


@pytest.fixture
def network() -> DislocationNetwork:
    """Three arms that meet in a node, their far ends pinned; conserved."""
    nodes = [[100.0, 120.0, 50.0], [10.0, 120.0, 0.0], [180.0, 60.0, 100.0], [180.0, 190.0, 100.0]]
    b = np.array([[0.18, 0.18, 0.0], [0.0, 0.18, -0.18], [0.18, 0.0, 0.18]])
    return DislocationNetwork(nodes, [[1, 0], [0, 2], [0, 3]], b, pinned=[False, True, True, True])


@pytest.fixture
def acquisition() -> Acquisition:
    """A pair of 16 x 20 counts with every optional field set."""
    views = np.random.default_rng(0).poisson(1000.0, (2, 16, 20))
    return Acquisition(
        views,
        directions_rad=[[0.07, 0.0], [-0.07, 0.0]],
        pixel_nm=2.0,
        focus_nm=100.0,
        thickness_nm=200.0,
        electrons_per_pixel=[1000.0, 1000.0],
        energy_keV=200.0,
        convergence_rad=0.091,
        material="CoCrFeMnNi",
        zone_axis=[1, 1, 0],
        g=[0, 0, 2],
        g_azimuth_rad=np.pi / 2,
        tilt_off_bragg_rad=0.0024,
    )


@pytest.fixture
def truth(network, acquisition) -> LineTruth:
    """A truth that fits `network` and `acquisition`; its seed and true directions differ from what the latter tells."""
    labels = np.zeros(acquisition.views.shape, np.uint8)
    labels[:, 8, :] = 1
    return LineTruth(
        network=network,
        g_dot_b=np.array([0.0, -1.0, 1.0]),
        g_dot_bu=np.array([0.1, 0.2, 0.3]),
        visible=np.array([False, True, True]),
        expected=np.full(acquisition.views.shape, 1000.0, np.float32),
        labels=labels,
        directions_rad=np.array([[0.0701, 0.0002], [-0.0699, 0.0002]]),
        field_nm=(40.0, 32.0),
        thickness_nm=203.0,
        focus_nm=101.5,
        recipe={"recipe": {"name": "tiny", "version": 1, "seed": 987654321}},
    )


@pytest.fixture
def foil_with_line():
    """A function that makes a foil of 100 nm with one line, g along y and b along g with g·b = 1, from its ends."""
    from veristem.datasets.crystal import load_material
    from veristem.datasets.network import DislocationNetwork
    from veristem.sim.foil import Foil

    def make(ends_nm, side_nm: float = 128.0) -> Foil:
        material = load_material("CoCrFeMnNi")
        g = np.array([0.0, np.linalg.norm(material.reciprocal_per_nm((0, 0, 2))), 0.0])
        network = DislocationNetwork.from_polyline(np.array(ends_nm, float), np.array([0, 1 / g[1], 0]))
        return Foil(network, material, (0, 0, 2), g, 0.0, (side_nm, side_nm), 100.0, 50.0)

    return make


SMALL_4D = {
    "specimen.field_nm": [64, 64],
    "specimen.thickness_nm": 100.0,
    "specimen.relaxed_faces": False,
    "specimen.network.density_per_m2": 5e14,
    "scan.shape": [16, 16],
    "scan.pixel_nm": 4.0,
    "microscope.convergence_mrad": 24.0,
    "microscope.detector.shape": [48, 40],
    "microscope.detector.pixel_mrad": 1.5,
    "microscope.detector.pair_angle_deg": 1.5,
    "microscope.detector.radius_mrad": 6.0,
    "microscope.detector.vacuum_shape": [4, 4],
}


def small_4d(**values):
    """The named 4D scan, small."""
    from veristem.datasets.recipe import load_recipe

    return load_recipe("tial-4d").with_values(
        SMALL_4D | {key.replace("__", "."): value for key, value in values.items()}
    )


# the film of the named 4D scan, as small, before the same detector
SMALL_FILM_4D = {key: value for key, value in SMALL_4D.items() if key.split(".")[0] != "specimen"} | {
    "specimen.field_nm": [32, 32],
    "specimen.dispersion.concentration_mg_per_ml": 60.0,
    "scan.pixel_nm": 2.0,
}


def small_film_4d(**values):
    """The named 4D scan of a film, small."""
    from veristem.datasets.recipe import load_recipe

    return load_recipe("film-4d").with_values(
        SMALL_FILM_4D | {key.replace("__", "."): value for key, value in values.items()}
    )


def write_4d(recipe, folder, **options) -> np.ndarray:
    """Counts of a scan that was written and read again."""
    from veristem.datasets.formats.scans import read_scan
    from veristem.sim.scan4d import simulate_scan
    from veristem.sim.simulate import streams
    from veristem.sim.specimen import make_specimen

    specimen_rng, noise = streams(recipe.recipe.seed)
    folder.mkdir(exist_ok=True)
    simulate_scan(make_specimen(recipe, specimen_rng), recipe, noise, folder, "key", **options)
    return read_scan(folder / "scan.zspy").data[...]


@pytest.fixture(scope="session")
def recipe_4d():
    """The named 4D scan, small: recipe_4d(scan__dwell_us=20.0)."""
    return small_4d


@pytest.fixture(scope="session")
def film_4d():
    """The named 4D scan of a film, small: film_4d(scan__dwell_us=20.0)."""
    return small_film_4d


@pytest.fixture(scope="session")
def written():
    """Counts of a scan of a recipe that was written into a folder and read again: written(recipe, folder)."""
    return write_4d
