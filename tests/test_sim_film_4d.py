"""4D scans of films: the same electrons as views of regions, pixel by pixel, and virtual detectors in their files."""

from __future__ import annotations

import numpy as np
import pytest

import veristem as vs
from veristem.datasets import InputError
from veristem.datasets.formats.scans import read_scan
from veristem.datasets.recipe import load_recipe
from veristem.recon.disc import broken_pixels
from veristem.sim import film as film_module
from veristem.sim.acquire import acquire
from veristem.sim.scan4d import Patterns
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen

ROWS = slice(0, 16)


def expected(recipe, specimen) -> np.ndarray:
    """All expected patterns of a small scan."""
    patterns = Patterns(recipe, specimen)
    slab = patterns.slab(ROWS)
    return np.stack([patterns.expected(slab, row, slice(0, 16)) for row in range(16)])


@pytest.mark.parametrize(
    "values", [{}, {"specimen__rescattering": False}, {"specimen__wedge_deg": 20.0}, {"microscope__response__dqe": 0.6}]
)
def test_views_without_the_4d_data_are_sums_of_patterns(values, film_4d):
    """Four discs that overlap: the same rays, summed before and after they make patterns (check 18 of foils)."""
    recipe = film_4d(microscope__detector__radius_mrad=12.0, **values)
    specimen = make_specimen(recipe, streams(0)[0])
    truth, _ = acquire(specimen, recipe, streams(0)[1])
    detector = recipe.microscope.detector
    inside = np.array([region.contains(detector.directions_rad()) for region in detector.regions(0.0)], float)
    assert (inside.sum(axis=0) > 1).any()
    sums = np.tensordot(inside, expected(recipe, specimen), ([1, 2], [2, 3]))
    np.testing.assert_allclose(truth.expected * recipe.microscope.response.dqe, sums, rtol=1e-6)
    assert truth.expected.std() > 0.01 * truth.expected.mean()


def test_patterns_show_what_the_rays_of_regions_do(film_4d, monkeypatch):
    """Rays of the cone with what they lose by scattering, against those of each disc and what it gains: with fine ones
    the contrast is the same to half a percent and its direction to a fifth of one.

    (Level apart: of patterns the mean gain over the cone is taken, of regions over those.)
    """
    monkeypatch.setattr(film_module, "_STEP", 0.06)
    recipe = film_4d(microscope__detector__shape=[256, 256], microscope__detector__pixel_mrad=0.24)
    specimen = make_specimen(recipe, streams(0)[0])
    same = {"kind": "virtual", "views": 4, "ring": True, "pair_angle_deg": 1.5, "radius_mrad": 6.0}
    by_pixels, by_rays = (
        acquire(specimen, one, streams(0)[1])[0] for one in (recipe, recipe.with_values({"microscope.detector": same}))
    )
    shown = [truth.expected / truth.expected.mean(axis=(1, 2), keepdims=True) for truth in (by_pixels, by_rays)]
    assert (shown[0] - shown[1]).std() < 5e-3 * shown[1].std()
    first, second = (np.asarray(truth.contrast_directions_rad) for truth in (by_pixels, by_rays))
    assert np.abs(first - second).max() < 2e-3 * np.abs(second).max()


def test_no_electron_is_made_and_none_leaves_the_cone(film_4d):
    """Behind ice and gold there are fewer everywhere; without gold all pixels keep the same share."""
    recipe = film_4d(specimen__dispersion__concentration_mg_per_ml=1e-6)
    bare = expected(recipe, make_specimen(recipe, streams(0)[0]))
    vacuum = Patterns(recipe, None)
    light = vacuum.expected(vacuum.slab(slice(0, 1)), 0, slice(0, 1))[0]
    assert light.sum() == pytest.approx(vacuum.dose, rel=1e-6)
    full = light > 0.999 * light.max()
    kept = bare[..., full] / light[full]
    assert np.ptp(kept) < 1e-5
    assert 0.5 < kept.mean() < 1
    gold = expected(film_4d(), make_specimen(film_4d(), streams(0)[0]))
    assert (gold[..., full].mean(axis=-1) < bare[..., full].mean(axis=-1) * (1 + 1e-6)).all()
    assert not gold[..., light == 0].any()


