"""Frozen-phonon multislice of a foil, beside what the diffuse model says: python tests/validation/frozen_phonons.py

Needs abTEM (pip install abtem), which is no dependency. A plane wave passes a fcc metal that is turned away from its
zone axes; what the mean over displaced atoms leaves out of the mean wave is diffuse, and the share of it in a disc of
15 mrad at 70 mrad is that of `PhononKernel` for the optical depth. Only the numbers are kept (docs/validation.md).
"""

from __future__ import annotations

import argparse

import numpy as np

from veristem.datasets import load_material
from veristem.datasets.geometry import Region
from veristem.datasets.structure import phonon_density
from veristem.sim.contrast.diffuse import PhononKernel

_ENERGY_KEV, _CELLS, _PIXELS, _DISC_RAD, _RADIUS_RAD = 200.0, 10, 480, 0.07, 0.015


def multislice(name: str, thickness_nm: tuple[float, ...], configurations: int, seed: int, tilt_mrad=(23.0, 11.0)):
    """Share lost to phonons, and of it in discs of 15 mrad at 70 mrad about the beam, at each thickness.

    Also the angle up to which the multislice holds what is scattered [rad]; shares are of what lies within.
    """
    import abtem  # type: ignore[import-not-found]
    import ase.build  # type: ignore[import-not-found]

    material = load_material(name)
    a = 10 * material.a_nm
    atoms = ase.build.bulk(name, "fcc", a=a, cubic=True) * (_CELLS, _CELLS, 1)
    u = np.sqrt(material.sites[0].atoms[0].b_angstrom2 / (8 * np.pi**2))  # along one axis [Angstrom]
    slices = [round(10 * t / a) for t in thickness_nm]
    rng = np.random.default_rng(seed)
    side = _CELLS * a
    frequency = np.fft.fftfreq(_PIXELS, side / _PIXELS)
    kx, ky = np.meshgrid(frequency, frequency, indexing="ij")
    wavelength = abtem.core.energy.energy2wavelength(1e3 * _ENERGY_KEV)
    tilt = 1e-3 * np.array(tilt_mrad)
    step = a / 2
    kept = np.hypot(kx, ky) < 0.667 * frequency.max()
    drift = np.exp(
        -1j * np.pi * wavelength * (kx**2 + ky**2) * step - 2j * np.pi * step * (kx * tilt[0] + ky * tilt[1])
    )
    drift *= kept
    sums = {n: [np.zeros((_PIXELS, _PIXELS), complex), np.zeros((_PIXELS, _PIXELS))] for n in slices}
    sigma = abtem.core.energy.energy2sigma(1e3 * _ENERGY_KEV)
    for _ in range(configurations):
        bank = []  # slabs of one cell, drawn again in random order: enough of them for a thick foil
        for _ in range(12):
            moved = atoms.copy()
            moved.positions += rng.normal(0, u, moved.positions.shape)
            moved.positions[:, 2] += 0.25 * a
            moved.wrap()
            potential = abtem.Potential(moved, gpts=_PIXELS, slice_thickness=step, projection="infinite")
            bank.append(np.exp(1j * sigma * potential.build(lazy=False).array))
        wave = np.ones((_PIXELS, _PIXELS), complex)
        for n in range(1, max(slices) + 1):
            shift = rng.integers(_CELLS, size=2) * _PIXELS // _CELLS  # no two slabs of a foil move alike
            for slab in np.roll(bank[rng.integers(len(bank))], shift, axis=(1, 2)):
                wave = np.fft.ifft2(np.fft.fft2(slab * wave) * drift)
            if n in sums:
                there = np.fft.fft2(wave) / wave.size
                sums[n][0] += there
                sums[n][1] += np.abs(there) ** 2
    found = []
    angle = wavelength * np.stack([kx, ky], axis=-1)
    for n in slices:
        wave, intensity = sums[n]
        mean = intensity / configurations
        # an unbiased estimate of |<psi>|^2: what single configurations put on top is taken off
        coherent = (np.abs(wave) ** 2 - intensity) / (configurations * (configurations - 1))
        diffuse = np.where(kept, mean - coherent, 0.0)
        turns = np.arange(12) * np.pi / 6
        discs = [np.hypot(*np.moveaxis(angle - _DISC_RAD * np.array([np.cos(t), np.sin(t)]), -1, 0)) < _RADIUS_RAD
                 for t in turns]  # fmt: skip
        found.append((float(diffuse.sum()), float(np.mean([diffuse[disc].sum() for disc in discs]) / diffuse.sum())))
    return found, float(wavelength * 0.667 * frequency.max())


def main() -> None:
    """Print a row a thickness."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--material", default="Cu")
    parser.add_argument("--thickness-nm", type=float, nargs="+", default=[50.0, 100.0, 200.0])
    parser.add_argument("--configurations", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    material = load_material(options.material)
    found, held_rad = multislice(options.material, tuple(options.thickness_nm), options.configurations, options.seed)
    for thickness, (lost, share) in zip(options.thickness_nm, found):
        depth = thickness / material.phonon_free_path_nm(_ENERGY_KEV)
        kernel = PhononKernel(lambda angle: phonon_density(material.sites, _ENERGY_KEV, angle), depth)
        region = Region((_DISC_RAD, 0.0), _RADIUS_RAD)
        held = kernel.arriving(np.zeros((1, 2)), [Region((0.0, 0.0), held_rad)])[0, 0]
        ours = kernel.arriving(np.zeros((1, 2)), [region])[0, 0] / held
        print(
            f"{thickness:g} nm: lost {lost:.3f} (mean absorption alone {1 - np.exp(-depth):.3f}); "
            f"in the disc {share:.4f}, ours {ours:.4f}, ratio {ours / share:.3f}"
        )


if __name__ == "__main__":
    main()
