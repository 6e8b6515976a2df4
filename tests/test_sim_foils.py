"""Lamellae, grains, faults, wedge, hole, bending and contamination: what they do to rays, lines and truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.datasets import DislocationNetwork, InputError, load_material
from veristem.datasets.geometry import Region
from veristem.datasets.recipe import Microscope, Recipe
from veristem.sim.acquire import acquire
from veristem.sim.contrast import Extinction, Fault, two_beam
from veristem.sim.foil import Foil
from veristem.sim.grains import Grains
from veristem.sim.images import region_image
from veristem.sim.networks.foil import cut_below
from veristem.sim.shape import Shape
from veristem.sim.specimen import make_specimen
from veristem.sim.statistics import line_statistics

MATERIAL = load_material("CoCrFeMnNi")
G = np.array([0.0, np.linalg.norm(MATERIAL.reciprocal_per_nm((0, 0, 2))), 0.0])
TABLE = {
    "recipe": {"name": "foil"},
    "specimen": {"thickness_nm": 100.0, "field_nm": [256.0, 256.0], "network": {"density_per_m2": 1.0e14}},
    "microscope": {
        "convergence_mrad": 12.4,
        "detector": {"kind": "virtual", "pair_angle_deg": 0.6, "radius_mrad": 4.0},
    },
    "scan": {"shape": [64, 64], "pixel_nm": 4.0},
}


def make(seed: int = 0, **values):
    """Specimen and recipe of the table with some values changed (dots as double underscores)."""
    recipe = Recipe.from_table(TABLE, "foil").with_values({k.replace("__", "."): v for k, v in values.items()})
    return make_specimen(recipe, np.random.default_rng(seed)), recipe


def empty(thickness_nm: float = 100.0, **more) -> Foil:
    """A foil whose only line carries next to nothing."""
    line = DislocationNetwork.from_polyline(np.array([[-150.0, -150, 0], [-150, -150, thickness_nm]]), [0, 1e-12, 0])
    return Foil(line, MATERIAL, (0, 0, 2), G, 0.01, (128.0, 128.0), thickness_nm, thickness_nm / 2, **more)


def image(specimen: Foil) -> np.ndarray:
    """Share of the rays of a narrow disc that comes out, 32 x 32 pixels of 4 nm."""
    microscope = Microscope(convergence_mrad=0.2)
    return region_image(specimen, Region((0.0, 0.0), 2e-4), microscope, 4.0, (32, 32))


def expected(s, *, exit_slices=None, faults=(), beta=None, thickness_nm: float = 100.0):
    """The direct beam of two_beam behind the same foil."""
    extinction = Extinction(*empty().extinction(200.0, Microscope().loss_collected_fraction))
    slices = int(thickness_nm / 0.5)
    beta = np.zeros((slices, 32, 32)) if beta is None else beta
    return two_beam(beta, 0.5, s, extinction, exit_slices=exit_slices, faults=faults)[0][0]


@pytest.mark.slow
def test_a_sheet_shows_the_fringes_of_two_beams():
    """On voxels against the fault as an exact event of the propagation, which share no code; blurred by a slice."""
    a, b, c, d = (np.array(p, float) for p in ((-300, -300, 15), (428, -300, 15), (428, 428, 85), (-300, 428, 85)))
    sheet = np.array([[a, b, c], [a, c, d]])
    shift = np.tile(G / (3 * G @ G), (2, 1))  # g·R = 1/3
    found = image(empty(triangles_nm=sheet, shifts_nm=shift))
    y = (np.arange(32)[:, None] + 0.5) * 4
    depth = np.broadcast_to((15 + (y + 300) * 70 / 728) / 0.5, (32, 32))
    wanted = expected(0.01, faults=[Fault(depth, 1 / 3)])
    assert np.ptp(wanted) > 0.2
    np.testing.assert_allclose(found, wanted, atol=0.05 * wanted.mean())


def test_a_region_has_its_own_excitation_error():
    """Two lamellae, one over the other: the ray passes s of the first, the shift, and s of the second."""
    regions = Grains(
        np.array([128.0, 128, 100]),
        np.array([[64.0, 64, 10], [64, 64, 70]]),
        np.array([0.0, 0.02]),
        np.array([0, 0.3]),
        np.zeros(2),
    )
    found = image(empty(grains=regions))
    beta = np.zeros((200, 32, 32))
    beta[80:] = 0.02
    wanted = expected(0.01, beta=beta, faults=[Fault(np.full((32, 32), 80.0), 0.3)])
    np.testing.assert_allclose(found, wanted, rtol=0.01)
    assert abs(expected(0.01).mean() / wanted.mean() - 1) > 0.1


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_a_voxel_on_a_boundary_holds_the_mean_of_both_sides(seed):
    """However it lies in the voxel: against 24 x 24 x 24 points in each; s averages over the field as regions do."""
    rng = np.random.default_rng(seed)
    middle, normal = np.array([10.0, 8, 6]), rng.normal(size=3)
    seeds = middle + np.outer([-1, 1], normal)
    regions = Grains(np.array([20.0, 16, 12]), seeds, np.array([0.0, 0.02]), np.zeros(2), np.zeros(2))
    voxels = np.zeros((3, 8, 8, 5), np.float32)  # 1.5 nm thick, 2 nm high, 4 nm wide
    regions.add_to(voxels, (0.0, 0.0, 0.0), (1.5, 2.0, 4.0))
    z, y, x = ((np.arange(24 * n) + 0.5) / 24 * size for n, size in zip((8, 8, 5), (1.5, 2.0, 4.0)))
    height = (z - middle[2]) * normal[2]
    beyond = height[:, None, None] + ((y - middle[1]) * normal[1])[:, None] + (x - middle[0]) * normal[0] > 0
    wanted = 0.02 * beyond.reshape(8, 24, 8, 24, 5, 24).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(voxels[2], wanted, atol=0.02 * 0.03)
    assert voxels[2].mean() == pytest.approx(wanted.mean(), abs=0.02 * 2e-3)


def test_an_edge_is_no_stairs():
    """An edge-on boundary that rises by one pixel in seven: where it stands in a row, by the grey levels there."""
    along = np.array([1.0, -1 / 7, 0]) / np.hypot(1, 1 / 7)
    seeds = np.array([64.0, 64, 50]) + np.outer([-30, 30], along)
    regions = Grains(np.array([128.0, 128, 100]), seeds, np.array([0.0, 0.001]), np.zeros(2), np.zeros(2))
    found = image(empty(grains=regions))[2:-2]
    left, right = found[:, 0], found[:, -1]
    assert np.abs(left / right - 1).min() > 0.005
    edge = ((found - right[:, None]) / (left - right)[:, None]).sum(axis=1)  # columns to the left of it
    rise, start = np.polyfit(np.arange(len(edge)), edge, 1)
    assert rise == pytest.approx(1 / 7, rel=0.01)
    assert np.abs(edge - start - rise * np.arange(len(edge))).max() < 0.05  # whole pixels leave half of one


@pytest.mark.parametrize("theta", [(0.0, 0.0), (0.05, -0.08)])
def test_rays_gain_the_difference_of_two_regions(theta):
    """From the region of the entrance to that of the exit, at whatever angle, through as many others as there are."""
    rng = np.random.default_rng(3)
    regions = Grains(np.array([100.0, 100, 100]), rng.uniform(0, 100, (5, 3)), np.zeros(5), rng.uniform(size=5), None)
    found = sum(
        np.where(np.isfinite(f.depth_slices), f.phase, 0) for f in regions.faults(theta, 1, 50.0, 4.0, (25, 25), 2.0)
    )
    xy = (np.arange(25) + 0.5) * 4
    ends = [
        np.stack(
            [*np.meshgrid(xy + (z - 50) * np.tan(theta[0]), xy + (z - 50) * np.tan(theta[1])), np.full((25, 25), z)], -1
        )
        for z in (0.0, 100.0)
    ]
    first, last = (regions.turns[regions.of(points)] for points in ends)
    np.testing.assert_allclose(found, last - first, atol=1e-9)
    assert (first != last).mean() > 0.3


def test_a_shifted_grain_shows_the_fringes_of_its_boundary():
    """An inclined boundary with a shift and no tilt against two_beam with that fault: exact."""
    seeds = np.array([[64.0, 64, 50], [64, 64, 50]]) + np.array([[0, 8.0, -40], [0, -8, 40]])
    regions = Grains(np.array([128.0, 128, 100]), seeds, np.zeros(2), np.array([0, 1 / 3]), np.zeros(2))
    y = (np.arange(32)[:, None] + 0.5) * 4
    depth = np.broadcast_to((50 + (y - 64) * 16 / 80) / 0.5, (32, 32))
    wanted = expected(0.01, faults=[Fault(depth, 1 / 3)])
    assert np.ptp(wanted) > 0.05
    np.testing.assert_allclose(image(empty(grains=regions)), wanted, rtol=0.01)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_lines_split_at_boundaries_are_the_same_lines(seed):
    """Length and conservation stay; each piece lies in one region; a stopped line lies in one region alone."""
    rng = np.random.default_rng(seed)
    regions = Grains(np.full(3, 100.0), rng.uniform(0, 100, (6, 3)), np.zeros(6), np.zeros(6), np.zeros(6, int))
    line = DislocationNetwork.from_polyline(np.cumsum(rng.normal(0, 12, (20, 3)), axis=0) + 50, np.array([0, 0.25, 0]))
    pieces = regions.split(line)
    pieces.check_conservation()
    assert pieces.lengths_nm.sum() == pytest.approx(line.lengths_nm.sum(), rel=1e-9)
    first, second = pieces.ends_nm()
    inner = [regions.of(first + f * (second - first)) for f in (0.01, 0.5, 0.99)]
    long = pieces.lengths_nm > 1e-3
    assert np.array_equal(inner[0][long], inner[1][long])
    assert np.array_equal(inner[1][long], inner[2][long])
    stopped = regions.within(line)
    stopped.check_conservation()
    assert len(np.unique(regions.of(np.mean(stopped.ends_nm(), axis=0)))) == 1
    assert 0 < stopped.lengths_nm.sum() <= line.lengths_nm.sum() * (1 + 1e-9)


def test_lines_stop_at_boundaries_or_pass():
    """With stopped = 1 no line is in two lamellae, with 0 many are; the density is met all the same."""
    for stopped in (0.0, 1.0):
        specimen, _ = make(specimen__regions={"kind": "lamellae", "size_nm": 80.0, "stopped": stopped})
        regions = specimen.grains
        assert regions is not None
        lines = [regions.of(chain[1:-1]) for chain in specimen.network.chains() if len(chain) > 3]
        crossing = np.mean([len(np.unique(line)) > 1 for line in lines])
        assert crossing == 0 if stopped else crossing > 0.3
        length = specimen.foil_network().lengths_nm.sum()
        assert length == pytest.approx(1e-4 * 256 * 256 * 100, rel=0.06)
        specimen.network.check_conservation()


def test_pile_ups_stand_at_boundaries():
    """The locked line of each lies at a boundary between lamellae, the others behind it on one side."""
    values = {"kind": "lamellae", "size_nm": 300.0, "plane": [1, -1, 1], "stopped": 1.0}
    specimen, _ = make(
        specimen__regions=values, specimen__network={"generator": "pile_up", "density_per_m2": 4e14}, seed=1
    )
    regions = specimen.grains
    assert regions is not None
    chains = [chain for chain in specimen.network.chains() if len(chain) > 3]
    apart = []
    for chain in chains:
        middle = chain[len(chain) // 2]
        apart.append(min(abs((middle - place) @ normal) for place, normal in regions.boundaries()))
    assert min(apart) < 3
    assert np.mean(np.array(apart) < 3) > 0.05  # one of five to twelve, and some boundaries lie outside the field
    assert np.mean(np.array(apart) > 20) > 0.3


def test_variants_have_lines_of_their_own():
    """A third of the lamellae has c along each cube axis; their Burgers vectors are those of the crystal so turned."""
    values = {"kind": "lamellae", "size_nm": 70.0, "variants": True, "plane": [1, 1, 1]}
    specimen, _ = make(
        specimen__material="gamma-TiAl", specimen__regions=values, specimen__network__density_per_m2=2e14
    )
    regions, network = specimen.grains, specimen.foil_network()
    assert regions is not None
    assert set(regions.variant) == {0, 1, 2}
    variant = regions.variant[regions.of(np.mean(network.ends_nm(), axis=0))]
    found = [{abs(round(b)) for b in network.burgers_nm[variant == v] @ specimen.g_per_nm} for v in range(3)]
    assert all(found)
    ordinary = 0.4 / np.sqrt(2)  # 1/2<110]: shorter than 1/2<101] by the axial ratio, and at right angles to c
    axis_c = [0, 1, 2]
    short = [np.abs(np.linalg.norm(network.burgers_nm[variant == v], axis=1) - ordinary) < 1e-4 for v in axis_c]
    seen = [network.burgers_nm[variant == v][s] @ specimen.g_per_nm for v, s in zip(axis_c, short)]
    assert np.abs(seen[0]).max(initial=0) < 1e-6  # c along g: invisible
    assert max(np.abs(np.concatenate(seen[1:]))) > 0.9  # c across g: some are seen


@pytest.mark.slow
def test_boundaries_are_a_class_of_their_own():
    """Label 3 stands where rays meet a boundary: not in one crystal, in both views of a foil of lamellae."""
    specimen, recipe = make(specimen__regions={"kind": "lamellae", "size_nm": 120.0, "plane": [1, -1, 1]})
    truth, acquisition = acquire(specimen, recipe, np.random.default_rng(0))
    assert (truth.labels == 3).any(axis=(1, 2)).all()
    assert 0.01 < (truth.labels == 3).mean() < 0.6
    away = truth.labels == 0
    regions = specimen.grains
    assert regions is not None
    y, x = ((np.arange(64) + 0.5) * 4 for _ in range(2))
    for z in (1.0, 50.0, 99.0):  # along the rays of pixels without label the region stays the same
        for view, (tx, ty) in enumerate(np.tan(truth.directions_rad)):
            here = regions.of(np.stack([*np.meshgrid(x + (z - 50) * tx, y + (z - 50) * ty), np.full((64, 64), z)], -1))
            middle = regions.of(np.stack([*np.meshgrid(x, y), np.full((64, 64), 50.0)], -1))
            assert (here == middle)[away[view]].all()
    assert not hasattr(acquisition, "labels")
    plain, recipe = make()
    assert not (acquire(plain, recipe, np.random.default_rng(0))[0].labels == 3).any()


@pytest.mark.slow
def test_regions_differ_in_grey_level():
    """Lamellae that are tilted against each other are as bright as their excitation errors say."""
    specimen, recipe = make(
        specimen__regions={"kind": "lamellae", "size_nm": 120.0, "plane": [1, -1, 1], "shift": [0, 0, 0]}
    )
    view = acquire(specimen, recipe, np.random.default_rng(0))[0].expected[0]
    plain, recipe = make()
    flat = acquire(plain, recipe, np.random.default_rng(0))[0].expected[0]
    assert view.std() / view.mean() > 1.5 * flat.std() / flat.mean()


def test_a_wedge_is_a_foil_of_many_thicknesses():
    """Column by column the image of a perfect wedge is that of flat foils; the deepest slab holds it."""
    slope = 0.3
    shape = Shape(np.array([128.0, 128.0]), 100.0, slope)
    assert shape.deepest_nm == pytest.approx(100 + 0.3 * 64)
    thickness = 100 + slope * ((np.arange(32) + 0.5) * 4 - 64)
    specimen = empty(shape.deepest_nm, shape=shape)
    wanted = expected(
        0.01, exit_slices=np.broadcast_to(thickness / 0.5, (32, 32)), thickness_nm=np.ceil(shape.deepest_nm)
    )
    np.testing.assert_allclose(image(specimen), wanted, rtol=0.01)  # the cone is not quite parallel
    assert np.ptp(wanted) > 0.1


def test_inclined_rays_leave_where_the_face_is():
    """A ray that leans with the slope passes less or more crystal than its pixel's column: exact in closed form."""
    shape = Shape(np.array([128.0, 128.0]), 100.0, 0.3)
    x = (np.arange(32) + 0.5) * 4
    for theta in ((0.05, 0.0), (-0.05, 0.02)):
        found = shape.exit_slices(theta, 4.0, (32, 32), 0.5, 50.0)
        assert found is not None
        tan = np.tan(theta[0])  # z = 100 + 0.3 (x + (z - 50) tan - 64)
        np.testing.assert_allclose(
            found[0] * 0.5, np.minimum((100 + 0.3 * (x - 64 - 50 * tan)) / (1 - 0.3 * tan), 119.2), atol=1e-3
        )


