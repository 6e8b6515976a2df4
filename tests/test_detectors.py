"""Which rays each detector collects, and what its table refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets.detectors import DETECTORS
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Region, pair_angle_rad
from veristem.datasets.recipe import load_recipe, recipe_paths

# camera length [mm], inner and outer angle [mrad]: the table of the thesis once more, so that a slip in either shows
BRIGHT_FIELD = [(34, 0, 119), (43, 0, 94.1), (54, 0, 75), (75, 0, 54), (87, 0, 46.5), (115, 0, 35.2), (220, 0, 18.4),
                (330, 0, 12.3), (550, 0, 7.36), (770, 0, 5.25), (1100, 0, 3.7)]  # fmt: skip
DARK_FIELD = [(1100, 6.8, 41.7), (2100, 3.4, 20.8), (3300, 2.3, 13.9), (4300, 1.7, 10.6), (5000, 1.5, 9.2)]
TABLE = [("BF", *row) for row in BRIGHT_FIELD] + [("HAADF", *row) for row in DARK_FIELD]

annuli = given(
    st.floats(0, 0.8), st.floats(1, 100), st.floats(-360, 360), st.integers(0, 10_000)
)  # inner over outer angle, outer angle [mrad], rotation [deg], seed
quick = settings(deadline=None, max_examples=15)


def detector(**table):
    """The detector of a recipe with this table."""
    return load_recipe("cantor-small").with_values({"microscope.detector": table}).microscope.detector


def directions_of(regions, convergence_rad: float) -> np.ndarray:
    """(V, 2) mean directions [rad]."""
    return np.array([region.mean_direction_rad(convergence_rad) for region in regions])


@pytest.mark.parametrize("kind", DETECTORS)
@quick
@given(azimuth=st.floats(-np.pi, np.pi))
def test_each_view_has_its_direction(kind, azimuth):
    """As many views whatever the Kikuchi line, each with rays, whose mean is what depth is computed from."""
    regions = detector(kind=kind).regions(azimuth)
    assert len(regions) == len(detector(kind=kind).regions(0.0)) > 0
    for region in regions:
        assert isinstance(region, Region)
        assert 0 <= region.inner_rad < region.outer_rad
        rays = region.directions(0.091)
        assert len(rays) > 0
        assert region.contains(rays).all()
        np.testing.assert_allclose(region.mean_direction_rad(0.091), rays.mean(axis=0), atol=1e-9)


@pytest.mark.parametrize("kind", DETECTORS)
def test_its_table_is_one_of_a_recipe(kind):
    """The schema tells each key, a recipe written out reads back, and no key is passed over."""
    made = detector(kind=kind)
    assert made.kind == kind
    schema = type(made).model_json_schema()
    assert schema["description"]
    assert set(schema["properties"]) == set(type(made).model_fields)
    assert json.loads(json.dumps(schema))["additionalProperties"] is False
    for key in schema["properties"]:
        assert f"microscope.detector.{key}" in recipe_paths()
    recipe = load_recipe("cantor-small").with_values({"microscope.detector": {"kind": kind}})
    assert type(recipe).model_validate(recipe.model_dump(mode="json")) == recipe
    assert isinstance(getattr(made, "simultaneous", True), bool)
    with pytest.raises(InputError, match=r"microscope\.detector\.colour: 'red' found, no such key"):
        detector(kind=kind, colour="red")


@pytest.mark.parametrize(("element", "length", "inner", "outer"), TABLE)
def test_camera_lengths_of_the_thesis(element, length, inner, outer):
    """A tabulated camera length gives the tabulated angles to the last digit: interpolation must not touch them."""
    table = {"element": element, "camera_length_mm": length}
    ring = detector(kind="annular", **table)
    assert ring.angles_mrad == (inner, outer)
    assert ring.regions(0.3) == [Region((0.0, 0.0), 1e-3 * outer, 1e-3 * inner)]


@pytest.mark.parametrize("element", ["BF", "HAADF"])
def test_a_longer_camera_collects_smaller_angles(element):
    """Between tabulated lengths, too: the detector stays as wide as it is, its angle falls."""
    ends = [length for name, length, *_ in TABLE if name == element]
    lengths = np.linspace(min(ends), max(ends), 400)
    angles = np.array([DETECTORS["annular"](element=element, camera_length_mm=L).angles_mrad for L in lengths])
    assert (np.diff(angles[:, 1]) < 0).all()
    assert (np.diff(angles[:, 0]) < 0).all() if element == "HAADF" else not angles[:, 0].any()
    assert np.ptp(angles[:, 1] * lengths) < 0.06 * angles[0, 1] * lengths[0]


def test_a_camera_length_can_be_set_in_a_recipe_written_out():
    """Studies set single keys of a recipe with all its defaults, which must not clash nor be read back as others."""
    recipe = load_recipe("cantor-small").with_values({"microscope.detector": {"kind": "annular"}})
    assert recipe.microscope.detector.angles_mrad == (0.0, 18.4)
    assert type(recipe).model_validate(recipe.model_dump(mode="json")) == recipe
    changed = recipe.with_values({"microscope.detector.camera_length_mm": 330})
    assert changed.microscope.detector.angles_mrad == (0.0, 12.3)
    assert type(recipe).model_validate(changed.model_dump(mode="json")) == changed
    ring = recipe.with_values({"microscope.detector.inner_mrad": 5}).microscope.detector
    assert ring.angles_mrad == (5.0, 18.4)


@pytest.mark.parametrize("segments", [4, 16])
@quick
@annuli
def test_segments_tile_the_annulus(segments, hollow, outer, rotation, seed):
    """No ray is counted twice or lost: each direction lies in one segment, and their shares add up."""
    cut = DETECTORS["segmented"](
        inner_mrad=hollow * outer, outer_mrad=outer, rotation_deg=rotation, segments=segments
    ).regions(0.0)
    assert len(cut) == segments
    annulus = Region((0.0, 0.0), 1e-3 * outer, 1e-3 * hollow * outer)
    rays = np.random.default_rng(seed).uniform(-1.1e-3 * outer, 1.1e-3 * outer, (5000, 2))
    times = np.sum([region.contains(rays) for region in cut], axis=0)
    np.testing.assert_array_equal(times, annulus.contains(rays).astype(int))
    cone = 1.2e-3 * outer
    assert sum(region.fraction(cone) for region in cut) == pytest.approx(annulus.fraction(cone), rel=0.01)


def test_order_of_sixteen_segments():
    """Whoever names the views A1 to D4 relies on it: ring by ring from the inside, A to D from x towards y in each."""
    directions = directions_of(detector(kind="segmented", segments=16).regions(0.0), 0.03)
    radius, azimuth = np.hypot(*directions.T), np.degrees(np.arctan2(directions[:, 1], directions[:, 0]))
    assert (np.diff(radius.reshape(4, 4).mean(axis=1)) > 3e-3).all()
    np.testing.assert_allclose(np.ptp(radius.reshape(4, 4), axis=1), 0, atol=1e-5)
    np.testing.assert_allclose((azimuth.reshape(4, 4) - [0, 90, 180, 270] + 180) % 360, 180, atol=0.5)


@pytest.mark.parametrize(("inner", "angle_deg"), [(7.5, 2.03), (14.0, 2.25)])
def test_stereo_angle_of_opposite_quadrants(inner, angle_deg):
    """Depth is computed from it: two annuli in a cone of 28 mrad, against the mean of an annular quadrant by hand."""
    a, _, c, _ = directions_of(detector(kind="segmented", inner_mrad=inner, outer_mrad=28.0).regions(0.0), 0.028)
    mean = (2 * np.sqrt(2) / np.pi) * (2 / 3) * (28**3 - inner**3) / (28**2 - inner**2)
    assert np.degrees(pair_angle_rad(a, c)) == pytest.approx(angle_deg, abs=0.01)
    assert pair_angle_rad(a, c) == pytest.approx(2e-3 * mean, rel=2e-3)


@pytest.mark.parametrize("segments", [4, 16])
@pytest.mark.parametrize("rotation", [-30.0, 17.0, 45.0, 90.0])
def test_rotation_turns_the_directions(rotation, segments):
    """The detector stands as it is mounted, so the directions must turn with it, from x towards y."""
    straight, turned = (
        directions_of(detector(kind="segmented", segments=segments, rotation_deg=r).regions(0.0), 0.03)
        for r in (0.0, rotation)
    )
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    np.testing.assert_allclose(turned, straight @ np.array([[c, s], [-s, c]]), atol=5e-5)


@pytest.mark.parametrize("azimuth", [None, 30.0])
def test_an_aperture_gives_the_virtual_pair(azimuth):
    """Other defaults but the same rays; unlike virtual discs it can be in one place only, so each view is a scan."""
    aperture = detector(kind="aperture", pair_azimuth_deg=azimuth)
    pair = detector(kind="virtual", pair_azimuth_deg=azimuth, pair_angle_deg=1.0, radius_mrad=3.5)
    assert aperture.regions(0.2) == pair.regions(0.2)
    whole = np.pi * 3.5**2 / (np.pi * 12.4**2)
    assert [r.fraction(12.4e-3) for r in aperture.regions(0.2)] == pytest.approx([whole, whole], rel=5e-3)
    assert not aperture.simultaneous
    assert pair.simultaneous
    assert "simultaneous" not in aperture.model_dump()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "segmented", "inner_mrad": 28.0}, "inner_mrad = 28 found, below outer_mrad = 28 allowed"),
        ({"kind": "segmented", "segments": 5}, "segments: 5 found, 4 or 16"),
        ({"kind": "annular", "inner_mrad": 20}, "inner_mrad = 20 found, below outer_mrad = 18.4 allowed"),
        ({"kind": "annular", "inner_mrad": 9, "outer_mrad": 9}, "inner_mrad = 9 found, below outer_mrad = 9 allowed"),
        (
            {"kind": "annular", "camera_length_mm": 1101},
            "camera_length_mm = 1101 found, 34 to 1100 allowed for BF; give inner_mrad and outer_mrad instead",
        ),
        ({"kind": "annular", "camera_length_mm": 33.9}, "camera_length_mm = 33.9 found, 34 to 1100 allowed for BF"),
        (
            {"kind": "annular", "camera_length_mm": 330, "element": "HAADF"},
            "camera_length_mm = 330 found, 1100 to 5000 allowed for HAADF",
        ),
        (
            {"kind": "annular", "camera_length_mm": 330, "inner_mrad": 0},
            "camera_length_mm = 330 and inner_mrad = 0 found, one of the two allowed",
        ),
        (
            {"kind": "annular", "camera_length_mm": 330, "outer_mrad": 12.3},
            "camera_length_mm = 330 and outer_mrad = 12.3 found, one of the two allowed",
        ),
        ({"kind": "annular", "element": "HAADF"}, "element = HAADF found without camera_length_mm"),
        ({"kind": "annular", "element": "DF4"}, "element: 'DF4' found, 'BF' or 'HAADF'"),
        ({"kind": "aperture", "radius_mrad": 0}, "radius_mrad: 0 found, greater than 0"),
        (
            {"kind": "apertures"},
            f"kind: 'apertures' found, allowed are {', '.join(DETECTORS)}",
        ),
    ],
)
def test_a_wrong_table_is_one_line(table, message):
    """Who mistypes a recipe reads one line that says where, what was found and what is allowed."""
    with pytest.raises(InputError) as error:
        detector(**table)
    assert str(error.value).startswith("cantor-small: microscope.detector")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "table",
    [
        {"kind": "aperture", "pair_angle_deg": 2.5},
        {"kind": "annular", "inner_mrad": 13.0},
        {"kind": "segmented", "inner_mrad": 12.0, "segments": 16},
    ],
)
def test_a_region_outside_the_cone_has_no_direction(table):
    """No electron reaches it, so that it has no view; the table alone cannot know, for the cone is another key."""
    with pytest.raises(InputError, match=r"outside the cone of 12\.4 mrad, .*choose a smaller angle") as error:
        directions_of(detector(**table).regions(0.0), 12.4e-3)
    assert "\n" not in str(error.value)


def test_a_fan_of_discs_begins_and_ends_with_the_pair():
    """More views lie between the discs of the pair, at equal angles, in its order."""
    pair, fan = (DETECTORS["virtual"](pair_angle_deg=8.0, views=count).regions(0.4) for count in (2, 5))
    places = np.array([region.center_rad for region in fan])
    np.testing.assert_allclose(places[[0, -1]], [region.center_rad for region in pair], atol=1e-15)
    np.testing.assert_allclose(
        np.diff(places, axis=0), np.broadcast_to((places[-1] - places[0]) / 4, (4, 2)), atol=1e-15
    )
    assert {region.outer_rad for region in fan} == {region.outer_rad for region in pair}
