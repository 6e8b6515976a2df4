"""The image of a foil that one detector region makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import NamedTuple

import numpy as np

from veristem.datasets.detectors.pixelated import Detector as Pixelated
from veristem.datasets.geometry import Region, Tilt
from veristem.datasets.microscope import Microscope
from veristem.sim.contrast import Extinction, Fault, Row, systematic_row, two_beam
from veristem.sim.contrast.diffuse import PhononKernel
from veristem.sim.diffuse import phonon_kernel, phonon_losses
from veristem.sim.elasticity.voxels import Strain
from veristem.sim.optics import AberratedImage, Image
from veristem.sim.pattern import pattern_of
from veristem.sim.ray_strain import Scratch, margin_pixels, ray_beta
from veristem.sim.rays import SHEAR_NM, Bundle, bundles, row_orders

_LINE_NM = 15.0  # what varies over less is the contrast of lines, the rest background
_LEVEL = Tilt()


def region_image(
    foil, region: Region, microscope: Microscope, pixel_nm: float, shape: tuple[int, int], beams: int | None = None
) -> np.ndarray:
    """Share of the cone's electrons that reaches a detector region from each pixel, (rows, columns) float64.

    The region may lie anywhere: a disc about 0 gives a bright field, one about lambda g a dark field or, at a large
    excitation error, a weak-beam image, an annulus what Bragg beams bring there; with a narrow cone, as by parallel
    illumination. Parameters and errors as of `foil_image`; the rim is cut off.
    """
    pixels = np.abs(microscope.aberrations.displacement_nm(1e-3 * microscope.convergence_mrad * _RIM)).max() / pixel_nm
    rim = int(np.ceil(pixels)) + 4 if pixels else 0
    (image,) = foil_images(foil, [region], microscope, pixel_nm, shape, beams, rim)
    share = image.share
    return share[rim : shape[0] + rim, rim : shape[1] + rim]


_RIM = np.stack([np.cos(np.arange(360) * np.pi / 180), np.sin(np.arange(360) * np.pi / 180)], axis=1)


def foil_images(
    foil,
    regions: Sequence[Region],
    microscope: Microscope,
    pixel_nm: float,
    shape: tuple[int, int],
    beams: int | None = None,
    rim: int = 0,
    tilt: Tilt = _LEVEL,
    steepest_rad: float = 0.0,
    moved_nm: Sequence[tuple[float, float]] | None = None,
) -> list[Image]:
    """The images of detector regions about one centre, drawn on the focus plane of the foil.

    Those of regions that fill another one add up to its image.

    Parameters
    ----------
    foil : Foil
        What is imaged.
    regions : sequence of Region
        Of the detector, within the cone or beyond it.
    microscope : Microscope
        Beam settings of the recipe; the size of the source is not applied here.
    pixel_nm : float
        Scan step [nm].
    shape : (int, int)
        Rows and columns of the field.
    beams : int, optional
        2 for two-beam cases, 3 to 9 for a systematic row about the direct beam; those of the foil if not given.
    rim : int
        Pixels beyond the field on each side. What aberrations bring from farther off is wrong.
    tilt : Tilt
        Of the foil about g, so that the excitation error stays.
    steepest_rad : float
        Largest angle to z of rays that any view of this foil needs, so that views share one strain [rad].
    moved_nm : sequence of (float, float)
        What the image of each region is moved by, against the shift that aberrations leave [nm].

    Raises
    ------
    InputError
        When the material has no extinction distances for such a row.
    """
    moved_nm = moved_nm or [(0.0, 0.0)] * len(regions)
    pixelated = microscope.detector if isinstance(microscope.detector, Pixelated) and regions[0].pixel_rad else None
    beam = {"energy_keV", "convergence_mrad", "loss_collected_fraction", "aberrations"}
    optics = microscope.model_dump_json(include=beam)
    key = (tuple(regions), pixelated, optics, pixel_nm, shape, beams, rim, tilt, tuple(moved_nm))
    if key in foil.imaged:  # dose, dwell and detector pairs share the images of a region
        return foil.imaged[key]
    alpha = 1e-3 * microscope.convergence_mrad
    light = foil.illumination(microscope, tilt, beams)
    if pixelated is None:
        # rays part by more from a plane that lies outside of the foil
        near = foil.thickness_nm / 2 / max(foil.focus_nm, foil.thickness_nm - foil.focus_nm)
        parts = bundles(regions, light, near * np.array(SHEAR_NM))
    else:
        pattern = pattern_of(pixelated, light)
        parts = pattern.seen_by(regions, pixelated)
        alpha = pattern.steepest_rad
    steepest_rad = max(steepest_rad, alpha + abs(tilt.angle_rad))
    rays = FoilRays(foil, microscope, pixel_nm, shape, light.beams, steepest_rad, rim, tilt)
    share = np.zeros((len(regions), *rays.whole))
    turned = np.zeros((len(regions), 2, *rays.whole))  # shares times the tangents of their directions
    aberrated = (
        [AberratedImage(rays.whole, pixel_nm) for _ in regions] if microscope.aberrations.coefficients_nm() else None
    )
    for part in parts:
        paths = rays.paths(part)
        if aberrated is None:
            counts = counted(part, *paths.rays)
            if paths.fine:
                counts[:, paths.pixels] = counted(part, *paths.fine).mean(axis=2)
        else:
            counts = np.zeros(share.shape)
            fine = _single(part, *paths.fine) if paths.fine else None
            for beam, k, weights, image in _single(part, *paths.rays):
                if fine is not None:
                    image[paths.pixels] = next(fine)[3].mean(axis=1)
                for v, weight in enumerate(weights):
                    if weight:
                        counts[v] += weight * image
                        delta = microscope.aberrations.displacement_nm(part.rays[v][beam][k]) - moved_nm[v]
                        aberrated[v].add(image * paths.layer, delta, weight / len(delta))
        counts *= paths.layer
        share += counts
        turned += np.tan(paths.theta_rad)[:, None, None] * counts[:, None]
    found = []
    for v in range(len(regions)):
        directions = (np.arctan(tangent) for tangent in _tangents(share[v], turned[v], pixel_nm))
        found.append(Image(share[v] if aberrated is None else aberrated[v].image(), *directions))
    if foil.diffuse:  # it comes from everywhere: no part in the directions
        key_of = ("phonons", optics, pixel_nm, shape, beams, rim, tilt, steepest_rad)
        if key_of not in foil.imaged:
            foil.imaged[key_of] = phonon_losses(rays, microscope, light)
        lost = foil.imaged[key_of]
        if pixelated is None:
            weights = lost.received(rays.phonon_kernel(), regions)
        else:
            weights = lost.received_by_pixels(rays.phonon_kernel(), regions, pixelated)
        landed = lost.images(weights, rays.whole, rim, np.asarray(moved_nm) / pixel_nm)
        found = [image._replace(share=image.share + more) for image, more in zip(found, landed)]
    foil.imaged[key] = found
    return found


class RayPaths(NamedTuple):
    """The paths of the rays of one direction.

    theta_rad (2,): in the frame of the foil. layer: what contamination lets through, (rows, columns) or 1. rays:
    beta, slice, crystal, exits and faults, as `counted` takes them, of one ray a pixel. pixels (rows, columns): those
    that hold cores; fine: the same as rays of several rays each of these, or nothing.
    """

    theta_rad: np.ndarray
    layer: np.ndarray | float
    rays: tuple
    pixels: np.ndarray
    fine: tuple


class FoilRays:
    """A foil as rays pass it; parameters as of `foil_images`, and the largest angle to z of any ray."""

    def __init__(
        self,
        foil,
        microscope: Microscope,
        pixel_nm: float,
        shape: tuple[int, int],
        beams: int,
        steepest_rad: float,
        rim: int = 0,
        tilt: Tilt = _LEVEL,
    ):
        self.deepest_nm = max(foil.focus_nm, foil.thickness_nm - foil.focus_nm)
        self.steepest_rad, self.energy_keV = steepest_rad, microscope.energy_keV
        self.margin = margin_pixels(steepest_rad, self.deepest_nm, pixel_nm)
        self.foil, self.pixel_nm, self.rim, self.tilt = foil, pixel_nm, rim, tilt
        self.whole = (shape[0] + 2 * rim, shape[1] + 2 * rim)
        self.strain, self.dz_nm = foil.strain(pixel_nm, shape, self.margin + rim)
        self.crystal: Extinction | Row = foil.extinction(microscope.energy_keV, microscope.loss_collected_fraction)
        if beams > 2:
            orders = tuple(int(n) for n in row_orders(beams))
            first = np.array(foil.g_hkl) / foil.between
            row = Row.of_material(foil.material, first, microscope.energy_keV, orders)
            self.crystal = row._replace(xi_0_abs=self.crystal.xi_0_abs)
        self.rows = slice(0, self.whole[0])
        self._scratch = Scratch()

    def part(self, rows: slice) -> FoilRays:
        """Some rows of it, which pass the same to the last digit."""
        found = copy(self)
        strain, stop = self.strain, rows.stop + 2 * self.margin
        near = (strain.places[:, 1] >= rows.start) & (strain.places[:, 1] < stop)
        found.strain = Strain(
            np.ascontiguousarray(strain.voxels[:, :, rows.start : stop]),
            strain.places[near] - [0, rows.start, 0],
            strain.parts[near],
        )
        found.rows, found._scratch = rows, Scratch()
        return found

    def paths(self, part: Bundle) -> RayPaths:
        """The paths of the rays of a bundle; they lie where the next ones will."""
        foil, whole, rows = self.foil, self.whole, self.rows
        theta = self.tilt.into_specimen(part.theta_rad)
        beta, pixels, close = ray_beta(
            self.strain, theta, self.margin, self.dz_nm, self.pixel_nm, foil.focus_nm, self._scratch
        )
        along = part.sign / np.sqrt(1 + (np.tan(theta) ** 2).sum()) if self.tilt.angle_rad else part.sign
        between = foil.between if isinstance(self.crystal, Row) else 1
        if along != 1 or between != 1:  # of the reflection -g, per length of the ray, of a row's first order
            for change in (beta, close):
                np.multiply(change, np.float32(along / between), out=change)
        step, shape = self.dz_nm / abs(along), foil.shape
        exits = shape.exit_slices(theta, self.pixel_nm, whole, self.dz_nm, foil.focus_nm, self.rim)
        faults = foil.faults(theta, part.sign / between, self.pixel_nm, whole, self.dz_nm, self.rim)
        layer = shape.transmitted(theta, self.pixel_nm, whole, foil.focus_nm, self.rim)
        faults = [fault._replace(depth_slices=fault.depth_slices[rows]) for fault in faults]
        layer = layer[rows] if isinstance(layer, np.ndarray) else layer
        if exits is not None:
            exits = exits[rows]
            layer = np.where(exits > 0, layer, 1.0)  # nothing lies over the hole
        fine = ()
        if close.size:  # rays of one pixel leave and cross boundaries at one depth
            shape = close.shape[1:]
            near = [f._replace(depth_slices=np.broadcast_to(f.depth_slices[pixels][:, None], shape)) for f in faults]
            ends = None if exits is None else np.broadcast_to(exits[pixels][:, None], shape)
            fine = (close, step, self.crystal, ends, near)
        return RayPaths(theta, layer, (beta, step, self.crystal, exits, faults), pixels, fine)

    def binned(self, pixels: int) -> FoilRays:
        """The same with so many pixels put together along x and y, and without finer rays near lines."""
        found = copy(self)
        found.pixel_nm, found._scratch = self.pixel_nm * pixels, Scratch()
        found.rim = -(-self.rim // pixels)
        found.margin = margin_pixels(self.steepest_rad, self.deepest_nm, found.pixel_nm)
        inner = [-(-(n - 2 * self.rim) // pixels) for n in self.whole]
        found.whole = (inner[0] + 2 * found.rim, inner[1] + 2 * found.rim)
        found.rows = slice(0, found.whole[0])
        before = pixels * (found.margin + found.rim) - self.margin - self.rim
        _, slices, *sides = self.strain.voxels.shape
        after = [pixels * (n + 2 * found.margin) - before - side for n, side in zip(found.whole, sides)]
        voxels = np.empty((3, slices, *(n + 2 * found.margin for n in found.whole)), np.float32)
        for new, old in zip(voxels, self.strain.voxels):
            padded = np.pad(old, ((0, 0), (before, after[0]), (before, after[1])), mode="edge")
            padded.reshape(slices, new.shape[1], pixels, new.shape[2], pixels).mean(axis=(2, 4), out=new)
        found.strain = Strain(voxels, np.zeros((0, 3), int), np.zeros((0, 3, 1, 1), np.float32))
        return found

    def phonon_kernel(self) -> PhononKernel:
        """Into which directions phonons turn the electrons that they take."""
        depth = 2 * np.pi * self.foil.thickness_nm / self.foil.extinction(self.energy_keV, 1.0).xi_0_abs
        return phonon_kernel(self.foil.material.sites, self.energy_keV, depth)

    def lost(self, part: Bundle) -> tuple[np.ndarray, np.ndarray | float]:
        """What phonons take of each excitation error of a bundle (k, rows, columns), and what of it goes on (...).

        The rest has lost so much energy that the detector does not count it, or is held by contamination.
        """
        paths = self.paths(part)
        beta, step, crystal, exits, faults = paths.rays
        phonons = self.foil.extinction(self.energy_keV, 1.0).xi_0_abs
        beams = _intensities(part, beta, step, crystal._replace(xi_0_abs=phonons), exits, faults)
        depth = step * (len(beta) if exits is None else exits)
        return 1 - np.sum(beams, axis=0), paths.layer * np.exp(
            -2 * np.pi * depth * (1 / crystal.xi_0_abs - 1 / phonons)
        )

    def intensities(self, part: Bundle) -> np.ndarray:
        """(beams, k, rows, columns) float32: intensities of the beams of a bundle behind the foil."""
        paths = self.paths(part)
        found = np.asarray(_intensities(part, *paths.rays))
        if paths.fine:
            found[:, :, paths.pixels] = np.asarray(_intensities(part, *paths.fine)).mean(axis=3)
        return (
            found if isinstance(paths.layer, float) and paths.layer == 1 else (found * paths.layer).astype(np.float32)
        )


def _tangents(share: np.ndarray, turned: np.ndarray, pixel_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean tangents (2,) of the directions of what an image receives and of what makes its contrast.

    Each direction weighs in the second as much as its own contrast is the same as that of the whole image.
    """
    from scipy.ndimage import gaussian_filter

    if not share.any():
        return np.full(2, np.nan), np.full(2, np.nan)

    def lines(image):
        return image - gaussian_filter(image, _LINE_NM / pixel_nm, mode="nearest")

    contrast = lines(share)
    mean = turned.sum(axis=(1, 2)) / share.sum()
    # about the mean direction, so that an image without contrast gives that
    weight = (contrast**2).sum()
    if weight <= 1e-18 * (share**2).sum():
        return mean, mean
    tilted = np.array([(contrast * lines(part - m * share)).sum() for part, m in zip(turned, mean)])
    return mean, mean + tilted / weight


