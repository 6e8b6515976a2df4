"""Training of contours: what is drawn, what is told, that it learns, resumes and says what goes wrong."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import KDTree

from drawn_foils import drawn_foil
from veristem.bench.training import run as training
from veristem.bench.training.agreement import together
from veristem.bench.training.bands import batches as band_batches
from veristem.bench.training.bands.stage import BANDS
from veristem.bench.training.batches import CHANNELS, SIDE_PX, _turned, batch
from veristem.bench.training.checks import agreement
from veristem.bench.training.contours import CONTOURS
from veristem.bench.training.draws import FIRST_SEED, drawn
from veristem.bench.training.examples import make_all
from veristem.bench.training.foils import read, write
from veristem.bench.training.painting import painted
from veristem.bench.training.run import train_stage
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import load_recipe, load_study, recipe_names
from veristem.recon.contours import learned
from veristem.recon.contours.learned import SCALE_PX, answer, learned_contours, normalised, padded
from veristem.recon.stereo.bands import ACROSS, REACH
from veristem.recon.trained import trained

FEW = replace(CONTOURS, steps=20)
torch = pytest.importorskip("torch", reason="training needs PyTorch, the extra learn")


@pytest.fixture
def begun(tmp_path):
    """A folder whose foils are there already."""
    (tmp_path / "foils").mkdir()
    for number in range(12):
        write(tmp_path / "foils" / f"foil-{number:05d}.npz", drawn_foil(number))
    return tmp_path


def test_no_study_of_ours_has_a_seed_or_a_setting_of_training():
    """Else what is learned would be tested on itself."""
    training_recipes = [drawn(number, seed)[0] for number in range(40) for seed in (0, 1)]
    settings = {json.dumps(r.model_dump(mode="json")["specimen"], sort_keys=True) for r in training_recipes}
    assert len({r.recipe.seed for r in training_recipes}) == 80
    assert min(r.recipe.seed for r in training_recipes) >= FIRST_SEED
    for name in recipe_names("study"):
        study = load_study(name)
        assert (study.first_seed or 0) + study.seeds < FIRST_SEED, name
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.recipe.seed < FIRST_SEED
        assert json.dumps(recipe.model_dump(mode="json")["specimen"], sort_keys=True) not in settings


def test_a_session_is_drawn_about_its_recipe():
    """Material and lens stay; what is spread stays within its stated factor."""
    base = load_recipe("cantor-stereo").with_values({"specimen.material": "Al"})
    for number in range(10):
        recipe, radii = drawn(number, 0, [base])
        assert recipe.specimen.material == "Al"
        assert 160 <= recipe.specimen.thickness_nm <= 250
        assert all(15 / 1.6 <= radius <= 15 * 1.6 for radius in radii)
    with pytest.raises(InputError, match=r"particles with a .* found, dislocations with a virtual one allowed"):
        drawn(0, 0, [load_recipe("particles")])


def test_what_is_told_of_a_line_leads_to_it():
    """From every pixel near a line the way told ends on it, also after mirrors, turns and zooms."""
    rng = np.random.default_rng(4)
    foils = [drawn_foil(1)]
    _, targets = batch(foils, 24, rng)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
    for target in targets:
        told = dict(zip(CHANNELS, target))
        near = told["near"] > 0
        if not near.any():
            continue
        ends = np.column_stack([(x + told["offset_x"])[near], (y + told["offset_y"])[near]])
        ends = ends[((ends > 0) & (ends < SIDE_PX)).all(axis=1)]
        on = told["line"] > 0
        to_line = KDTree(np.column_stack([x[on], y[on]])).query(ends)[0]
        assert np.quantile(to_line, 0.98) < 0.8


def test_a_turn_of_image_and_target_is_the_same_turn():
    """A pixel marked in both stays the same pixel."""
    target = np.zeros((len(CHANNELS), SIDE_PX, SIDE_PX), np.float32)
    image = np.random.default_rng(0).normal(size=(SIDE_PX, SIDE_PX)).astype(np.float32)
    target[0] = image
    for seed in range(8):
        turned, told = _turned(image, target.copy(), np.random.default_rng(seed))
        assert np.array_equal(turned, told[0])


def test_painting_keeps_shares_that_can_be_counted():
    """Whatever is painted, no pixel receives less than nothing, and grey stays of the same order."""
    foil = drawn_foil(2)
    for seed in range(40):
        image, boundary, lost = painted(
            foil.views[0], np.full(foil.views[0].shape, np.inf), np.random.default_rng(seed)
        )
        assert image.min() >= 0
        assert np.isfinite(image).all()
        assert 0.001 < image.mean() < 5
        assert boundary.shape == lost.shape == image.shape


def test_agreement_of_known_curves():
    """A curve along half of a line, and one apart from all: a half found, two thirds of the claim true."""
    line = np.column_stack([np.arange(10, 110, 0.25), np.full(400, 60.0)]).astype(np.float32)
    foil = drawn_foil(0, 1, 128)
    foil = replace(foil, visible_px=[line])
    sigma = np.full((2, 1), 0.5)
    along = np.column_stack([[[10.0, 61.0], [60.0, 61.0]], sigma])
    apart = np.column_stack([[[10.0, 100.0], [35.0, 100.0]], sigma])
    found = agreement([along, apart], foil, 0)
    assert found.recall == pytest.approx(0.5, abs=0.03)
    assert found.precision == pytest.approx(2 / 3, abs=0.02)
    assert np.median(found.surprise) == pytest.approx(4.0, rel=0.05)  # an error of 1 where 0.5 is expected
    assert agreement([], foil, 0).precision == 1
    assert together([found, found]).recall == pytest.approx(found.recall)


def test_losses_of_known_answers():
    """A sure and right answer costs next to nothing, a sure and wrong one costs as its logits say."""
    from veristem.bench.training.losses import contour_loss

    told = dict.fromkeys(CHANNELS, 0.0) | {"line_weight": 1.0, "boundary_weight": 1.0}
    target = torch.zeros(1, len(CHANNELS), 8, 8)
    for number, name in enumerate(CHANNELS):
        target[:, number] = told[name]
    outputs = torch.zeros(1, 5, 8, 8)
    outputs[:, [0, 3]] = -20.0
    assert float(contour_loss(outputs, target)) == pytest.approx(0.0, abs=1e-3)
    outputs[:, 0] = 20.0
    wrong = float(contour_loss(outputs, target))
    assert wrong == pytest.approx(3 * 20 + 1 - 1 / 65, rel=1e-3)  # cross entropy and Dice
    target[:, CHANNELS.index("line")] = target[:, CHANNELS.index("near")] = 1.0
    outputs[:, 1] = 3.0
    far = float(contour_loss(outputs, target))
    assert far == pytest.approx(0.5 * 2.5 + 0.1 * 0.5 * 9, rel=1e-2)  # smooth L1 of 3, and surprise at variance 1


def test_a_small_training_learns_resumes_and_exports(begun, monkeypatch):
    """From foils to weights: lines are found, a stopped run ends as one that was not, ONNX answers as PyTorch."""
    from veristem.bench.training.fit import Fit

    monkeypatch.setattr(training, "_CHECKS", 5)
    whole = train_stage(
        replace(CONTOURS, steps=110), begun, minutes=1, device="cpu", command="veristem train contours -o DIR"
    )
    assert whole.best.f_score > 0.85
    assert whole.history["f_score"].iloc[-1] > whole.history["f_score"].iloc[0]
    card = (begun / "card.md").read_text("utf-8")
    assert "veristem train contours -o DIR" in card
    assert f"precision {whole.best.precision:.2f}" in card
    assert "%" in (begun / "page.html").read_text("utf-8")

    foils = [read(path) for path in sorted((begun / "foils").glob("*.npz"))][:3]
    one, two = Fit(CONTOURS, 6, 5, "cpu"), Fit(CONTOURS, 6, 5, "cpu")
    for _ in range(6):
        one.step(foils)
    for _ in range(3):
        two.step(foils)
    two.save(begun / "half.safetensors", {"history": []})
    three = Fit(CONTOURS, 6, 9, "cpu")
    three.seed = 5
    three.load(begun / "half.safetensors")
    for _ in range(3):
        three.step(foils)
    for a, b in zip(one.network.state_dict().values(), three.network.state_dict().values()):
        assert torch.equal(a, b)

    fit = Fit(CONTOURS, 110, 0, "cpu")
    fit.load(begun / "best.safetensors")
    for shape in ((64, 64), (203, 131)):
        view = np.random.default_rng(0).poisson(50, shape).astype(np.float32)
        monkeypatch.setattr(learned, "_MIRRORS", learned._MIRRORS[:1])
        found = answer(view, str(whole.weights))
        image = padded(normalised(view))
        fit.network.eval()
        with torch.no_grad():
            expected = fit.network(torch.from_numpy(image[None, None]))[0].numpy()[:, : shape[0], : shape[1]]
        assert np.abs(found - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())
    image = drawn_foil(77).views[0]
    (curves,) = learned_contours(500 * image[None], 2.0, 6.0, str(whole.weights)).curves_nm
    assert len(curves) >= 2


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_training_with_the_best_weights(begun, monkeypatch):
    """What was learned until then is exported, and it is said."""
    from veristem.bench.training.fit import Fit

    step = Fit.step
    monkeypatch.setattr(training, "_CHECKS", 10)
    monkeypatch.setattr(Fit, "step", lambda fit, foils: float("nan") if fit.done == 5 else step(fit, foils))
    found = train_stage(FEW, begun, minutes=1, device="cpu")
    assert "no number at step 5" in found.notes[0]
    assert found.weights.exists()
    assert len(found.history) == 2


@pytest.mark.slow
def test_a_disk_that_fills_ends_training_in_a_line_and_it_goes_on(begun, monkeypatch):
    """Foils, the last state and the best weights are kept, nothing half-written; with space it goes on from there."""
    from veristem.bench.training.fit import Fit

    put, step, left, steps = Path.write_bytes, Fit.step, [3], []

    def full(path, content):
        left[0] -= 1
        if left[0] < 0:
            put(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(path, content)

    monkeypatch.setattr(training, "_CHECKS", 5)
    monkeypatch.setattr(Fit, "step", lambda fit, foils: steps.append(fit.done) or step(fit, foils))
    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match=r"(state|best)\.safetensors: No space left on device; choose a folder"):
            train_stage(FEW, begun, minutes=1, device="cpu")
    kept = {path.name for path in begun.iterdir()}
    assert kept == {"foils", "training.json", "best.safetensors", "state.safetensors", ".lock"}
    fit = Fit(FEW, 20, 0, "cpu")
    fit.load(begun / "state.safetensors")
    first, steps[:] = len(steps), []
    assert 0 < fit.done <= first < 20
    assert train_stage(FEW, begun, minutes=1, device="cpu").weights.exists()
    assert steps == list(range(fit.done, 20))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sets a limit to the size of files")
def test_training_that_cannot_write_ends_with_2(begun):
    """Whatever library writes, and from the command line: one line, and the foils are kept.

    No file may be larger than a megabyte, half of what the state of a training takes.
    """
    import resource

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    command = [sys.executable, "-c", "from veristem.bench.cli import main; main()", "train", "contours", "-o", begun]
    command += ["--minutes", "1", "--workers", "1", "--device", "cpu"]
    ended = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error")]
    assert "best.safetensors: File too large; choose a folder" in line
    assert "Traceback" not in ended.stderr
    assert len(list((begun / "foils").glob("*.npz"))) == 12
    assert not list(begun.glob(".veristem*"))


def test_a_foil_that_finds_no_space_is_not_there(tmp_path, monkeypatch):
    """Half a foil would be read as one; those before it are kept."""

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    write(tmp_path / "foil-00000.npz", drawn_foil(0))
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match=r"foil-00001\.npz: No space left on device"):
        write(tmp_path / "foil-00001.npz", drawn_foil(1))
    assert [path.name for path in tmp_path.iterdir()] == ["foil-00000.npz"]


def test_what_cannot_be_trained_is_refused_in_a_line(begun, monkeypatch):
    """Without PyTorch, for particles, another device, a folder of another training, a foil that is none."""
    with pytest.raises(InputError, match="minutes"):
        train_stage(FEW, begun, minutes=0.1)
    with pytest.raises(InputError, match="device"):
        train_stage(FEW, begun, minutes=1, device="abacus")
    with pytest.raises(InputError, match="a training with other seed was begun in it; choose a new folder"):
        train_stage(FEW, begun, minutes=1, seed=3)
    (begun / "foils" / "foil-00003.npz").write_bytes(b"no foil")
    with pytest.raises(InputError, match=r"foil-00003.npz: no training foil .* remove it"):
        train_stage(FEW, begun, minutes=1)
    monkeypatch.setattr(training, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"no torch found, which it needs; `pip install veristem\[learn\]`"):
        train_stage(FEW, begun, minutes=1)


def test_foils_are_made_once(begun):
    """Those that are there are not made again, and nothing is to be done."""
    assert list(make_all(CONTOURS, 12, 0, (), begun / "foils", 1)) == []


def test_a_foil_of_the_simulator_holds_its_lines(tmp_path):
    """Where the points say that lines are, the expected image of a real foil is darker than elsewhere."""
    from veristem.bench.training.foils import made

    recipe = load_recipe("cantor-stereo").with_values({
        "scan.shape": [48, 48], "specimen.field_nm": [96.0, 96.0], "specimen.beams": 2, "specimen.diffuse": False,
        "specimen.network.density_per_m2": 2e14, "specimen.network.visible_fraction": 1.0,
        "microscope.aberrations": "none", "specimen.thickness_nm": 60.0,
    })  # fmt: skip
    foil = made(recipe, [4.0])
    write(tmp_path / "foil.npz", foil)
    again = read(tmp_path / "foil.npz")
    assert np.array_equal(again.views, foil.views)
    assert again.recipe == foil.recipe
    i, j = np.clip(foil.visible_px[0].astype(int), 0, 47).T
    assert len(i) > 50
    assert foil.views[0][j, i].mean() < np.median(foil.views[0])


def test_curves_that_are_off_are_moved_as_far_back():
    """Targets of bands say how far a curve was moved, turn with the bands, and know what lies beyond a line's end."""
    rng = np.random.default_rng(0)
    pair = band_batches.seen(drawn_foil(0), 0, 1.0, rng)
    bands, target = zip(*(band_batches.moved(pair, rng) for _ in range(40)))
    apart, aside, there, known = np.stack(target, axis=1)
    dark = np.array([[view.mean(axis=1).argmin() for view in band] for band in bands])
    shown = 2 * REACH * SCALE_PX * (dark / (ACROSS - 1) - 0.5)
    straight = (there.mean(axis=1) == 1) & (np.ptp(apart, axis=1) < 1.5) & (np.ptp(aside, axis=1) < 1.5)
    assert straight.sum() >= 3
    for number in np.flatnonzero(straight):
        assert abs((shown[number, 1] - shown[number, 0]) - apart[number].mean()) < 2
        assert abs(shown[number].mean() - aside[number].mean()) < 2
    assert set(np.unique(there)) == {0.0, 1.0}
    assert (there <= known).all()
    turned = [band_batches._turned(bands[0], target[0], np.random.default_rng(n)) for n in range(12)]
    assert {round(float(np.abs(t[0]).sum()), 3) for _, t in turned} == {round(float(np.abs(target[0][0]).sum()), 3)}


