"""Contours of the shipped network: any size, pixel and grey scale, no PyTorch, and clear words for bad weights."""

import subprocess
import sys

import numpy as np
import pytest

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.recon.contours.burnt import bars_in, without_bars
from veristem.recon.contours.learned import answer, learned_contours
from veristem.recon.methods import run_method
from veristem.recon.trained import WEIGHTS


def image_of_lines(pixel_nm, field_nm=400.0, dose=4000, seed=0, width_nm=5.0):
    """Two dark lines, straight and bent, with counting noise; and points along them [nm]."""
    n = round(field_nm / pixel_nm)
    y, x = (np.mgrid[:n, :n] + 0.5) * pixel_nm
    t = np.linspace(-50, field_nm + 50, 4000)
    lines = [
        np.column_stack([t, 0.3 * field_nm + 0.2 * t]),
        np.column_stack([t, 0.65 * field_nm + 25 * np.sin(t / 90)]),
    ]
    image = np.full((n, n), 0.8)
    for line in lines:
        depth = np.interp(x[0], line[:, 0], line[:, 1])
        slope = np.interp(x[0], line[:, 0], np.gradient(line[:, 1], line[:, 0]))
        across = (y - depth) / np.hypot(1, slope)
        image *= 1 - 0.35 * np.exp(-0.5 * (across / width_nm) ** 2)
    counts = np.random.default_rng(seed).poisson(dose * image).astype(np.float32)
    return counts, np.concatenate(lines)


def found_share(curves, points, field_nm):
    """Share of the lines within 6 nm of a curve, and of the curves within 6 nm of a line."""
    from scipy.spatial import KDTree

    inside = points[((points > 10) & (points < field_nm - 10)).all(axis=1)]
    found = np.concatenate([np.zeros((0, 2)), *curves])
    if not len(found):
        return 0.0, 1.0
    return (KDTree(found).query(inside)[0] < 6).mean(), (KDTree(points).query(found)[0] < 6).mean()


@pytest.mark.parametrize("pixel_nm", [1.0, 2.0, 3.5, 5.0])
def test_pixels_of_any_size(pixel_nm):
    """Images come with pixels of 1 to 7 nm: the same lines are found in all."""
    image, points = image_of_lines(pixel_nm)
    contours = learned_contours(image[None], pixel_nm)
    recall, precision = found_share(contours.curves_nm[0], points, 400.0)
    assert recall > 0.85
    assert precision > 0.85
    assert all((s > 0).all() and len(s) == len(c) for c, s in zip(contours.curves_nm[0], contours.sigma_nm[0]))


def test_any_grey_scale_is_the_same_image():
    """Counts, 8 bit and a scale that begins elsewhere: what is found does not hang on it."""
    image, points = image_of_lines(2.0)
    low, high = np.percentile(image, [0.5, 99.5])
    eight_bit = np.round(np.clip((image - low) / (high - low), 0, 1) * 255)
    for scaled in (image / 7.3, 1e4 * image, eight_bit):
        recall, precision = found_share(learned_contours(scaled[None], 2.0).curves_nm[0], points, 400.0)
        assert min(recall, precision) > 0.85


