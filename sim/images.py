"""The image of a foil that one detector region makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import Region, Tilt
from veristem.datasets.microscope import Microscope
from veristem.sim.contrast import Extinction, Fault, Row, systematic_row, two_beam
from veristem.sim.optics import Image, Landing
from veristem.sim.rays import Bundle, Scratch, bundles, margin_pixels, ray_beta, row_orders
from veristem.sim.specimen import Specimen

_LINE_NM = 15.0  # what varies over less is the contrast of lines, the rest background
_LEVEL = Tilt()


def region_image(
    specimen: Specimen, region: Region, microscope: Microscope, pixel_nm: float, shape: tuple[int, int], beams: int = 2
) -> np.ndarray:
    """Share of the cone's electrons that reaches a detector region from each pixel, (rows, columns) float64.

    The region may lie anywhere: a disc about 0 gives a bright field, one about lambda g a dark field or, at a large
    excitation error, a weak-beam image, an annulus what Bragg beams bring there; with a narrow cone, as by parallel
    illumination. Parameters and errors as of `foil_image`; the rim is cut off.
    """
    pixels = np.abs(microscope.aberrations.displacement_nm(1e-3 * microscope.convergence_mrad * _RIM)).max() / pixel_nm
    rim = int(np.ceil(pixels)) + 4 if pixels else 0
    (image,) = foil_images(specimen, [region], microscope, pixel_nm, shape, beams, rim)
    share = image.share
    return share[rim : shape[0] + rim, rim : shape[1] + rim]


_RIM = np.stack([np.cos(np.arange(360) * np.pi / 180), np.sin(np.arange(360) * np.pi / 180)], axis=1)


def foil_images(
    specimen: Specimen,
    regions: Sequence[Region],
    microscope: Microscope,
    pixel_nm: float,
    shape: tuple[int, int],
    beams: int = 2,
    rim: int = 0,
    tilt: Tilt = _LEVEL,
    steepest_rad: float = 0.0,
    moved_nm: Sequence[tuple[float, float]] | None = None,
) -> list[Image]:
    """The images of detector regions about one centre, drawn on the focus plane of the specimen.

    Those of regions that fill another one add up to its image.

    Parameters
    ----------
    specimen : Specimen
        What is imaged.
    regions : sequence of Region
        Of the detector, within the cone or beyond it.
    microscope : Microscope
        Beam settings of the recipe; the size of the source is not applied here.
    pixel_nm : float
        Scan step [nm].
    shape : (int, int)
        Rows and columns of the field.
    beams : int
        2 for two-beam cases, 3 to 9 for a systematic row about the direct beam.
    rim : int
        Pixels beyond the field on each side. What aberrations bring from farther off is wrong.
    tilt : Tilt
        Of the specimen about g, so that the excitation error stays.
    steepest_rad : float
        Largest angle to z of rays that any view of this specimen needs, so that views share one strain [rad].
    moved_nm : sequence of (float, float)
        What the image of each region is moved by, against the shift that aberrations leave [nm].

    Raises
    ------
    InputError
        When the material has no extinction distances for such a row.
    """
    moved_nm = moved_nm or [(0.0, 0.0)] * len(regions)
    optics = microscope.model_dump_json(
        include={"energy_keV", "convergence_mrad", "loss_collected_fraction", "aberrations"}
    )
    key = (tuple(regions), optics, pixel_nm, shape, beams, rim, tilt, tuple(moved_nm))
    if key in specimen.images:  # dose, dwell and detector pairs share the images of a region
        return specimen.images[key]
    energy = microscope.energy_keV
    alpha = 1e-3 * microscope.convergence_mrad
    wavelength = electron_wavelength_nm(energy)
    g = specimen.g_per_nm
    steepest_rad = max(steepest_rad, alpha + abs(tilt.angle_rad))
    depth = max(specimen.focus_nm, specimen.thickness_nm - specimen.focus_nm)
    margin = margin_pixels(steepest_rad, depth, pixel_nm)
    strain, dz = specimen.strain(pixel_nm, shape, margin + rim)
    whole = (shape[0] + 2 * rim, shape[1] + 2 * rim)
    extinction = specimen.extinction(energy, microscope.loss_collected_fraction)
    row = None
    if beams > 2:
        row = Row.of_material(specimen.material, specimen.g_hkl, energy, tuple(int(n) for n in row_orders(beams)))
        row = row._replace(xi_0_abs=extinction.xi_0_abs)
    crystal = row or extinction
    grid = (margin, dz, pixel_nm, specimen.focus_nm, Scratch())
    cosine = np.cos(tilt.angle_rad)
    steps = (regions, alpha, g[:2], wavelength, specimen.s0_per_nm, specimen.thickness_nm / cosine**2, beams)
    share = np.zeros((len(regions), *whole))
    turned = np.zeros((len(regions), 2, *whole))  # shares times the tangents of their directions
    landings = [Landing(whole, pixel_nm) for _ in regions] if microscope.aberrations.coefficients_nm() else None
    for part in bundles(*steps):
        theta = tilt.into_specimen(part.theta_rad)
        beta, pixels, close = ray_beta(strain, theta, *grid)
        along = part.sign / np.sqrt(1 + (np.tan(theta) ** 2).sum()) if tilt.angle_rad else part.sign
        if along != 1:  # of the reflection -g, and per length of the ray
            for change in (beta, close):
                np.multiply(change, np.float32(along), out=change)
        step = dz / abs(along)
        exits = specimen.shape.exit_slices(theta, pixel_nm, whole, dz, specimen.focus_nm, rim)
        faults = specimen.faults(theta, part.sign, pixel_nm, whole, dz, rim)
        layer = specimen.shape.transmitted(theta, pixel_nm, whole, specimen.focus_nm, rim)
        if exits is not None:
            layer = np.where(exits > 0, layer, 1.0)  # nothing lies over the hole
        near, ends = [], None
        if close.size:  # rays of one pixel leave and cross boundaries at one depth
            rays = close.shape[1:]
            near = [f._replace(depth_slices=np.broadcast_to(f.depth_slices[pixels][:, None], rays)) for f in faults]
            ends = None if exits is None else np.broadcast_to(exits[pixels][:, None], rays)
        if landings is None:
            counts = counted(part, beta, step, crystal, exits, faults)
            if close.size:
                counts[:, pixels] = counted(part, close, step, crystal, ends, near).mean(axis=2)
        else:
            counts = np.zeros(share.shape)
            fine = _single(part, close, step, crystal, ends, near) if close.size else None
            for beam, k, weights, image in _single(part, beta, step, crystal, exits, faults):
                image = image.astype(float)
                if fine is not None:
                    image[pixels] = next(fine)[3].mean(axis=1)
                for v, weight in enumerate(weights):
                    if weight:
                        counts[v] += weight * image
                        delta = microscope.aberrations.displacement_nm(part.rays[v][beam][k]) - moved_nm[v]
                        landings[v].add(image * layer, delta, weight / len(delta))
        counts *= layer
        share += counts
        turned += np.tan(theta)[:, None, None] * counts[:, None]
    found = []
    for v in range(len(regions)):
        directions = (np.arctan(tangent) for tangent in _tangents(share[v], turned[v], pixel_nm))
        found.append(Image(share[v] if landings is None else landings[v].image(), *directions))
    specimen.images[key] = found
    return found


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
    return systematic_row(beta, dz_nm, part.s, crystal, exit_slices=exits, faults=faults)


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