def test_the_hole_lets_everything_through():
    """Beyond the rim there is vacuum, on which nothing can lie; behind it the foil begins with no thickness."""
    shape = Shape(np.array([128.0, 128.0]), 100.0, 0.0, 50.0, (0.0, 0.0), 0.2, np.array([[0.0, 0.0, 0.0]]))
    found = image(empty(shape=shape))
    np.testing.assert_allclose(found[:, :11], 1.0, atol=2e-4)  # of the directions in the narrow disc
    assert (found[:, 14:] < 0.9).all()
    assert shape.exit_nm(np.array(50.0), np.array(64.0)) == pytest.approx(0, abs=1e-9)


def test_bending_adds_to_the_excitation_error_along_g():
    """By as much as the crystal turns: |g| times the angle; none across g, none in the middle."""
    specimen, _ = make(specimen__bend_deg=1.0)
    along = np.array([128.0, 128.0]) + np.outer([-128.0, 0, 128.0], [0, 1])  # g lies along y
    across = np.array([128.0, 128.0]) + np.outer([-128.0, 0, 128.0], [1, 0])
    s = np.linalg.norm(specimen.g_per_nm) * np.radians(1.0)
    np.testing.assert_allclose(specimen.shape.bent_per_nm(*along.T), [-s / 2, 0, s / 2], rtol=2e-3, atol=1e-12)
    np.testing.assert_allclose(specimen.shape.bent_per_nm(*across.T), 0, atol=1e-9)
    shape = Shape(np.array([128.0, 128.0]), 100.0, 0.0, 0.0, (0.0, 2e-4))
    wanted = [expected(0.01 + 2e-4 * ((j + 0.5) * 4 - 64))[0, 0] for j in range(32)]
    np.testing.assert_allclose(image(empty(shape=shape)).mean(axis=1), wanted, atol=5e-3)
    assert np.ptp(wanted) > 0.5


