"""Directions, shears and overlapping discs; a truth point lies on its line."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import expm

from veristem.datasets import DislocationNetwork, load_material
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import Region, project
from veristem.datasets.recipe import Microscope
from veristem.sim.contrast.howie_whelan import Extinction, two_beam
from veristem.sim.elasticity.segment import segment_distortion
from veristem.sim.elasticity.voxels import Strain
from veristem.sim.foil import Foil
from veristem.sim.images import region_image
from veristem.sim.networks.foil import continued
from veristem.sim.ray_strain import margin_pixels, ray_beta, sub_pixel_nodes
from veristem.sim.rays import Illumination, bundles, excitation

MATERIAL = load_material("CoCrFeMnNi")
WAVELENGTH = electron_wavelength_nm(200.0)
G = np.array([0.0, np.linalg.norm(MATERIAL.reciprocal_per_nm((0, 0, 2))), 0.0])  # along +y
ALPHA = 91e-3
PIXEL = 2.0


def one_line(ends_nm, thickness_nm: float, side_nm: float, tilt_deg: float) -> Foil:
    """A foil with one line with g·b = 1, b along g."""
    network = DislocationNetwork.from_polyline(np.array(ends_nm, float), np.array([0, 1 / G[1], 0]))
    s0 = G[1] * np.sin(np.radians(tilt_deg))
    return Foil(network, MATERIAL, (0, 0, 2), G, s0, (side_nm, side_nm), thickness_nm, thickness_nm / 2)


@pytest.mark.parametrize(
    "region",
    [
        Region((0.07, 0.0), 15e-3),
        Region((0.02, 0.03), 4e-3),
        Region((0.085, 0.0), 15e-3),  # clipped by the rim
        Region((0.0, 0.0), 28e-3, 14e-3, -np.pi / 4, np.pi / 2),
    ],
)
def test_weights_sum_to_the_share_of_the_cone(region):
    """No electron is lost or counted twice when directions are binned."""
    found = bundles([region], Illumination(ALPHA, G[:2], WAVELENGTH, 0.01, 200.0))
    direct, partner = sum(b.weight[0].sum(axis=1) for b in found)
    theta = region.directions(ALPHA)
    nearer = np.where(theta @ G[:2] - 0.01 <= WAVELENGTH * G[1] ** 2 / 2, 1, -1)
    turned = np.hypot(theta[:, 0], theta[:, 1] + nearer * WAVELENGTH * G[1]) <= ALPHA
    assert direct == pytest.approx(region.fraction(ALPHA), rel=1e-9)
    assert partner == pytest.approx(region.fraction(ALPHA) * turned.mean(), rel=0.02)
    area = region.width_rad / 2 * (region.outer_rad**2 - region.inner_rad**2) / (np.pi * ALPHA**2)
    assert direct <= area * 1.01
    if np.hypot(*region.center_rad) + region.outer_rad < ALPHA:
        assert direct == pytest.approx(area, rel=0.01)


@pytest.mark.parametrize("alpha", [1e-4, 5e-3, 12.4e-3, 28e-3])
@pytest.mark.parametrize("s0", [-0.06, 0.0, 0.2])
def test_all_electrons_arrive_somewhere_and_once(alpha, s0):
    """Discs, an annulus and the rest of the plane of detector angles share what came in, whatever the cone."""
    turn = WAVELENGTH * G[1]
    edges = [0.0, turn / 3, turn, 30e-3, 1.0]
    total, clear = 0.0, Extinction(44.5)
    for low, high in itertools.pairwise(edges):
        for rays in bundles([Region((0.0, 0.0), high, low)], Illumination(alpha, G[:2], WAVELENGTH, s0, 100.0)):
            beams = two_beam(np.zeros((50, len(rays.s))), 2.0, rays.s, clear)
            total += sum(w @ np.diag(beam) for w, beam in zip(rays.weight[0], beams))
    assert total == pytest.approx(1, abs=6e-3)  # of the bins of s


@pytest.mark.parametrize(("s0", "sign"), [(0.0, 1), (0.2, 1), (-0.06, -1)])
def test_parallel_beam_has_one_bundle_and_its_own_excitation_error(s0, sign):
    """One incidence, whatever the detector: the direct disc and the one disc it exchanges electrons with."""
    parts = {}
    for order in (-1, 0, 1):
        center = order * WAVELENGTH * G[:2]
        found = bundles([Region(tuple(center), 2e-3)], Illumination(1e-5, G[:2], WAVELENGTH, s0, 100.0))
        parts[order] = sum((rays.weight[0].sum(axis=1) for rays in found), np.zeros(2))
        for rays in found:
            expected = sign * s0 - (WAVELENGTH * G[1] ** 2 if sign < 0 else 0)
            assert rays.sign == sign
            np.testing.assert_allclose(rays.s, expected, atol=1e-4)
            np.testing.assert_allclose(rays.theta_rad, 0, atol=1e-5)
    np.testing.assert_allclose(parts[0], [1, 0], atol=1e-9)
    np.testing.assert_allclose(parts[sign], [0, 1], atol=1e-9)
    np.testing.assert_allclose(parts[-sign], 0, atol=1e-9)


def test_bins_are_as_fine_as_they_claim():
    """The mean direction and the mean s of the bins are the region's, and no step is wider; strips take s in turn."""
    region, s0, t = Region((0.07, 0.0), 15e-3), 0.01, 200.0
    found = bundles([region], Illumination(ALPHA, G[:2], WAVELENGTH, s0, t, 3))  # of a row all s are those of g
    found = [b for b in found if b.weight[0, 1].any()]
    weight = np.array([b.weight[0, 1].sum() for b in found])
    mean = weight @ np.array([b.theta_rad for b in found]) / weight.sum()
    np.testing.assert_allclose(mean, region.mean_direction_rad(ALPHA), atol=1e-4)
    s = sum(b.weight[0, 1] @ b.s for b in found) / weight.sum()
    assert s == pytest.approx(s0, abs=5e-4)
    x, y = np.array([b.theta_rad for b in found]).T * t
    assert np.diff(np.sort(x)).max() <= 2.5
    strip = np.rint((x - x.mean()) / 2.0)
    assert len(np.unique(strip)) == 3
    for n in np.unique(strip):
        assert np.diff(np.sort(y[strip == n])).max() <= 1.5  # a bundle holds whole steps of s
    errors = np.sort(np.concatenate([b.s for b in found]))
    middle = errors[len(errors) // 8 : -len(errors) // 8]
    assert np.diff(middle).max() <= 1.1 / (2.4 * t)


THETAS = pytest.mark.parametrize("theta", [(0.0, 0.0), (0.07, -0.03), (-0.09, 0.05)])


def wave(x, y, z) -> np.ndarray:
    """Three smooth components of a strain."""
    k = 2 * np.pi / 40.0
    x, y, z = np.broadcast_arrays(x, y, z)
    return np.array([np.sin(k * x + 0.02 * z), np.cos(k * y - 0.5 * k * x), np.sin(k * (x + y)) + 0.01 * z])


def along(theta, x, y, z, focus: float) -> np.ndarray:
    """What the rays through (x, y) of the focus plane meet of the wave."""
    tan = np.tan(theta)
    ux, uy, uz = wave(x + (z - focus) * tan[0], y + (z - focus) * tan[1], z)
    return uz + tan[0] * ux + tan[1] * uy


@THETAS
def test_ray_beta_gathers_along_the_ray(theta):
    """The ray of pixel r passes r + (z - z_f) tan(theta), and the three columns of U enter as the direction says."""
    slices, side, dz, focus = 20, 24, 4.0, 30.0
    margin = margin_pixels(0.11, 50.0, PIXEL)
    centers = (np.arange(side + 2 * margin) - margin + 0.5) * PIXEL
    z = ((np.arange(slices) + 0.5) * dz)[:, None, None]
    voxels = wave(centers, centers[:, None], z).astype(np.float32)
    strain = Strain(voxels, np.empty((0, 3), int), np.empty((0, 3, 2, 2), np.float32))
    found, _, close = ray_beta(strain, theta, margin, dz, PIXEL, focus)
    inner = centers[margin:-margin]
    np.testing.assert_allclose(found, along(theta, inner, inner[:, None], z, focus), atol=2e-3)
    assert not close.size


@THETAS
def test_rays_beside_each_other_pass_their_parts(theta):
    """In divided voxels each of the rays of a pixel meets the part where it is, and every such pixel is told."""
    f, slices, side, dz, focus = 4, 20, 24, 4.0, 30.0
    margin = margin_pixels(0.11, 50.0, PIXEL)
    width = side + 2 * margin
    z = (np.arange(slices) + 0.5) * dz
    places = np.argwhere(np.random.default_rng(0).uniform(size=(slices, width, width)) < 0.05)
    at = (np.arange(f + 1) + 0.5) / f
    x, y = ((places[:, axis, None] - margin + at) * PIXEL for axis in (2, 1))
    parts = wave(x[:, None, :], y[:, :, None], z[places[:, 0], None, None]).astype(np.float32)
    nowhere = np.full((3, slices, width, width), np.nan, np.float32)  # outside divided voxels
    strain = Strain(nowhere, places, np.ascontiguousarray(np.moveaxis(parts, 0, 1)))
    _, pixels, close = ray_beta(strain, theta, margin, dz, PIXEL, focus)
    row, column = np.argwhere(pixels).T
    sub = 0.5 + sub_pixel_nodes(PIXEL)
    y = ((row[:, None, None] + sub[:, None]) * PIXEL + np.zeros(len(sub))).reshape(len(row), -1)
    x = ((column[:, None, None] + sub) * PIXEL + np.zeros((len(sub), 1))).reshape(len(row), -1)
    expected = along(theta, x, y, z[:, None, None], focus)
    met = np.isfinite(close)
    assert met.any(axis=(0, 2)).all()
    assert met.mean() * pixels.mean() == pytest.approx(0.05, abs=0.005)
    np.testing.assert_allclose(close[met], expected[met], atol=2e-3)


@pytest.mark.parametrize("depth", [20.0, 50.0, 80.0])
def test_a_truth_point_lies_on_its_line_in_the_noiseless_image(depth):
    """The steepest place of the image is where project() puts the core, and opposite views part as its depth says.

    The darkest place is not: towards the faces the image turns from dark to black and white, as it does in real foils.
    """
    line = one_line([[64.0, -300, depth], [64, 430, depth]], 100.0, 128.0, 0.0)
    microscope = Microscope(convergence_mrad=1e3 * ALPHA)
    found = []
    for x in (0.07, -0.07):
        region = Region((x, 0.0), 15e-3)
        image = region_image(line, region, microscope, PIXEL, (64, 64))
        profile = image[16:48].mean(axis=0)
        assert np.ptp(profile) > 0.03 * profile.mean()  # the line is there to be seen
        steep = np.diff(profile) ** 2
        center = steep @ np.arange(1, 64) / steep.sum() * PIXEL
        expected = project([64.0, 64.0, depth], region.mean_direction_rad(ALPHA), line.focus_nm)[0]
        assert abs(center - expected) < 1.5 * PIXEL
        found.append(center)
    assert found[1] - found[0] == pytest.approx((depth - line.focus_nm) * 2 * np.tan(0.07), abs=0.5 * PIXEL)


def test_both_ends_of_two_beams_are_flat_without_absorption():
    """Within a wide cone each electron turned out of a direction is replaced by one turned into it."""
    clear = Extinction(44.5)
    perfect = one_line([[64.0, -300, 50], [64, 430, 50]], 100.0, 32.0, 0.14)
    perfect.network.burgers_nm[:] = 0
    perfect.extinction = lambda *_: clear
    region = Region((0.0, 0.0), 15e-3)
    image = region_image(perfect, region, Microscope(convergence_mrad=1e3 * ALPHA), PIXEL, (16, 16))
    np.testing.assert_allclose(image / region.fraction(ALPHA), 1, atol=2e-3)


def systematic_row(line: Foil, extinction: Extinction, theta: np.ndarray, x: np.ndarray, y: float, dz: float = 2.5):
    """Nine beams (-4 ... 4) for a row of pixels; also the two-beam sums over the same rays.

    Couplings of 2g, 3g, ... follow xi ~ h^2 + 3.9, which fits copper's tabled 111, 200 and 220 to 2 %. Returns the
    means over the detector directions theta (N, 2): row, direct disc, direct + (-g of theta + lambda g), direct + (g of
    theta - lambda g), both ends of the case of the nearer Bragg line.
    """
    t, n = line.thickness_nm, np.arange(-4, 5)
    low, high = line.network.nodes_nm.min(axis=0), line.network.nodes_nm.max(axis=0)
    low[2], high[2] = 0.0, t
    network = continued(line.network, low, high)
    z = (np.arange(round(t / dz)) + 0.5) * dz
    order = np.abs(n[:, None] - n)
    inverse = 7.9 / ((2.0 * order) ** 2 + 3.9) * (order > 0)
    coupling = inverse * (1 / extinction.xi_g + 1j / extinction.xi_g_abs)
    row, between = 0.0, WAVELENGTH * G[1] ** 2
    beams = {}  # (order, reflection): direct beam of theta, or the beam that the reflection turns to theta
    for k in n:
        incidence = theta - k * WAVELENGTH * G[:2]
        tan = np.tan(incidence)[:, None, :]
        points = np.empty((len(z), len(theta), len(x), 3))
        points[..., 0] = x + (z - t / 2)[:, None, None] * tan[..., 0]
        points[..., 1] = y + (z - t / 2)[:, None, None] * tan[..., 1]
        points[..., 2] = z[:, None, None]
        strain = segment_distortion(network, points.reshape(-1, 3), MATERIAL.poisson_ratio, 1.0)
        ux, uy, uz = np.moveaxis((G @ strain).reshape(points.shape), -1, 0)
        beta = uz + tan[..., 0] * ux + tan[..., 1] * uy
        s1 = line.s0_per_nm - incidence @ G[:2]
        s = n * s1[:, None] - n * (n - 1) * between / 2
        step = expm(1j * np.pi * dz * (coupling + 2 * s[:, :, None] * np.eye(9)))
        psi = np.zeros((len(theta), 9, len(x)), complex)
        psi[:, 4] = 1
        for slice_beta in beta:
            half = np.exp(1j * np.pi * dz * n[:, None] * slice_beta[:, None, :])
            psi = half * (step @ (half * psi))
        row = row + np.exp(-2 * np.pi * t / extinction.xi_0_abs) * np.abs(psi[:, 4 + k]) ** 2
        for sign in {-1: (-1,), 0: (1, -1), 1: (1,)}.get(int(k), ()):
            errors = sign * s1 - between * (sign < 0)
            pairs = [two_beam(sign * beta[:, q], dz, errors[q], extinction) for q in range(len(theta))]
            beams[k, sign] = np.array([pair[abs(k)][0] for pair in pairs])
    upper = theta @ G[:2] - line.s0_per_nm > between / 2
    ends, literal = beams[0, 1] + beams[-1, -1], beams[0, 1] + beams[1, 1]
    nearer = np.where(upper[:, None], beams[0, -1] + beams[1, 1], ends)
    return tuple(image.mean(axis=0) for image in (row, beams[0, 1], ends, literal, nearer))


def off(profile: np.ndarray, row: np.ndarray) -> float:
    """Difference from the row, rms of the image over its background."""
    return float(np.sqrt(np.mean((profile / np.median(profile) - row / np.median(row)) ** 2)))


@pytest.mark.parametrize(
    ("center", "radius", "bound"), [((0.0, 0.0), 15e-3, 0.5), ((0.0, 25e-3), 15e-3, 0.8), ((0.0, 0.0), 30e-3, 0.5)]
)
def test_overlapping_discs_are_the_two_ends_of_one_two_beam_case(center, radius, bound):
    """A nine-beam row decides which partner belongs to the direct disc; docs/conventions.md quotes the numbers."""
    line = one_line([[15.0, 45, 0], [113, 83, 120]], 120.0, 128.0, 0.14)
    extinction = line.extinction(200.0, 1.0)
    region = Region(center, radius)
    theta = region.directions(1.0, 9)
    columns = np.arange(16, 48)
    row, *profiles = systematic_row(line, extinction, theta, (columns + 0.5) * PIXEL, 65.0)
    image = region_image(line, region, Microscope(convergence_mrad=1e3 * ALPHA), PIXEL, (64, 64))
    profiles.append(image[32, columns] / region.fraction(ALPHA))
    direct, _, literal, nearer, code = (off(profile, row) for profile in profiles)
    assert code < bound * min(direct, literal)
    assert nearer < bound * min(direct, literal)


@pytest.mark.parametrize("beams", [2, 5])
@pytest.mark.parametrize("rings", [(0.0, 28e-3), (14e-3, 28e-3), (0.0, 7e-3, 14e-3, 21e-3, 28e-3)])
def test_every_region_sees_from_its_own_mean_direction(beams, rings):
    """Segments imaged together: a direction between two of them would give both the parallax of neither."""
    segments = [
        Region((0.0, 0.0), high, low, np.pi / 4 + n * np.pi / 2, np.pi / 2)
        for low, high in itertools.pairwise(rings)
        for n in range(4)
    ]
    found = bundles(segments, Illumination(28e-3, G[:2], WAVELENGTH, 0.01, 200.0, beams))
    direct = 0 if beams == 2 else beams // 2
    for v, segment in enumerate(segments):
        weight = np.array([b.weight[v, direct].sum() for b in found])
        mean = weight @ np.array([b.theta_rad for b in found]) / weight.sum()
        np.testing.assert_allclose(mean, segment.mean_direction_rad(28e-3), atol=2e-4)


@pytest.mark.parametrize("rings", [(14e-3, 28e-3), (21e-3, 28e-3)])
def test_every_region_samples_excitation_errors_finely(rings):
    """Whatever few strips it covers: fringes average out in each segment (0.9 is left if strips miss whole fringes)."""
    inner, outer = rings
    segments = [Region((0.0, 0.0), outer, inner, np.pi / 4 + n * np.pi / 2, np.pi / 2) for n in range(4)]
    light = Illumination(28e-3, G[:2], WAVELENGTH, 0.01, 200.0, 5)
    found = bundles(segments, light)
    s = np.concatenate([b.s for b in found])
    for v, segment in enumerate(segments):
        weight = np.concatenate([b.weight[v, 2] for b in found])
        exact = excitation(segment.directions(28e-3, 800), 1, light)
        for depth in (0.5, 0.8, 1.0):
            fringe = np.exp(2j * np.pi * depth * light.thickness_nm * s) @ weight / weight.sum()
            assert abs(fringe - np.exp(2j * np.pi * depth * light.thickness_nm * exact).mean()) < 0.15
