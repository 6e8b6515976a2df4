"""Check 23: a sphere of gold by multislice, against the rays and cross-sections that images of particles are made of.

What a quadrant shows of a particle, summed over its image, is what it loses, and the centroid of that moves with depth
by the mean transverse momentum of the loss. By reciprocity both follow from diffraction patterns of plane waves: of a
wave from theta, what does not arrive within the aperture of the cone, and its momentum. No image is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from validation.check import Check
from veristem.datasets import scattering
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.recipe import load_recipe
from veristem.datasets.specimens import Particles
from veristem.reports.style import METHODS
from veristem.sim.film import film_of

_DIAMETER_NM, _ENERGY_KEV = 4.5, 200.0
_INNER_RAD, _CONE_RAD = 0.014, 0.028
_CELL_NM, _PIXELS, _SLICE_NM = 5.6, 600, 0.2
_LATTICE_NM, _DEBYE_WALLER_NM2 = 0.4078, 0.0062  # at room temperature (Gao & Peng, Acta Cryst. A55 (1999) 926)
_RADII = 6  # directions, one on each of six rings of equal area
_ACROSS = 2 * np.sqrt(2) / np.pi  # mean cosine over a quadrant
_CRYSTALS, _AMORPHOUS = 24, 4


def crystal(rng: np.random.Generator) -> np.ndarray:
    """Atoms (N, 3) [nm] of a sphere cut from a crystal turned at random, displaced by their vibrations (Einstein)."""
    from scipy.spatial.transform import Rotation

    cells = np.arange(-8, 9)
    base = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    atoms = (np.stack(np.meshgrid(cells, cells, cells), -1).reshape(-1, 1, 3) + base).reshape(-1, 3) * _LATTICE_NM
    atoms = _within(atoms + rng.uniform(0, _LATTICE_NM, 3))
    atoms = Rotation.from_quat(rng.normal(size=4)).apply(atoms)
    return atoms + rng.normal(0, np.sqrt(_DEBYE_WALLER_NM2 / 8) / np.pi, atoms.shape)


def amorphous(rng: np.random.Generator) -> np.ndarray:
    """As many atoms (N, 3) [nm] anywhere in the sphere, independent of each other."""
    atoms = _within(rng.uniform(-_DIAMETER_NM / 2, _DIAMETER_NM / 2, (20_000, 3)))
    return atoms[: round(np.pi / 6 * _DIAMETER_NM**3 * scattering.GOLD.units_per_nm3)]


def _within(atoms: np.ndarray) -> np.ndarray:
    return atoms[(atoms**2).sum(axis=1) < _DIAMETER_NM**2 / 4]


def losses(atoms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(2,) what plane waves between inner angle and rim lose to outside the cone [nm²], and its momentum [nm² rad].

    Electrons that reach the aperture are counted where they arrive; mean over directions, the momentum along each.
    """
    import scipy.fft as fft

    wavelength = electron_wavelength_nm(_ENERGY_KEV)
    step, frequency = _CELL_NM / _PIXELS, fft.fftfreq(_PIXELS, _CELL_NM / _PIXELS)
    q2 = frequency[:, None] ** 2 + frequency**2
    _, a, b = scattering._ATOMS["Au"]
    factor = 0.1 * sum(x * np.exp(-1e-2 * y * q2 / 4) for x, y in zip(a, b)) * (1 + _ENERGY_KEV / 510.99895)
    pass_on = np.exp(-1j * np.pi * wavelength * _SLICE_NM * q2) * (q2 < (2 / 3 * frequency.max()) ** 2)
    pass_on = pass_on.astype(np.complex64)
    slices = []
    for low in np.arange(-_DIAMETER_NM / 2 - _SLICE_NM, _DIAMETER_NM / 2 + _SLICE_NM, _SLICE_NM):
        x, y, z = (atoms + np.array([_CELL_NM / 2, _CELL_NM / 2, 0])).T
        here = (z >= low) & (z < low + _SLICE_NM)
        waves = [np.exp(-2j * np.pi * np.outer(frequency, v[here])) for v in (y, x)]
        phase = np.real(np.asarray(fft.ifft2(wavelength * factor * (waves[0] @ waves[1].T)))) / step**2
        slices.append(np.exp(1j * phase).astype(np.complex64))
    theta = wavelength * np.stack(np.broadcast_arrays(frequency, frequency[:, None]), axis=-1)
    inside = (theta**2).sum(axis=-1) <= _CONE_RAD**2
    squares = np.linspace(_INNER_RAD**2, _CONE_RAD**2, 2 * _RADII + 1)[1::2]
    found, place = [], np.arange(_PIXELS) * step
    for radius, azimuth in zip(np.sqrt(squares), rng.uniform(0, 2 * np.pi, _RADII)):
        k = np.rint(radius * np.array([np.cos(azimuth), np.sin(azimuth)]) / wavelength * _CELL_NM) / _CELL_NM
        wave = np.exp(2j * np.pi * (k[0] * place + k[1] * place[:, None])).astype(np.complex64)
        for one in slices:
            wave = np.asarray(fft.ifft2(np.asarray(fft.fft2(wave * one)) * pass_on))
        arrived = np.abs(np.asarray(fft.fft2(wave))) ** 2 / _PIXELS**4 * inside
        along, size = k / np.hypot(*k), wavelength * np.hypot(*k)
        found.append([1 - arrived.sum(), size - (arrived[..., None] * theta).sum(axis=(0, 1)) @ along])
    return _CELL_NM**2 * np.mean(found, axis=0)


