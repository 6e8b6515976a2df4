"""4D scans: exact counts that depend on nothing but the recipe, written so that whatever stops them loses nothing."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from veristem.datasets import InputError
from veristem.datasets.geometry import disjoint
from veristem.sim.acquire import acquire
from veristem.sim.counts import draw_counts
from veristem.sim.scan4d import Patterns, simulate_scan
from veristem.sim.simulate import streams
from veristem.sim.specimen import make_specimen


@pytest.fixture(scope="module")
def scan(tmp_path_factory, recipe_4d, written):
    """Folder of a small scan, not to be written to, and its counts."""
    folder = tmp_path_factory.mktemp("scan")
    return folder, written(recipe_4d(), folder)


def drawn(mean: float, frames: int = 8, **changes) -> np.ndarray:
    """Counts of flat patterns of 128 x 128 pixels."""
    shape = (frames, 128, 128)
    given = {
        "patterns": np.full(shape, mean, np.float32),
        "doses": np.ones(frames),
        "shifts": np.zeros((frames, 2)),
        "seeds": np.arange(frames).astype(np.uint64),
        "limit": 2**16 - 1,
        "counts": np.empty(shape, np.uint16),
    } | changes
    draw_counts(*given.values())
    return given["counts"]


@pytest.mark.parametrize("mean", [0.02, 0.5, 3.0, 9.99, 25.0, 120.0])
def test_counts_are_those_of_poisson(mean):
    """Chi square over all counts, with the series for small means and the parts of large ones."""
    found = np.bincount(drawn(mean).ravel())
    expected = stats.poisson.pmf(np.arange(len(found)), float(np.float32(mean))) * found.sum()
    often = expected > 20
    chi = ((found - expected)[often] ** 2 / expected[often]).sum()
    assert stats.chi2.sf(chi, often.sum() - 1) > 1e-3


def test_no_electrons_no_counts_and_frames_do_not_share_a_stream():
    """Zero stays zero; neighbouring frames and pixels are uncorrelated."""
    assert not drawn(0.0).any()
    counts = drawn(2.0).astype(float).reshape(8, -1)
    assert np.abs(np.corrcoef(counts) - np.eye(8)).max() < 5 / np.sqrt(128**2)
    assert abs(np.corrcoef(counts[:, 1:].ravel(), counts[:, :-1].ravel())[0, 1]) < 5 / np.sqrt(8 * 128**2)


def test_a_moved_pattern_keeps_its_electrons_and_moves_by_that():
    """Fractions of pixels included."""
    one = np.zeros((1, 128, 128), np.float32)
    one[0, 60, 40] = 3e4
    counts = drawn(0.0, 1, patterns=one, shifts=np.array([[2.25, -3.5]]))[0].astype(float)
    j, i = np.indices(counts.shape)
    assert counts.sum() == pytest.approx(3e4, abs=5 * np.sqrt(3e4))
    assert (counts * i).sum() / counts.sum() == pytest.approx(42.25, abs=0.02)
    assert (counts * j).sum() / counts.sum() == pytest.approx(56.5, abs=0.02)


@pytest.mark.parametrize("options", [{"threads": 1, "slab_rows": 3, "columns": 5}, {"threads": 3, "slab_rows": 16}])
def test_counts_do_not_depend_on_how_the_scan_is_divided(scan, tmp_path, options, recipe_4d, written):
    """To the last electron."""
    np.testing.assert_array_equal(written(recipe_4d(), tmp_path, **options), scan[1])


def test_electrons_of_the_vacuum_fill_the_cone(recipe_4d):
    """All electrons on the detector, evenly over the disc; discs of beams overlap in the crystal and none are made."""
    recipe = recipe_4d(specimen__diffuse=False)
    vacuum = Patterns(recipe, None)
    slab = vacuum.slab(slice(0, 1))
    pattern = vacuum.expected(slab, 0, slice(0, 1))[0]
    assert pattern.sum() == pytest.approx(vacuum.dose, rel=1e-6)
    away = np.hypot(*np.moveaxis(recipe.microscope.detector.directions_rad(), -1, 0))
    inside = pattern[away < 0.022]
    assert np.ptp(inside) < 1e-3 * inside.mean()
    assert not pattern[away > 0.0255].any()

    crystal = Patterns(recipe, make_specimen(recipe, streams(0)[0]))
    behind = crystal.expected(crystal.slab(slice(0, 4)), 2, slice(0, 16))
    assert behind.sum(axis=(1, 2)).max() < vacuum.dose
    assert behind[:, away > 0.0255].sum() > 0.01 * behind.sum()  # discs of g and -g beyond that of the direct beam


def test_phonons_bring_back_a_share_of_what_they_take(recipe_4d):
    """Pixel by pixel what lands there of all rays, and in sums of pixels what an image without 4D data has."""
    recipe = recipe_4d()
    specimen = make_specimen(recipe, streams(0)[0])
    bright = Patterns(recipe, specimen)
    specimen.diffuse = False
    dark = Patterns(recipe, specimen)
    rows = slice(4, 5)
    more = [p.expected(p.slab(rows), 4, slice(0, 16)) / p.dose for p in (bright, dark)]
    more = more[0] - more[1]
    assert more.min() > -1e-9
    regions = recipe.microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    inside = regions[0].contains(recipe.microscope.detector.directions_rad())
    seen = {}
    for specimen.diffuse in (True, False):
        specimen.imaged.clear()
        seen[specimen.diffuse] = specimen.images(regions, recipe.microscope, recipe.scan.pixel_nm, recipe.scan.shape)
    share = seen[True][0].share - seen[False][0].share
    np.testing.assert_allclose(more[:, inside].sum(axis=1), share[4, :16], rtol=1e-5)


@pytest.mark.parametrize(("bits", "dtype"), [(1, "uint8"), (6, "uint8"), (12, "uint16"), (24, "uint32")])
def test_a_counter_holds_what_its_depth_allows(tmp_path, bits, dtype, recipe_4d, written):
    """Largest count and type; what a full counter misses is lost."""
    counts = written(recipe_4d(microscope__response__bits=bits, scan__dwell_us=2e3), tmp_path)
    assert counts.dtype == dtype
    assert counts.max() <= 2**bits - 1
    assert (counts.max() == 2**bits - 1) == (bits <= 6)


@pytest.mark.parametrize("what", ["foil", "film"])
def test_views_without_the_4d_data_share_electrons_where_discs_overlap(what, recipe_4d, film_4d):
    """The covariance of overlapping views is what the common pixels receive, both ways; no correlation without."""
    discs = {"microscope__detector__radius_mrad": 16.0, "microscope__detector__pair_angle_deg": 0.9}
    dose = {"scan__dwell_us": 20.0}
    if what == "foil":
        recipe = recipe_4d(specimen__network__density_per_m2=1e14, **discs, **dose)
    else:
        recipe = film_4d(microscope__detector__views=2, microscope__detector__ring=False, **discs, **dose)
    detector = recipe.microscope.detector
    regions = detector.regions(recipe.kikuchi_azimuth_rad)
    masks = np.array([region.contains(detector.directions_rad()) for region in regions])
    parts, _ = disjoint(regions, detector.directions_rad())
    assert len(parts) == 3
    np.testing.assert_array_equal(sum(part.contains(detector.directions_rad()) for part in parts), masks.any(axis=0))
    specimen = make_specimen(recipe, streams(0)[0])
    patterns = Patterns(recipe, specimen)
    slab = patterns.slab(slice(0, 16))
    every = np.stack([patterns.expected(slab, row, slice(0, 16)) for row in range(16)])
    common = every[..., masks.all(axis=0)].sum(axis=-1)
    off = np.tensordot(every, masks.astype(float), ([2, 3], [1, 2]))
    runs = []
    for seed in range(40):
        _, acquisition = acquire(specimen, recipe, np.random.default_rng(seed))
        direct = np.moveaxis(acquisition.views, 0, -1) - off
        full = np.random.default_rng(1000 + seed).poisson(every)
        summed = np.tensordot(full, masks.astype(float), ([2, 3], [1, 2])) - off
        runs.append([(one[..., 0] * one[..., 1]).sum() / common.sum() for one in (direct, summed)])
    runs = np.array(runs)
    error = runs.std(axis=0) / np.sqrt(len(runs))
    assert (np.abs(runs.mean(axis=0) - 1) < 4 * error).all()
    assert error.max() < 0.05
    apart = disjoint(recipe_4d().microscope.detector.regions(0.0), detector.directions_rad())
    np.testing.assert_array_equal(apart[1], np.eye(2))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"microscope__aberrations": "uncorrected"}, "microscope.aberrations"),
        ({"microscope__aberrations": {"energy_spread_eV": 1.0}}, "microscope.aberrations"),
        ({"scan__jitter_nm": 1.0}, "scan errors"),
        ({"microscope__source_size_nm": 1.0}, "source_size_nm"),
        ({"stage__tilts_deg": [0, 4]}, "tilts_deg"),
        ({"microscope__response__readout_electrons": 1.0}, "readout_electrons"),
        ({"microscope__response__bits": 1, "scan__dwell_us": 1e5}, "a counter that holds 1 found"),
    ],
)
def test_what_patterns_are_not_made_of_is_refused(values, told, recipe_4d):
    """Also without the 4D data, which would be wrong in silence."""
    recipe = recipe_4d(**values)
    with pytest.raises(InputError, match=told):
        acquire(make_specimen(recipe, streams(0)[0]), recipe, streams(0)[1])


def test_killed_it_goes_on_where_it_was(scan, tmp_path, recipe_4d, written):
    """Kill -9 after some rows: no scan to be seen, and the same command makes the same counts of the missing rows."""
    code = f"""