def test_counts_do_not_depend_on_how_the_scan_is_divided(tmp_path, film_4d, written):
    """To the last electron, and in 6 bit."""
    recipe = film_4d(scan__dwell_us=400.0)
    whole = written(recipe, tmp_path / "whole")
    parts = written(recipe, tmp_path / "parts", threads=1, slab_rows=5, columns=7)
    np.testing.assert_array_equal(whole, parts)
    assert whole.dtype == np.uint8
    assert 0 < whole.max() <= 63


@pytest.fixture(scope="module")
def thesis_scan(tmp_path_factory):
    """Folder of a corner of the named scan, with its whole detector."""
    folder = tmp_path_factory.mktemp("film")
    values = {"specimen.field_nm": [24, 24], "scan.shape": [24, 24], "microscope.detector.vacuum_shape": [8, 8]}
    told = []
    made = vs.simulate("film-4d", folder, values=values, tell=told.append)
    assert "at most 0.038 GB of disk" in told[0]  # 24² frames of 256² bytes
    assert made.acquisition is None
    return folder


@pytest.mark.parametrize("radius_px", [30, 40, 50, 60, 70, 80])
def test_virtual_detectors_of_the_thesis(cli, thesis_scan, radius_px):
    """Four discs on a ring, clipped by the rim: whole pixels of the file, and views for the methods of particles."""
    out = thesis_scan / f"{radius_px}.h5"
    given = ["--views", 4, "--ring", "--radius-mrad", 0.24 * radius_px, "--mrad-per-pixel", 0.24]
    ended = cli("virtual", thesis_scan / "scan.zspy", *given, "--center-px", 127.5, 127.5, "-o", out)
    assert ended.code == 0, ended.err
    views = vs.load(out)
    assert views.kind == "particles"
    assert (views.material, views.g_azimuth_rad, views.thickness_nm) == (None, None, 178.0)
    detector = load_recipe("film-4d").microscope.detector.model_copy(update={"radius_mrad": 0.24 * radius_px})
    counts = read_scan(thesis_scan / "scan.zspy").data[...]
    for view, region in zip(views.views, detector.regions(0.0)):
        inside = region.contains(detector.directions_rad())
        np.testing.assert_array_equal(view, counts[..., inside].sum(axis=-1))
    # the rim takes from the outer side: the larger the disc, the nearer to the axis it looks
    away = np.hypot(*views.directions_rad.T)
    whole = detector.regions(0.0)[0].mean_direction_rad(0.028)[0]
    np.testing.assert_allclose(away, whole, rtol=2e-3)
    assert whole < np.radians(1.5)


def test_views_of_a_film_are_found_by_the_rim(cli, thesis_scan):
    """Without being told, of a vacuum of 16 000 electrons: no Kikuchi line is looked for, no pixel called broken."""
    out = thesis_scan / "views.h5"
    given = ["--vacuum", thesis_scan / "vacuum.zspy", "--views", 4, "--ring"]
    ended = cli("virtual", thesis_scan / "scan.zspy", *given, "-o", out)
    assert ended.code == 0, ended.err
    assert "views along 0.00 deg" in ended.err
    assert "broken" not in ended.err
    np.testing.assert_allclose(np.hypot(*vs.load(out).directions_rad.T), 0.01918, rtol=0.02)
    assert cli("reconstruct", out, "--method", "points-learned", "-o", thesis_scan / "found.csv").code == 0
    assert cli("score", thesis_scan / "truth.h5", thesis_scan / "found.csv").code == 0


def test_few_counts_break_no_pixel():
    """Of 7 counts a pixel chance makes some three times darker than their neighbours; of 400 none, but this one."""
    counts = np.random.default_rng(0).poisson(7.0, (256, 256)) / 1000
    assert broken_pixels(counts).any()
    assert not broken_pixels(counts, 1000).any()
    many = np.random.default_rng(0).poisson(400.0, (64, 64)) / 1000
    many[20, 30] = 0.0
    assert np.argwhere(broken_pixels(many, 1000)).tolist() == [[20, 30]]


def test_a_disc_may_reach_beyond_the_detector_where_there_is_no_light(film_4d):
    """Beyond the rim nothing is lost; within it the disc would be cut, which is told."""
    recipe = film_4d(microscope__detector__shape=[36, 36], microscope__detector__pair_angle_deg=2.5)
    acquire(make_specimen(recipe, streams(0)[0]), recipe, streams(0)[1])
    wide = film_4d(microscope__detector__shape=[24, 24], microscope__detector__pair_angle_deg=1.8)
    with pytest.raises(InputError, match="all of its bright field on the detector allowed"):
        acquire(make_specimen(wide, streams(0)[0]), wide, streams(0)[1])
