"""Training of the network of particles: what is drawn, what is told, that it learns and answers as it was trained."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from veristem.bench.training import run as training
from veristem.bench.training.draws import FIRST_SEED
from veristem.bench.training.particles import batches, films
from veristem.bench.training.particles.batches import CHANNELS, SIDE_PX, batch, told
from veristem.bench.training.particles.checks import agreement, checked
from veristem.bench.training.particles.draws import drawn
from veristem.bench.training.particles.films import TrainingFilm
from veristem.bench.training.particles.stage import PARTICLES
from veristem.bench.training.run import train_stage
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import load_recipe, load_study, recipe_names
from veristem.recon.particles import learned
from veristem.recon.particles.learned import OUTPUTS, VERSION, particles_in
from veristem.recon.particles.sweep import PLANES, RADIUS_PX, STEP_PX, stacked, sweep_of
from veristem.recon.trained import trained

torch = pytest.importorskip("torch", reason="training needs PyTorch, the extra learn")
QUADRANTS = 0.02 * np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


def drawn_film(seed, side=96, count=24, pixel=0.5):
    """Spheres of 2 nm that cast shades along four directions: what a network learns from, without a simulation."""
    rng = np.random.default_rng(seed)
    places = np.column_stack([rng.uniform(0, side * pixel, (count, 2)), rng.uniform(-60, 60, count)])
    y, x = (np.mgrid[:side, :side] + 0.5) * pixel
    views = np.zeros((4, side, side))
    for view, tangent in enumerate(QUADRANTS):
        for place in places:
            at = place[:2] - place[2] * tangent
            views[view] += 2 * np.sqrt(np.maximum(4.0 - (x - at[0]) ** 2 - (y - at[1]) ** 2, 0))
    recipe = load_recipe("particles-small").model_dump_json()
    return TrainingFilm(
        (0.8 * np.exp(-0.05 * views)).astype(np.float16), np.full(4, 0.2), QUADRANTS,
        np.column_stack([places, np.full(count, 2.0)]), np.array([-60.0, 60.0]), pixel, 0.05, recipe,
    )  # fmt: skip


@pytest.fixture
def begun(tmp_path):
    """A folder whose films are there already."""
    (tmp_path / "films").mkdir()
    for number in range(12):
        films.write(tmp_path / "films" / f"film-{number:05d}.npz", drawn_film(number))
    return tmp_path


def test_no_study_of_ours_has_a_seed_or_a_film_of_training():
    """Else what is learned would be tested on itself; two trainings share no film either."""
    recipes = [drawn(number, seed) for number in range(60) for seed in (0, 1)]
    settings = {json.dumps(r.model_dump(mode="json")["specimen"], sort_keys=True) for r in recipes}
    assert len({r.recipe.seed for r in recipes}) == len(settings) == 120
    assert min(r.recipe.seed for r in recipes) >= FIRST_SEED
    for name in recipe_names("study"):
        study = load_study(name)
        assert (study.first_seed or 0) + study.seeds < FIRST_SEED, name
    for name in recipe_names():
        recipe = load_recipe(name)
        assert json.dumps(recipe.model_dump(mode="json")["specimen"], sort_keys=True) not in settings


def test_a_session_is_drawn_about_its_recipe():
    """Detector and arrangement stay; what is spread stays within its factor; lines and tilts are refused."""
    base = load_recipe("particles")
    for number in range(10):
        recipe = drawn(number, 0, [base])
        assert recipe.microscope == base.microscope
        assert 5 <= recipe.specimen.dispersion.concentration_mg_per_ml <= 20
        assert 178 / 1.25 <= recipe.specimen.thickness_nm <= 178 * 1.25
        assert recipe.scan.shape[0] * recipe.scan.pixel_nm == pytest.approx(recipe.specimen.field_nm[1])
    with pytest.raises(InputError, match=r"dislocations with a virtual detector .* generated particles"):
        drawn(0, 0, [load_recipe("cantor-stereo")])


def test_a_film_of_the_simulator_holds_its_particles(tmp_path):
    """Where the particles are said to show, every view is darker than its median; a file gives the same film."""
    recipe = load_recipe("gate-film").with_values({"scan.shape": [64, 64], "specimen.field_nm": [51.2, 51.2]})
    film = films.made(recipe)
    films.write(tmp_path / "film.npz", film)
    again = films.read(tmp_path / "film.npz")
    assert np.array_equal(again.views, film.views)
    assert again.strength_per_nm == film.strength_per_nm > 0
    for view, tangent in zip(film.views.astype(float), film.tangents):
        at = (film.particles[:, :2] - film.particles[:, 2:3] * tangent) / film.pixel_nm
        i, j = at[((at > 1) & (at < 63)).all(axis=1)].astype(int).T
        assert len(i) > 5
        assert view[j, i].max() < np.median(view)
    (tmp_path / "film.npz").write_bytes(b"none")
    with pytest.raises(InputError, match=r"film.npz: no training film .* remove it"):
        films.read(tmp_path / "film.npz")


def test_what_is_told_of_a_particle_leads_to_it():
    """From every cell near a particle the way told ends on it, and one cell holds it."""
    at = np.array([[20.3, 31.7, 2.4], [60.9, 12.2, 5.6], [21.9, 33.1, 6.1], [-4.0, 10.0, 3.0], [40.0, 40.0, -3.0]])
    target = dict(zip(CHANNELS, told(at)))
    chance = np.stack([target[f"particle_{plane}"] for plane in range(PLANES)])
    assert np.argwhere(chance > 0).tolist() == [[2, 31, 20], [6, 12, 60], [6, 33, 21]]
    j, i = np.nonzero(target["near"])
    ends = np.column_stack([i + 0.5 + target["offset_x"][j, i], j + 0.5 + target["offset_y"][j, i]])
    assert np.linalg.norm(ends[:, None] - at[:3, :2], axis=2).min(axis=1).max() < 1e-5
    for plane in range(PLANES):
        j, i = np.nonzero(target[f"near_z_{plane}"])
        z = plane + target[f"offset_z_{plane}"][j, i]
        assert np.abs(z[:, None] - at[:3, 2]).min(axis=1).max(initial=0) < 1e-5


def test_in_a_batch_every_particle_is_sharp_where_it_is_told_to_be():
    """Through noise, turns, zooms and slabs: the mean image of all, each in its own plane, is a disc in the middle."""
    rng = np.random.default_rng(0)
    images, targets = batch([drawn_film(n) for n in range(3)], 24, rng)
    assert images.shape[2:] == targets.shape[2:] == (SIDE_PX, SIDE_PX)
    pieces = []
    for image, target in zip(images, targets):
        for k, j, i in np.argwhere(target[:PLANES] > 0):
            if 10 <= j < SIDE_PX - 10 and 10 <= i < SIDE_PX - 10:
                pieces.append(image[k, j - 8 : j + 9, i - 8 : i + 9])
    mean = np.mean(pieces, axis=0)
    mean -= np.median(mean[[0, -1]])
    assert len(pieces) > 60
    assert mean[8, 8] == pytest.approx(1.0, abs=0.25)
    y, x = np.mgrid[-8:9, -8:9]
    weight = np.clip(mean, 0.2, None) - 0.2
    assert abs((weight * x).sum() / weight.sum()) < 0.3
    assert abs((weight * y).sum() / weight.sum()) < 0.3


def test_planes_are_apart_by_their_step():
    """Views of a point shift against each other by the stated pixels from plane to plane, whatever their number."""
    for tangents in (QUADRANTS, QUADRANTS[[0, 2]], np.concatenate([QUADRANTS, 0.5 * QUADRANTS])):
        counts = np.full((len(tangents), 32, 32), 100.0, np.float32)
        sweep = sweep_of(counts, counts, tangents, 0.5, RADIUS_PX, 0.02)
        apart = sweep.step - sweep.step.mean(axis=0)
        assert np.sqrt((apart**2).sum(axis=1).mean()) == pytest.approx(STEP_PX)
        assert np.abs(sweep.moment.sum(axis=0)).max() < 1e-12
        assert not stacked(sweep, -3.5, slice(0, 32), slice(0, 32))[:-1].any()


def test_agreement_of_known_particles():
    """Two of three found, one wrong; a deviation of two where one is expected."""
    truth = np.array([[10.0, 10.0, 1.0], [30.0, 30.0, 2.0], [50.0, 50.0, 3.0]])
    found = np.array([[10.5, 10.0, 1.0, 0.25, 0.1], [30.0, 30.0, 2.2, 0.25, 0.1], [50.0, 20.0, 3.0, 0.25, 0.1]])
    both = agreement(found, truth, (64, 64))
    assert both.recall == both.precision == pytest.approx(2 / 3)
    assert both.surprise == pytest.approx(np.array([[2.0, 0.0], [0.0, 4.0]]))
    assert agreement(np.zeros((0, 5)), truth, (64, 64)).precision == 1
    assert agreement(np.zeros((0, 5)), truth, (64, 64)).calibration == [1.0, 1.0]


def test_a_right_answer_costs_less_than_a_wrong_one():
    """Sure and right costs next to nothing; a particle missed costs as its logit says."""
    from veristem.bench.training.particles.losses import particle_loss

    target = torch.from_numpy(told(np.array([[40.5, 40.5, 3.0]]))[None])
    outputs = torch.zeros(1, len(OUTPUTS), SIDE_PX, SIDE_PX)
    outputs[:, :PLANES] = -20.0
    outputs[:, PLANES : 2 * PLANES + 2] = target[:, [*range(PLANES, 2 * PLANES), 3 * PLANES, 3 * PLANES + 1]]
    outputs[:, 3, 40, 40] = 20.0
    right = float(particle_loss(outputs, target))
    assert right == pytest.approx(0.0, abs=1e-3)
    outputs[:, 3, 40, 40] = -20.0
    assert float(particle_loss(outputs, target)) == pytest.approx(right + 20.0, rel=1e-3)


@pytest.mark.slow
def test_a_small_training_learns_and_answers_without_pytorch(begun, monkeypatch):
    """From films to weights; ONNX answers as PyTorch does, at any size; the card and the page are of particles."""
    monkeypatch.setattr(training, "_CHECKS", 4)
    monkeypatch.setattr(batches, "DOSE_PER_NM2", (20_000.0, 80_000.0))
    stage = replace(PARTICLES, steps=60, often=2)
    whole = train_stage(stage, begun, minutes=1, device="cpu", command="veristem train particles -o DIR")
    assert whole.history["loss"].iloc[-1] < 0.75 * whole.history["loss"].iloc[0]
    card, page = ((begun / name).read_text("utf-8") for name in ("card.md", "page.html"))
    assert card.startswith("# Weights: particles")
    assert "10 films" in card
    assert "Training of particles" in page
    network = trained("particles", VERSION, str(whole.weights), 2)

    from veristem.bench.training.fit import Fit

    fit = Fit(stage, 60, 0, "cpu")
    fit.load(begun / "best.safetensors")
    for shape in ((64, 64), (100, 72)):
        image = np.random.default_rng(0).normal(0, 0.3, (stage.image[0], *shape)).astype(np.float32)
        expected = fit.answer(image)
        assert np.abs(network(image) - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())


def test_a_perfect_answer_is_found_in_whole_films_however_deep(monkeypatch):
    """Slabs and tiles put together: each particle comes out once, also where two slabs or tiles meet."""
    rng = np.random.default_rng(0)
    at = np.column_stack([rng.uniform(5, 595, (300, 2)), rng.uniform(-9, 9, 300)])
    sweep = sweep_of(*np.full((2, 4, 600, 600), 100.0, np.float32), QUADRANTS, 0.5, RADIUS_PX, 0.02)
    looked = []

    def look(sweep, first, rows, columns):
        looked.append((first, rows, columns))
        return np.zeros((1, 1, 1), np.float32)

    def answer(image):
        """What a network would say that knows the truth of where it looks."""
        first, rows, columns = looked[-1]
        here = at - [columns.start, rows.start, first]
        outputs = np.full((len(OUTPUTS), rows.stop - rows.start, columns.stop - columns.start), -12.0, np.float32)
        outputs[PLANES:] = 0.0
        for x, y, z in here:
            k, j, i = round(z), int(np.floor(y)), int(np.floor(x))
            if 0 <= k < PLANES and 0 <= j < outputs.shape[1] and 0 <= i < outputs.shape[2]:
                outputs[k, j, i] = 6.0
                outputs[PLANES + k, j, i] = z - k
                outputs[2 * PLANES : 2 * PLANES + 2, j, i] = x - i - 0.5, y - j - 0.5
        return outputs

    monkeypatch.setattr(learned, "stacked", look)
    found = particles_in(sweep, (-9.0, 9.0), answer)
    assert len(found) == 300
    order = np.lexsort(at.T)
    assert found[np.lexsort(found[:, :3].T), :3] == pytest.approx(at[order], abs=1e-2)


def test_a_check_is_the_same_each_time():
    """Counts of a check are drawn anew from the same seed, so that scores of steps can be compared."""
    film = drawn_film(3)
    outputs = np.full((len(OUTPUTS), 64 + 192, 64 + 192), -8.0, np.float32)

    def answer(image):
        return outputs[:, : image.shape[1], : image.shape[2]] + image[:1]

    one, two = checked(film, answer, 0), checked(film, answer, 0)
    assert one[:4] == two[:4]