import os, signal, sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from pathlib import Path
from conftest import small_4d, write_4d
def rows(found, _):
    for row in found:
        if row == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        yield row
write_4d(small_4d(), Path({str(tmp_path)!r}), progress=rows, slab_rows=4)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not (tmp_path / "scan.zspy").exists()
    assert 6 <= len(list((tmp_path / "scan.zspy.partial/Experiments/__unnamed__/data").glob("*.0.0.0"))) < 16
    before = (tmp_path / "scan.zspy.partial/Experiments/__unnamed__/data/0.0.0.0").stat().st_mtime_ns
    np.testing.assert_array_equal(written(recipe_4d(), tmp_path), scan[1])
    assert (tmp_path / "scan.zspy/Experiments/__unnamed__/data/0.0.0.0").stat().st_mtime_ns == before
    assert not list(tmp_path.glob("*.partial"))


def test_another_recipe_does_not_go_on(tmp_path, recipe_4d):
    """Rows of another key are made again; a whole scan of the same key is left as it is."""
    recipe = recipe_4d()
    specimen = make_specimen(recipe, streams(0)[0])
    made = []
    for key in ("one", "two", "two"):
        simulate_scan(specimen, recipe, streams(0)[1], tmp_path, key)
        made.append((tmp_path / "scan.zspy/Experiments/__unnamed__/data/0.0.0.0").stat().st_mtime_ns)
    assert made[0] != made[1] == made[2]


