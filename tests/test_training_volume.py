"""Training of disparities after the thesis: what is told, what losses cost, that it learns, ONNX as PyTorch."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from drawn_foils import drawn_foil
from veristem.bench.training import draws
from veristem.bench.training import run as training
from veristem.bench.training.foils import write
from veristem.bench.training.run import train_stage
from veristem.bench.training.volume import foils
from veristem.bench.training.volume.batches import SIZE, TARGETS, batch, piece
from veristem.bench.training.volume.checks import checked
from veristem.bench.training.volume.stage import VOLUME
from veristem.recon.stereo.thesis import LEVEL_PX, LEVELS, RANGE_PX
from veristem.recon.trained import trained

torch = pytest.importorskip("torch", reason="training needs PyTorch, the extra learn")


def test_foils_are_those_of_contours_made_cheaper():
    """The same specimens and seeds, apart from those of studies: two beams, and one of the radii."""
    for number in range(6):
        (recipe, (radius,)), (own, radii) = foils.drawn(number, 5), draws.drawn(number, 5)
        assert radius in radii
        specimen, its = (r.model_dump(mode="json")["specimen"] for r in (recipe, own))
        assert specimen == its | {"beams": 2}
        assert recipe.recipe.seed == own.recipe.seed >= draws.FIRST_SEED


def known_of(target):
    """Rows, columns and disparities [px of half the resolution] of the pixels whose disparity is told."""
    told = dict(zip(TARGETS, target))
    j, i = np.nonzero(told["known"])
    return j, i, told["disparity"][j, i] / 2


def test_what_is_told_of_a_pixel_leads_to_the_same_line_in_the_other_view():
    """As far along the row as told the second view is darkest, and it is brighter a pixel to either side; whichever
    view is the first, mirrored or not."""
    rng = np.random.default_rng(2)
    offs = np.arange(-4, 5)
    profiles = []
    for seed in range(8):
        views, target = piece(drawn_foil(seed), 2, rng, dose=50.0, zoom=1.0 if seed % 2 else 1.3)
        small = views[1].reshape(SIZE[1] // 2, 2, SIZE[0] // 2, 2).mean(axis=(1, 3))
        j, i, shift = known_of(target)
        to = np.round(i + shift).astype(int)
        inside = (to >= 4) & (to < small.shape[1] - 4)
        profiles.append([small[j[inside], to[inside] + off].mean() for off in offs])
    found = np.mean(profiles, axis=0)
    assert offs[found.argmin()] == 0
    assert found[4] < min(found[3], found[5]) - 0.1


def test_a_batch_tells_nothing_beyond_the_range():
    """Pixels that are told lie on lines, within the range; both signs come."""
    views, targets = batch([drawn_foil(0), drawn_foil(1)], 8, np.random.default_rng(0))
    assert views.shape == (8, 2, SIZE[1], SIZE[0])
    assert targets.shape == (8, len(TARGETS), SIZE[1] // 2, SIZE[0] // 2)
    disparity, known, line, weight = targets.transpose(1, 0, 2, 3)
    assert (known <= line).all()
    assert (known <= weight).all()
    assert np.abs(disparity).max() <= RANGE_PX
    assert disparity.min() < 0 < disparity.max()


def outputs_of(shares: dict[int, float], rows: int = 2, columns: int = 8, line: float = 0.0):
    """Outputs of the network that tell every pixel the same shares of some levels, and logits of a line."""
    logits = torch.full((1, LEVELS + 1, rows, columns), -40.0)
    for level, share in shares.items():
        logits[:, LEVELS // 2 + level] = float(np.log(share))
    logits[:, LEVELS] = line
    return logits


def target_of(disparity: float, rows: int = 2, columns: int = 8):
    """Targets of that disparity everywhere, and a line everywhere."""
    told = dict.fromkeys(TARGETS, 1.0) | {"disparity": disparity}
    return torch.stack([torch.full((1, rows, columns), told[name]) for name in TARGETS], dim=1)


def test_losses_of_known_answers():
    """Each term by hand, alone and together: half at 0 and half at 4 pixels, where 2 and where 5 would be right."""
    from veristem.bench.training.volume.losses import volume_loss

    outputs, alone = outputs_of({0: 0.5, 2: 0.5}), partial(volume_loss, disparity=0, variance=0, warp=0)
    assert float(alone(outputs, target_of(2.0))) == 0
    assert float(alone(outputs, target_of(2.0), disparity=1)) == pytest.approx(0.0, abs=1e-5)
    assert float(alone(outputs, target_of(2.5), disparity=1)) == pytest.approx(0.5 * 0.5**2, rel=1e-5)
    assert float(alone(outputs, target_of(5.0), disparity=1)) == pytest.approx(3.0 - 0.5, rel=1e-5)
    assert float(alone(outputs, target_of(2.0), variance=1)) == pytest.approx((4 + 4) / 2, rel=1e-5)
    assert float(alone(outputs, target_of(5.0), variance=1)) == pytest.approx((25 + 1) / 2, rel=1e-5)
    # a line of probability 1/2 everywhere, brought from a column to the right, which the last column does not have
    cross = (7 * np.log(2) + 100.0) / 8  # log 0 counts as -100
    assert float(alone(outputs, target_of(2.0), warp=1)) == pytest.approx(cross, rel=1e-5)
    whole = float(volume_loss(outputs, target_of(5.0)))
    assert whole == pytest.approx(2.5 + 0.001 * 13 + 0.5 * cross, rel=1e-5)
    unknown = target_of(5.0)
    unknown[:, [TARGETS.index("known"), TARGETS.index("weight")]] = 0.0
    assert float(volume_loss(outputs, unknown)) == 0


def test_warping_takes_what_lies_a_disparity_farther_along_the_row():
    """Whole pixels exactly, parts of a pixel between neighbours, nothing from beyond the image."""
    from veristem.bench.training.volume.losses import warped

    image = torch.tensor([[[0.0, 0.1, 0.2, 0.3, 0.4, 0.5], [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]]])
    found = warped(image, torch.tensor([[[2.0], [0.5]]]).expand_as(image))
    np.testing.assert_allclose(found[0, 0], [0.2, 0.3, 0.4, 0.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found[0, 1], [0.95, 0.85, 0.75, 0.65, 0.55, 0.25], atol=1e-6)


def test_the_volume_holds_both_views_at_every_disparity():
    """Level n of a pixel has the features of the first view there and of the second n pixels farther; 0 beyond it."""
    from veristem.recon.stereo.volume import VolumeNetwork

    network = VolumeNetwork().eval()
    seen = []
    network.first = torch.nn.Module()
    network.first.forward = lambda volume: seen.append(volume) or torch.zeros(1, 8, *volume.shape[2:])
    views = torch.randn(1, 2, 48, 64)
    with torch.no_grad():
        network(views)
        (left, _), (right, _) = network._seen(views[:, :1]), network._seen(views[:, 1:])
    (volume,) = seen
    assert volume.shape == (1, 16, LEVELS, 24, 32)
    for level in (0, 5, 8, 16):
        shift = level - LEVELS // 2
        assert torch.equal(volume[:, :8, level], left)
        if shift >= 0:
            assert torch.equal(volume[:, 8:, level, :, : 32 - shift], right[..., shift:])
            assert not volume[:, 8:, level, :, 32 - shift :].any()
        else:
            assert torch.equal(volume[:, 8:, level, :, -shift:], right[..., :shift])
            assert not volume[:, 8:, level, :, :-shift].any()


def test_agreement_of_known_disparities():
    """An answer that is right, one that is 2 pixels off, and one beyond the range."""
    foil = drawn_foil(0)
    rng = np.random.default_rng([0, 1])
    targets = [piece(foil, first, rng)[1] for first in (0, 0, 2, 2, 4, 4)]

    def answer(off_px):
        given = iter(targets)

        def network(_):
            level = LEVEL_PX * (np.arange(LEVELS) - LEVELS // 2)[:, None, None]
            return -0.5 * ((level - next(given)[0] - off_px) / 1.5) ** 2

        return network

    right, off, beyond = (checked(foil, answer(px), 0) for px in (0.0, 2.0, 60.0))
    assert right.recall == right.precision == 1
    assert right.calibration[0] < 0.1
    assert off.recall < 0.1
    assert off.calibration[0] == pytest.approx(2 / 1.5, rel=0.1)
    assert (beyond.recall, beyond.claimed) == (0, 0)


@pytest.mark.slow
def test_a_small_training_learns_and_onnx_answers_as_pytorch(tmp_path, monkeypatch):
    """With the foils of another training: the loss falls on others, ONNX tells the same at any size of the views."""
    from veristem.bench.training.fit import Fit

    begun = tmp_path / "foils-of"
    (begun / "foils").mkdir(parents=True)
    for number in range(12):
        write(begun / "foils" / f"foil-{number:05d}.npz", drawn_foil(number, 2))
    (begun / "training.json").write_text(json.dumps({"stage": "contours", "recipes": [], "seed": 0}))
    monkeypatch.setattr(training, "_CHECKS", 1)
    few = replace(VOLUME, steps=20, size=2)
    found = train_stage(few, tmp_path / "volume", minutes=1, device="cpu", examples=begun)
    before, after = Fit(few, 20, 0, "cpu"), Fit(few, 20, 0, "cpu")
    after.load(tmp_path / "volume" / "best.safetensors")
    others = [torch.from_numpy(part) for part in batch([drawn_foil(5), drawn_foil(11)], 4, np.random.default_rng(9))]
    with torch.no_grad():
        begins, ends = (float(few.loss(fit.network.eval()(others[0]), others[1])) for fit in (before, after))
    assert ends < begins - 0.15
    kept, now = (fit.network.state_dict() for fit in (before, after))
    frozen = [name for name in kept if name.startswith("contours.")]  # the network of contours stays as it was
    assert frozen
    assert all(torch.equal(kept[name], now[name]) for name in frozen)
    for shape in ((40, 96), (64, 56)):
        views = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
        told, expected = trained("volume", VOLUME.version, str(found.weights))(views), after.answer(views)
        assert told.shape == (LEVELS + 1, shape[0] // 2, shape[1] // 2)
        assert np.abs(told - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())