def test_contamination_is_as_strong_as_asked_and_smooth():
    """The relative spread of grey is the number in the recipe, and neighbours are alike; parallax moves it."""
    specimen, _ = make(specimen__contamination=0.1, specimen__field_nm=[2048.0, 2048.0], scan__pixel_nm=32.0)
    layer = specimen.shape.transmitted((0.0, 0.0), 16.0, (128, 128), 50.0)
    assert isinstance(layer, np.ndarray)
    assert layer.max() <= 1
    assert layer.std() / layer.mean() == pytest.approx(0.1, rel=0.35)
    assert np.abs(np.diff(layer, axis=0)).max() < 0.12 * layer.mean()
    moved = specimen.shape.transmitted((np.arctan(0.32), 0.0), 16.0, (128, 128), 50.0)
    np.testing.assert_allclose(moved[:, 1:], layer[:, :-1])  # 50 nm above the focus plane: 16 nm, a pixel


def test_lines_end_on_an_uneven_face():
    """What lies below the exit face is gone, conserved, and ends on it; so the truth holds crystal only."""
    specimen, _ = make(specimen__wedge_deg=10.0, specimen__hole_nm=60.0, specimen__network__density_per_m2=3e14)
    network = specimen.network
    network.check_conservation()
    depth = specimen.exit_nm(network.nodes_nm)
    assert (network.nodes_nm[:, 2] <= depth + 1e-6).all()
    degree = np.bincount(network.segments.ravel(), minlength=len(network.nodes_nm))
    ends = degree == 1
    z = network.nodes_nm[:, 2]
    on_face = (z < 1e-6) | (np.abs(z - depth) < 1e-6) | (z > specimen.thickness_nm - 1e-6)
    beyond = ((network.nodes_nm[:, :2] <= 0) | (network.nodes_nm[:, :2] >= 256)).any(axis=1)
    assert (on_face | beyond)[ends].all()
    assert (np.abs(z - depth) < 1e-6)[ends].sum() > 3