@pytest.mark.parametrize("field", [False, True])
@pytest.mark.parametrize("ink", [0, 255])
def test_a_scale_bar_is_no_line(ink, field):
    """Bar and text, black or white, alone or on a field of the other: as without them, away from them."""
    import cv2

    image, points = image_of_lines(2.0)
    low, high = np.percentile(image, [0.5, 99.5])
    view = np.round(np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    if field:
        view[:40, :80] = 255 - ink
    view[30:35, 10:70] = ink
    cv2.putText(view, "120 nm", (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1)
    drawn = bars_in(view)
    assert drawn[30:35, 10:70].all()
    assert drawn[60:].sum() + drawn[:, 100:].sum() == 0
    (curves,) = learned_contours(view[None].astype(np.float32), 2.0).curves_nm
    recall, _ = found_share(curves, points[(points[:, 0] > 190) | (points[:, 1] > 110)], 400.0)
    assert recall > 0.85
    assert found_share(curves, points, 400.0)[1] > 0.85


def test_only_bars_are_taken_for_bars():
    """Neither noise at any dose nor clipped lines, level ones too, nor a constant; such views stay as they are."""
    rng = np.random.default_rng(2)
    views = [rng.poisson(dose, (256, 256)).astype(float) for dose in (0.03, 0.3, 3, 300)]
    for width in (4.0, 8.0):
        image, _ = image_of_lines(1.0, width_nm=width)
        views.append(np.clip(image, *np.percentile(image, [20, 60])))
        image[60:70] -= 1000 * np.exp(-0.5 * ((np.arange(10) - 4.5) / 2) ** 2)[:, None]
        views += [np.clip(image, *np.percentile(image, ends)) for ends in ([2, 98], [5, 95])]
    for view in [*views, np.full((64, 64), 3.0)]:
        assert without_bars(view) is view


def test_images_of_any_shape_and_without_a_line():
    """Sides need be no multiple of anything; nothing is found in a constant, and next to nothing in noise."""
    rng = np.random.default_rng(1)
    for shape in ((16, 16), (97, 203), (130, 64)):
        assert answer(rng.poisson(100, shape).astype(np.float32)).shape == (5, *shape)
        assert learned_contours(np.full((1, *shape), 7.0), 2.0).curves_nm == ((),)
    noise = rng.poisson(1000, (2, 256, 256)).astype(np.float32)
    claimed = sum(len(curve) for view in learned_contours(noise, 2.0).curves_nm for curve in view)
    assert claimed < 60


def pair_of_lines() -> Acquisition:
    """Two views of the same lines."""
    views = np.stack([image_of_lines(2.0, seed=s)[0] for s in (0, 1)])
    return Acquisition(views, np.array([[0.07, 0.0], [-0.07, 0.0]]), 2.0, 100.0, 200.0)


def test_a_part_of_an_image_gives_the_same_contours():
    """Away from its edges what is found does not depend on how far an image reaches."""
    image, _ = image_of_lines(2.0, 800.0)
    whole, part = (answer(v) for v in (image, image[: 256 + 64]))
    assert np.abs(whole[0, 16:192] - part[0, 16:192]).max() < 0.5 * np.abs(whole[0]).max()


def test_learned_contours_run_without_torch():
    """Users who only reconstruct need no PyTorch: its import fails, and all goes on."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np; from veristem.recon.contours.learned import learned_contours\n"
        "print(len(learned_contours(np.random.default_rng(0).poisson(50, (1, 64, 64)).astype(float), 2.0).curves_nm))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_method_takes_learned_contours_by_name():
    """stereo-learned without bands and stereo-classical with learned contours are the same; other words are refused."""
    acquisition = pair_of_lines()
    one = run_method("stereo-learned bands=false", acquisition)
    two = run_method("stereo-classical contours=learned", acquisition)
    assert len(one.curves_nm) == len(two.curves_nm) > 0
    assert all(np.array_equal(a, b) for a, b in zip(one.curves_nm, two.curves_nm))
    with pytest.raises(InputError, match=r"contours=canny found, which is not known; .* allowed are ridge, learned"):
        run_method("stereo-classical contours=canny", acquisition)


def test_bad_weights_are_refused_in_a_line(tmp_path):
    """Missing, damaged, too large, of another version: one line that says which and what to do."""
    import onnx

    image = np.ones((1, 32, 32))
    with pytest.raises(InputError, match=r"none\.onnx: no such file"):
        learned_contours(image, 2.0, weights=str(tmp_path / "none.onnx"))
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes((WEIGHTS / "contours.onnx").read_bytes()[:1000])
    with pytest.raises(InputError, match=r"damaged\.onnx: no network of contours .* `veristem train`"):
        learned_contours(image, 2.0, weights=str(damaged))
    model = onnx.load(WEIGHTS / "contours.onnx")
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"version": 1', '"version": 9')
    onnx.save(model, tmp_path / "old.onnx")
    with pytest.raises(InputError, match="version 1 of contours found, version 1 of bands allowed"):
        run_method(f"stereo-learned band_weights={WEIGHTS / 'contours.onnx'}", pair_of_lines())
    with pytest.raises(InputError, match="version 9 of contours found, version 1 of contours allowed"):
        learned_contours(image, 2.0, weights=str(tmp_path / "old.onnx"))
    with open(tmp_path / "large.onnx", "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(InputError, match="1073741824 bytes found"):
        learned_contours(image, 2.0, weights=str(tmp_path / "large.onnx"))


@pytest.mark.parametrize("weights", sorted(WEIGHTS.glob("*.onnx")), ids=lambda path: path.stem)
def test_shipped_weights_have_a_card_and_are_small(weights):
    """At most 2 MB each; the card names the file that it is of."""
    import hashlib

    tensors = weights.with_suffix(".safetensors")
    card = weights.with_suffix(".md").read_text("utf-8")
    assert hashlib.sha256(tensors.read_bytes()).hexdigest() in card
    assert max(weights.stat().st_size, tensors.stat().st_size) <= 2_000_000