def test_bands_are_compared_at_every_shift():
    """What stands at one place of the first band and another of the second is found at the shift between them."""
    from veristem.recon.stereo.network import _SHIFTS, BandNetwork

    network = BandNetwork()
    network.compared = torch.nn.Identity()
    for first, second in ((10, 13), (20, 8), (16, 16), (2, 30)):
        found = torch.zeros(2, 12, ACROSS, 5)
        found[0, :, first], found[1, :, second] = 1.0, 2.0
        products = network._products(found, 1)
        assert products.shape == (1, 2, 2 * _SHIFTS + 1, 5)
        met = abs(second - first) <= _SHIFTS
        assert float(products.sum()) == pytest.approx(2 * 5 * 12 / 2 * 2 / ACROSS if met else 0.0)
        if met:
            assert (products[0, 0].argmax(0) - _SHIFTS).unique().tolist() == [second - first]


def test_loss_of_bands_of_known_answers():
    """How far off costs as smooth L1 where a line is, and nothing elsewhere; whether one is costs as its logits say."""
    from veristem.bench.training.bands.losses import band_loss

    target = torch.zeros(1, 4, 8)
    target[:, 3] = 1.0
    outputs = torch.zeros(1, 4, 8)
    outputs[:, 0], outputs[:, 2] = 5.0, -20.0
    assert float(band_loss(outputs, target)) == pytest.approx(0.0, abs=1e-6)
    target[:, 2], outputs[:, 2] = 1.0, 20.0
    assert float(band_loss(outputs, target)) == pytest.approx(4.5 + 0.1 * 0.5 * 25, rel=1e-5)


