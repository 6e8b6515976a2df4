"""A pair that is not registered is told: every vertical shift would become depth."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from skimage.io import imsave

from veristem.datasets import Acquisition
from veristem.datasets.formats.acquisition_h5 import read_acquisition
from veristem.recon import rectify
from veristem.recon.rectify import registration_warning, vertical_residual_px


def texture(seed: int = 0, size: int = 192) -> np.ndarray:
    """Blobs of several sizes."""
    noise = np.random.default_rng(seed).normal(size=(size, size))
    image = sum(gaussian_filter(noise, s) * s for s in (1.5, 3.0, 6.0))
    return 100 + 20 * image / image.std()


@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 35.0])
def test_the_residual_is_what_lies_across_the_epipolar_direction(azimuth_deg):
    """Parallax along it does not count, wherever it points."""
    left = texture()
    along = np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))])
    move = 5.0 * along + 3.0 * np.array([-along[1], along[0]])
    right = shift(left, move[::-1], mode="wrap")
    found = vertical_residual_px(left, right, along)
    assert found.px == pytest.approx(3.0, abs=0.1)
    assert found.features > 30


def test_images_that_tell_nothing_bring_no_warning():
    """Noise, nothing at all, and what is too small to have features."""
    rng = np.random.default_rng(1)
    assert np.isnan(vertical_residual_px(*rng.poisson(9.0, (2, 96, 96)).astype(float))[0])
    assert np.isnan(vertical_residual_px(np.zeros((9, 9)), np.zeros((9, 9)))[0])
    assert np.isnan(vertical_residual_px(np.zeros((96, 96)), np.zeros((96, 96)))[0])


@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 35.0])
def test_without_features_rows_are_compared(monkeypatch, azimuth_deg):
    """What a row along the epipolar direction holds is the same in both views."""
    monkeypatch.setattr(rectify, "_matched", lambda *_: np.zeros((0, 2)))
    left = texture()
    along = np.array([np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))])
    move = 2.0 * along + 6.0 * np.array([-along[1], along[0]])
    found = vertical_residual_px(left, shift(left, move[::-1], mode="wrap"), along)
    assert found.features == 0
    assert found.px == pytest.approx(6.0, abs=0.5)


def lines(seed: int, off_px: int, electrons: float, size: int = 160) -> Acquisition:
    """Thin bent lines through a foil of 200 nm at 2 nm a pixel, two views 8 degrees apart, the second shifted."""
    rng = np.random.default_rng(seed)
    views = np.ones((2, size + 16, size))
    for _ in range(12):
        t = np.linspace(0, 1, 400)
        ends = rng.uniform(0, size, (2, 2))
        bow = rng.normal(0, 12, 2) * np.sin(np.pi * t)[:, None]
        x, y = (ends[0] * (1 - t)[:, None] + ends[1] * t[:, None] + bow).T
        depth = (t - 0.5) * 100  # pixels
        for view, tangent in zip(views, (0.07, -0.07)):
            at = np.rint([y + 8, x + tangent * depth]).astype(int)
            at = at[:, (at >= 0).all(axis=0) & (view.shape > at.T).all(axis=1)]
            view[tuple(at)] = 0.2
    views = gaussian_filter(views, (0, 1, 1))
    pair = np.stack([views[0, 8:-8], views[1, 8 - off_px : size + 8 - off_px]])
    return Acquisition(rng.poisson(electrons * pair), [[0.07, 0], [-0.07, 0]], 2.0, 0.0)


@pytest.mark.parametrize(("seed", "electrons"), [(1, 3000), (2, 200), (3, 800), (4, 100)])
def test_thin_lines_tell_when_they_are_shifted(seed, electrons):
    """They have hardly any features: a pair three pixels off brought no warning."""
    for off_px in (3, -4):
        warning = registration_warning(lines(seed, off_px, electrons))
        assert warning is not None
        told = re.search(r"their rows fit best (\S+) ± 0\.\d pixels off", warning)
        assert told is not None
        assert float(told[1]) == pytest.approx(off_px, abs=0.7)
    assert registration_warning(lines(seed, 0, electrons)) is None


def test_lines_lost_in_noise_bring_no_warning():
    """Rows that are noise fit best somewhere; that is no shift."""
    for seed in range(5):
        assert registration_warning(lines(seed, 0, 10)) is None


def test_convert_and_reconstruct_warn_of_a_pair_that_is_not_registered(cli, tmp_path):
    """Six curves at z = -242 to -43 nm in a foil of 150 nm came with no word."""
    left = texture()
    for name, image in (
        ("left", left),
        ("right", shift(left, (8, 3), mode="wrap")),
        ("good", shift(left, (0, 3), mode="wrap")),
    ):
        imsave(tmp_path / f"{name}.tif", image.astype(np.float32), check_contrast=False)
    options = ("--pair-angle-deg", 8, "--pixel-nm", 2)
    bad = cli("convert", tmp_path / "left.tif", tmp_path / "right.tif", tmp_path / "bad.h5", *options)
    good = cli("convert", tmp_path / "left.tif", tmp_path / "good.tif", tmp_path / "good.h5", *options)
    assert (bad.code, good.code, good.err) == (0, 0, "")
    assert "warning: views 0 and 1 are not registered" in bad.err
    assert "features lie +8.0 ± 0.0 pixels off" in bad.err
    assert "depths cannot be trusted" in bad.err
    ended = cli("reconstruct", tmp_path / "bad.h5", "--method", "constant", "-o", tmp_path / "c.vtp")
    assert ended.code == 0
    assert "not registered" in ended.err
    assert (
        "not registered"
        not in cli("reconstruct", tmp_path / "good.h5", "--method", "constant", "-o", tmp_path / "c.vtp").err
    )


def test_no_warning_on_what_was_simulated(simulated):
    """Registered by construction, at the dose of the recipe and at much less, whichever way g points."""
    made = read_acquisition(simulated / "acquisition.h5")
    assert registration_warning(made) is None
    rng = np.random.default_rng(0)
    for less in (10.0, 100.0):
        few = replace(made, views=rng.poisson(made.views / less))
        assert registration_warning(few) is None
        turned = replace(few, views=np.swapaxes(few.views, 1, 2), directions_rad=few.directions_rad[:, ::-1])
        assert registration_warning(turned) is None


def test_tilted_views_and_single_ones_have_no_residual():
    """Foreshortening moves features in every direction."""
    views = np.stack([texture(0, 64), texture(1, 64)])
    one = Acquisition(views[:1], [[0.0, 0.0]], 1.0, 0.0)
    tilted = Acquisition(views, [[-0.5, 0], [0.5, 0]], 1.0, 0.0, tilts_rad=[0.5, -0.5], tilt_axis_rad=np.pi / 2)
    assert registration_warning(one) is None
    assert registration_warning(tilted) is None
