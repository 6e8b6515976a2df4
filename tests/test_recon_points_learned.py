"""points-learned with the shipped network: any size, pixel and number of views, no PyTorch, bad weights in a line."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from veristem.bench.scoring import score_points
from veristem.datasets import Acquisition, InputError
from veristem.datasets.recipe import load_recipe
from veristem.recon.methods import run_method
from veristem.recon.particles.learned import OUTPUTS, STRIDE, VERSION, _slabs, found_in, reconstruct
from veristem.recon.particles.sweep import CHANNELS, PLANES
from veristem.recon.trained import WEIGHTS, trained
from veristem.sim.simulate import simulate_recipe


@pytest.fixture(scope="module")
def film():
    """A field of 103 nm with some forty particles, by pixels of 0.8 nm."""
    truth, acquisition, _ = simulate_recipe(load_recipe("gate-film"))
    return truth, acquisition


def test_particles_of_a_film_are_found(film):
    """Nearly all, placed by the joint fit; the network alone sees most of them in the plane of the image."""
    truth, acquisition = film
    scores = score_points(truth, run_method("points-learned", acquisition))
    assert scores["f_score"] > 0.85
    alone = run_method("points-learned joint=false", acquisition)
    assert score_points(truth, alone, tolerance_nm=20.0)["f_score"] > 0.85
    assert (np.linalg.eigvalsh(alone.covariance_nm2) > 0).all()


def test_the_network_answers_at_any_size():
    """Sides need be multiples of the stride alone."""
    network = trained("particles", VERSION, None, 2)
    for shape in ((STRIDE, STRIDE), (64, 20), (36, 100)):
        assert network(np.zeros((CHANNELS, *shape), np.float32)).shape == (len(OUTPUTS), *shape)


def test_what_the_network_leaves_to_the_cells_becomes_particles():
    """A sum of one is one particle, of two is two, of less than half is none; two apart stay apart."""
    outputs = np.full((len(OUTPUTS), 32, 32), -12.0, np.float32)
    outputs[PLANES:] = 0.0
    logit = np.log(0.3 / 0.7)
    outputs[2, 10, 10:13] = logit  # a particle of which it is not known in which cell it is
    outputs[3, 20, 20] = outputs[3, 20, 22] = 5.0
    outputs[5, 28, 5] = np.log(0.4 / 0.6)
    found = found_in(outputs)
    found = found[np.lexsort(found[:, :3].T[::-1])]
    assert found[:, :3] == pytest.approx(np.array([[11.5, 10.5, 2.0], [20.5, 20.5, 3.0], [22.5, 20.5, 3.0]]), abs=0.05)


def test_slabs_cover_every_depth_once():
    """However thick the film is: between its ends each depth is told of by one slab, well within it."""
    for low, high in ((-2.0, 2.0), (-3.4, 3.6), (-12.0, 20.0)):
        slabs = _slabs((low, high))
        borders = [slabs[0][1], *(b for _, _, b in slabs)]
        assert borders[0] == -np.inf
        assert borders[-1] == np.inf
        assert all(a == b for (_, _, a), (_, b, _) in itertools.pairwise(slabs))
        for first, a, b in slabs:
            assert first <= max(a, low) + 0.5
            assert min(b, high) <= first + PLANES - 0.5


def test_points_learned_runs_without_torch():
    """Users who only reconstruct need no PyTorch: its import fails, and all goes on."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from veristem.datasets import Acquisition\n"
        "from veristem.recon.particles.learned import reconstruct\n"
        "views = np.random.default_rng(0).poisson(50, (2, 64, 64)).astype(float)\n"
        "views[:, 20:32, 20:32] *= 0.5\n"
        "given = Acquisition(views, [[0.02, 0], [-0.02, 0]], 0.4, 50.0, 100.0, kind='particles')\n"
        "print(len(reconstruct(given, diameter_nm=4.5).points_nm) < 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_bad_weights_and_parameters_are_refused_in_a_line(film, tmp_path):
    """Missing, of another stage, not so many rounds: one line that says which and what to do."""
    _, acquisition = film
    with pytest.raises(InputError, match=r"none\.onnx: no such file; a \.onnx file of `veristem train particles`"):
        reconstruct(acquisition, weights=str(tmp_path / "none.onnx"))
    with pytest.raises(InputError, match="version 1 of contours found, version 1 of particles allowed"):
        reconstruct(acquisition, weights=str(WEIGHTS / "contours.onnx"))
    with pytest.raises(InputError, match="rounds: 0 found"):
        reconstruct(acquisition, rounds=0)
    with pytest.raises(InputError, match="diameter_nm, spread: -1"):
        reconstruct(acquisition, diameter_nm=-1.0)
    with pytest.raises(
        InputError, match=r"diameter_nm: particles of .* nm found, at least two pixels, 1\.6 nm, allowed"
    ):
        reconstruct(acquisition, diameter_nm=0.01)  # enlarged to the network's pixels this would fill any memory


@pytest.mark.slow
def test_mirrored_views_give_mirrored_particles(film):
    """Nothing but the views tells where up is."""
    _, acquisition = film
    width = acquisition.field_nm[0]
    turned = Acquisition(
        acquisition.views[:, :, ::-1], acquisition.directions_rad * [-1, 1], acquisition.pixel_nm,
        acquisition.focus_nm, acquisition.thickness_nm, kind="particles",
    )  # fmt: skip
    plain = Acquisition(
        acquisition.views, acquisition.directions_rad, acquisition.pixel_nm, acquisition.focus_nm,
        acquisition.thickness_nm, kind="particles",
    )  # fmt: skip
    one, other = reconstruct(plain).points_nm, reconstruct(turned).points_nm
    assert abs(len(one) - len(other)) <= 0.1 * len(one)
    other = other * [-1, 1, 1] + [width, 0, 0]
    nearest = np.linalg.norm(one[:, None] - other[None], axis=2).min(axis=1)
    assert (nearest < 0.5).mean() > 0.85