def test_the_density_of_an_uneven_foil_is_per_volume_of_crystal():
    """A wedge holds its mean thickness, a hole less; the lines are counted in that."""
    wedge = Shape(np.array([128.0, 128.0]), 100.0, 0.3)
    assert wedge.volume_nm3 == pytest.approx(128 * 128 * 100, rel=1e-9)
    assert Shape(np.array([128.0, 128.0]), 100.0, 0.0, 50.0).volume_nm3 < 0.5 * wedge.volume_nm3
    line = DislocationNetwork.from_polyline(np.array([[64.0, 64, 0], [64, 64, 100]]), np.array([0, 0.25, 0]))
    found = line_statistics(line, (128, 128, 119.2), G, wedge.volume_nm3)["density_per_m2"]
    assert found == pytest.approx(1e18 / 128**2)


@pytest.mark.parametrize("generator", ["glide", "loops", "net", "dissociated"])
def test_the_density_of_an_uneven_foil_is_met(generator):
    """As much line as asked for in what there is of crystal, wherever it is thin or gone."""
    values = {"generator": generator, "density_per_m2": 4e14}
    specimen, _ = make(specimen__wedge_deg=12.0, specimen__hole_nm=70.0, specimen__network=values)
    found = specimen.foil_network().lengths_nm.sum() / specimen.shape.volume_nm3
    assert found == pytest.approx(4e-4, rel=0.06)


