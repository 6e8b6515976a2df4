"""P(missed): calibrated on foils that it was not fitted on, 1 where nothing can be found, beside every such result."""

import numpy as np
import pytest

import veristem as vs
from scripts import script
from test_recon_learned import image_of_lines, pair_of_lines
from veristem.bench.files.missed import missed_path, read_missed, save_result
from veristem.bench.pages.folder import read_scene
from veristem.datasets import CurveSet, formats
from veristem.datasets.errors import InputError
from veristem.datasets.formats.maps import read_map
from veristem.datasets.polyline import resample
from veristem.datasets.recipe import load_recipe
from veristem.recon.contours.missed import CELL_PX, FIT, missed
from veristem.recon.methods import takes_learned_contours
from veristem.recon.trained import WEIGHTS
from veristem.sim.simulate import simulate_recipe

FOLDER = "reports/published/contours-learned"


@pytest.mark.slow
def test_the_missed_share_of_lines_is_what_the_map_says():
    """Four foils of seeds, materials and doses that the fit has not seen: within 0.2 by bin, within 0.15 by dose.

    What is missed comes in pieces of some 20 pixels: a bin of 300 holds 15 of them, a dose 100, whose shares scatter by
    up to 0.13 and 0.05.
    """
    make, cells = script(f"{FOLDER}/missed.py"), []
    for seed, material in enumerate(("CoCrFeMnNi", "Al", "Cu", "Ni"), 700):
        recipe = load_recipe("gate-foil").with_values({
            "recipe.seed": seed, "specimen.material": material, "specimen.thickness_nm": 120.0,
        })  # fmt: skip
        truth, _, _ = simulate_recipe(recipe)
        for view, expected in enumerate(truth.expected):
            lines = [truth.project(line, view) / 2.0 for line in truth.network.chains(truth.visible)]
            seen = np.concatenate([resample(line, np.zeros(len(line)), 0.25)[0] for line in lines])
            for dose in (0.02, 0.1, 1.0):
                counts = np.random.default_rng([seed, view]).poisson(dose * expected).astype(np.float32)
                cells.append(make.cells_of(f"{material}-{seed}", dose, counts, seen))
    table = make.of_map(cells, FIT)
    there = table[table["length_px"] > 300]
    assert len(there) >= 4
    assert (there["expected"] - there["observed"]).abs().max() < 0.2
    for dose in (0.02, 0.1, 1.0):
        rows = make.of_map([cell for cell in cells if cell.dose == dose], FIT)
        expected, observed = (np.average(rows[name], weights=rows["length_px"]) for name in ("expected", "observed"))
        assert abs(expected - observed) < 0.15
    assert table["observed"].is_monotonic_increasing


def test_where_nothing_shows_everything_is_missed():
    """In noise and in an image without any contrast; and the map is defined at any size."""
    rng = np.random.default_rng(3)
    for shape in ((16, 16), (97, 203)):
        for image in (rng.poisson(40, shape).astype(np.float32), np.full(shape, 7.0), np.zeros(shape)):
            told = missed(image[None], 2.0)
            assert told.shape == (1, *shape)
            assert (told > 0.9).all()
            assert (told <= 1).all()


@pytest.mark.parametrize("pixel_nm", [1.0, 2.0, 5.0])
def test_clear_lines_are_not_missed_and_faint_ones_are(pixel_nm):
    """At 100 electrons a pixel of 2 nm nearly nothing, at 2 nearly all: whatever the pixel."""
    for electrons, low, high in ((100, 0.0, 0.15), (6, 0.3, 0.9), (2, 0.9, 1.0)):
        image, points = image_of_lines(pixel_nm, dose=electrons * pixel_nm**2 / 4)
        column, row = (points[((points > 0) & (points < 400)).all(axis=1)] / pixel_nm).astype(int).T
        assert low <= missed(image[None], pixel_nm)[0, row, column].mean() <= high


def test_areas_are_squares_of_the_network():
    """Neighbouring values differ at multiples of the cell alone."""
    image, _ = image_of_lines(2.0)
    told = missed(image[None], 2.0)[0]
    changes = np.flatnonzero(np.abs(np.diff(told, axis=1)).max(axis=0)) + 1
    assert len(changes)
    assert not (changes % CELL_PX).any()


def test_the_map_lies_beside_the_result_and_goes_with_it(tmp_path):
    """Written with lines of learned contours, shown by the page, removed when lines of ridges take their place."""
    images, out = pair_of_lines(), tmp_path / "reconstruction.vtp"
    formats.write(tmp_path / "acquisition.h5", images)
    told = []
    vs.reconstruct(images, "stereo-learned bands=false", out=out, tell=told.append)
    assert any(str(missed_path(out)) in line for line in told)
    found = read_missed(out, images)
    assert found is not None
    np.testing.assert_array_equal(found, missed(images.views, images.pixel_nm))
    scene, _ = read_scene(tmp_path, None)
    assert scene.missed is not None  # type: ignore[union-attr]
    vs.reconstruct(images, "constant", out=out)
    assert not missed_path(out).exists()
    scene, _ = read_scene(tmp_path, None)
    assert scene.missed is None  # type: ignore[union-attr]


def test_a_map_opens_in_other_programs_with_its_pixel(tmp_path):
    """ImageJ's tags: a slice a view, nanometres."""
    import tifffile

    images, out = pair_of_lines(), tmp_path / "a.vtp"
    save_result(out, CurveSet(()), "stereo-learned", images)
    with tifffile.TiffFile(missed_path(out)) as file:
        assert file.series[0].shape == images.views.shape
        assert file.imagej_metadata["unit"] == "nm"  # type: ignore[index]
        assert file.pages[0].tags["XResolution"].value == (1, 2)  # type: ignore[union-attr]


def test_what_is_no_map_of_these_images_is_refused_in_a_line(tmp_path):
    """Of another shape, values or no TIFF at all."""
    import tifffile

    path = tmp_path / "a.missed.tif"
    tifffile.imwrite(path, np.zeros((2, 8, 8), np.float32))
    assert read_map(path, (2, 8, 8)).max() == 0
    with pytest.raises(InputError, match=r"a\.missed\.tif: 2 x 8 x 8 pixels .* found, a map of 2 x 9 x 8"):
        read_map(path, (2, 9, 8))
    tifffile.imwrite(path, np.full((2, 8, 8), np.nan, np.float32))
    with pytest.raises(InputError, match="from 0 to 1 allowed"):
        read_map(path, (2, 8, 8))
    path.write_bytes(b"no image")
    with pytest.raises(InputError, match="no readable image found"):
        read_map(path, (2, 8, 8))


@pytest.mark.parametrize(
    ("method", "learned"),
    [
        ("stereo-learned", True),
        ("stereo-learned bands=false", True),
        ("stereo-classical contours=learned", True),
        ("lines-multiview", True),
        ("stereo-classical", False),
        ("lines-multiview contours=ridge", False),
        ("stereo-learned weights=mine.onnx", False),
        ("mine:reconstruct", False),
    ],
)
def test_only_the_network_of_the_package_tells(method, learned):
    """Ridges and weights of one's own miss other lines."""
    assert takes_learned_contours(method) is learned


def test_the_card_says_the_numbers_that_are_used():
    """Who reads the card of the weights learns of the map."""
    card = (WEIGHTS / "contours.md").read_text("utf-8")
    assert f"offset {FIT[0]}, slope {FIT[1]}" in card