def _intensities(part: Bundle, beta, dz_nm: float, crystal: Extinction | Row, exits, faults):
    """Intensities (beams, k, ...) of the beams of some rays."""
    if isinstance(crystal, Extinction):
        return two_beam(beta, dz_nm, part.s, crystal, exit_slices=exits, faults=faults)
    return systematic_row(beta, dz_nm, part.s, crystal, exit_slices=exits, faults=faults, back=part.back)


def _single(part: Bundle, *rays) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Beam, number of the excitation error, weights (V,) and intensities (...), of those that count."""
    for beam, intensities in enumerate(_intensities(part, *rays)):
        for k, intensity in enumerate(intensities):
            weights = part.weight[:, beam, k]
            if weights.any():
                yield beam, k, weights, intensity


def counted(
    part: Bundle,
    beta: np.ndarray,
    dz_nm: float,
    crystal: Extinction | Row,
    exits: np.ndarray | None = None,
    faults: Sequence[Fault] = (),
) -> np.ndarray:
    """Shares (V, ...) of the cone's electrons that regions receive of some rays, beta (nz, ...) of their reflection.

    The rays pass ``exits`` (...) slices of crystal, or all, and ``faults``.
    """
    shares = np.zeros((part.weight.shape[0], *beta.shape[1:]))
    for _, _, weights, intensity in _single(part, beta, dz_nm, crystal, exits, faults):
        for share, weight in zip(shares, weights):  # in this order, whatever the threads
            if weight:
                share += weight * intensity
    return shares