@cache
def spheres(kind: Callable, count: int) -> np.ndarray:
    """(count, 2) losses of so many spheres."""
    return np.array([losses(kind(rng), rng) for rng in np.random.default_rng(23).spawn(count)])


def angle_deg(found: np.ndarray) -> tuple[float, float]:
    """Angle between what opposite quadrants show, and its standard error, each sphere left out in turn [deg]."""

    def angle(of):
        lost, momentum = of.mean(axis=0)
        return float(np.degrees(2 * _ACROSS * momentum / lost))

    without = [angle(np.delete(found, n, axis=0)) for n in range(len(found))]
    return angle(found), float(np.sqrt((len(found) - 1) * np.var(without)))


@cache
def of_rays() -> tuple[float, float]:
    """Angle [deg], and what a quadrant's image of a sphere loses in all [nm²], of the film's images."""
    side, pixel = 32.0, 0.2
    size = {"specimen.field_nm": [side, side], "scan.shape": [160, 160], "scan.pixel_nm": pixel}
    recipe = load_recipe("particles-small").with_values(size | {"specimen.rescattering": True})
    table = recipe.specimen
    assert isinstance(table, Particles)
    box = np.array([side, side, table.thickness_nm])
    one = ParticleDispersion(np.array([[side / 2, side / 2, box[2] / 2]]), np.array([_DIAMETER_NM / 2]), box)
    views = film_of(table, one).images(recipe.microscope.detector.regions(0.0), recipe.microscope, pixel, (160, 160))
    lost = (1 - views[0].share / views[0].share[0, 0]).sum() * pixel**2
    return float(np.degrees(np.linalg.norm(views[0].contrast_rad - views[2].contrast_rad))), float(lost)


def _angle(number: str, title: str, kind: Callable, count: int, bound: float) -> Check:
    found = spheres(kind, count)
    angle, error = angle_deg(found)
    return Check(
        number,
        title,
        "angle between what opposite quadrants of 14 to 28 mrad show of a 4.5 nm sphere at 200 kV: "
        f"{of_rays()[0]:.2f}° of our rays, {angle:.2f} ± {error:.2f}° of multislice of {count} spheres",
        "multislice by reciprocity, the same scattering factors",
        abs(of_rays()[0] - angle),
        bound,
        "deg",
        partial(_draw, found=found),
    )


def atoms_anywhere() -> Check:
    """Check 23a: atoms independent of each other, as our cross-sections take them."""
    return _angle("23a", "A sphere of gold atoms in four quadrants", amorphous, _AMORPHOUS, 0.05)


def crystals() -> Check:
    """Check 23b: crystals in all orientations, whose Bragg reflections our rays do not know."""
    return _angle("23b", "Gold crystals in four quadrants", crystal, _CRYSTALS, 0.15)


def contrast() -> Check:
    """Check 23c: how dark crystals are."""
    found = spheres(crystal, _CRYSTALS)[:, 0]
    return Check(
        "23c",
        "How dark gold crystals are",
        f"what a quadrant's image of a sphere loses in all: {of_rays()[1]:.2f} nm² of our rays over "
        f"{found.mean():.2f} ± {found.std() / np.sqrt(len(found)):.2f} nm² of multislice, less 1",
        "multislice by reciprocity, the same scattering factors",
        abs(of_rays()[1] / found.mean() - 1),
        0.12,
        "",
        partial(_draw, found=spheres(crystal, _CRYSTALS)),
    )


def _draw(figure, found):
    ax = figure.subplots()
    angles = np.degrees(2 * _ACROSS * found[:, 1] / found[:, 0])
    ax.plot(found[:, 0], angles, "o", ms=4, color=METHODS[0], label="spheres")
    ax.plot(found[:, 0].mean(), angle_deg(found)[0], "s", ms=7, mfc="none", color=METHODS[0], label="all together")
    ax.plot(of_rays()[1], of_rays()[0], "*", ms=10, color=METHODS[1], label="our rays")
    ax.set(xlabel="lost in all by a quadrant's image (nm²)", ylabel="angle between quadrants (°)")
    ax.legend()


CHECKS: dict[str, Callable[[], Check]] = {"23a": atoms_anywhere, "23b": crystals, "23c": contrast}