def test_a_full_disk_is_told_before_and_during(scan, tmp_path, monkeypatch, recipe_4d, written):
    """Before, with what is needed and free; during, with what is kept; and then it goes on."""
    usage = namedtuple("usage", "free")
    with monkeypatch.context() as small:
        small.setattr(shutil, "disk_usage", lambda _: usage(1000))
        with pytest.raises(InputError, match=r"GB needed, 1e-06 GB free found"):
            written(recipe_4d(), tmp_path)
    assert not (tmp_path / "scan.zspy.partial").exists()
    put, left = Path.write_bytes, [12]

    def full(self, content):
        left[0] -= self.name.count(".") == 4 and "scan.zspy" in str(self)
        if left[0] < 0:
            put(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(self, content)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match=r"No space left on device; finished chunks are kept in scan.zspy.partial"):
            written(recipe_4d(), tmp_path)
    assert not (tmp_path / "scan.zspy").exists()
    np.testing.assert_array_equal(written(recipe_4d(), tmp_path), scan[1])


def test_the_scan_holds_no_truth(scan):
    """Neither seed nor generator nor what the axis really meets."""
    texts = [path.read_text() for path in scan[0].rglob(".z*") if path.name in (".zattrs", ".zmetadata")]
    assert texts
    for word in ("seed", "glide", "density", "center_px", "descan", "background"):
        assert not any(word in text for text in texts)