def test_cutting_below_a_plane_is_exact():
    """A straight line through a plane exit face ends where it meets it."""
    line = DislocationNetwork.from_polyline(np.array([[0.0, 0, 0], [0, 0, 100]]), np.array([0, 0.25, 0]))
    cut = cut_below(line, lambda x, y: np.full(np.shape(x), 37.5) + 0 * y)
    np.testing.assert_allclose(sorted(cut.nodes_nm[:, 2]), [0, 37.5])
    assert cut.pinned.all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"specimen__regions": {"size_nm": 3.0}}, r"specimen\.regions\.size_nm = 3 found, at least a pixel of 4 nm"),
        ({"specimen__regions": {"kind": "twins"}}, "lamellae"),
        ({"specimen__regions": {"plane": [0, 0, 0]}}, "not all 0"),
        ({"specimen__regions": {"kind": "grains", "size_nm": 8.0}}, "grains of .* nm or more allowed"),
        (
            {
                "specimen__regions": {"variants": True},
                "specimen__material": "gamma-TiAl",
                "specimen__network__generator": "dissociated",
            },
            "which no boundary stops",
        ),
        ({"specimen__regions": {"variants": True}}, "L1_0 crystal allowed, CoCrFeMnNi is fcc"),
        ({"specimen__network__plane": [1, 1, 0]}, r"plane = \[1, 1, 0\] found, no slip system of CoCrFeMnNi"),
        ({"specimen__network__burgers": [1, 1, 1]}, r"burgers = \[1.0, 1.0, 1.0\] found, no slip system"),
        ({"specimen__network": {"generator": "loops", "density_per_m2": 1e9}}, "do not meet it within 5 %"),
        ({"specimen__wedge_deg": 44.0}, "at its thinnest found"),
        ({"specimen__hole_nm": 300.0}, "less than the field"),
        (
            {
                "specimen__material": "W",
                "specimen__g": [1, 1, 0],
                "specimen__zone_axis": [0, 0, 1],
                "specimen__network__generator": "dissociated",
            },
            "no dissociation",
        ),
    ],
)
def test_bad_foils_are_one_line(values, message):
    """Each says what was found and what is allowed."""
    with pytest.raises(InputError, match=message) as caught:
        make(**values)
    assert "\n" not in str(caught.value)