@pytest.mark.slow
def test_a_small_training_of_bands_brings_curves_back(begun, tmp_path, monkeypatch):
    """With the foils of another training: curves that are off end nearer, and ONNX answers as PyTorch at any length."""
    from veristem.bench.training.fit import Fit

    monkeypatch.setattr(training, "_CHECKS", 2)
    (begun / "training.json").write_text(json.dumps({"stage": "contours", "recipes": [], "seed": 0}))
    few = replace(BANDS, steps=50, size=24)
    found = train_stage(few, tmp_path / "bands", minutes=1, device="cpu", examples=begun)
    assert not (tmp_path / "bands" / "foils").exists()
    assert found.best.recall > 0.5
    fit = Fit(few, 50, 0, "cpu")
    fit.load(tmp_path / "bands" / "best.safetensors")
    for length in (17, 130):
        band = np.random.default_rng(0).normal(size=(2, ACROSS, length)).astype(np.float32)
        told = trained("bands", BANDS.version, str(found.weights))(band)
        np.testing.assert_allclose(told, fit.answer(band), atol=1e-5)
    with pytest.raises(InputError, match="seed"):
        train_stage(few, tmp_path / "other", minutes=1, seed=3, examples=begun)
    with pytest.raises(InputError, match="no training found"):
        train_stage(few, tmp_path / "other", minutes=1, examples=tmp_path / "nowhere")
