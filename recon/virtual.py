"""Views from a 4D scan: what its patterns say of their own geometry, and sums over virtual discs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.detectors.virtual import cut_off, disc_places
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import Region, pair_angle_rad, widest_pair
from veristem.datasets.scan4d import Scan4D
from veristem.recon.disc import Disc, Lines, broken_pixels, find_disc, kikuchi_lines, mended
from veristem.recon.masks import Peaks, mean_pattern, virtual_images

_ROWS = 16  # of the scan that the mean pattern is made of, at least
_NEAR = 1.15  # radii about the axis within which the centre of a single pattern is sought
_SATURATED = 0.001  # share of the disc's pixels that is worth a warning
_ALL_SATURATED = 0.99  # beyond which no image is left
_STILL_PX = 0.5  # a pattern that moves less over the field is still


@dataclass(frozen=True, eq=False)
class Calibration:
    """Geometry of the patterns of a scan.

    Parameters
    ----------
    disc : Disc
        The rim, in the middle of the field.
    rad_per_px : float
        Angle that a pixel spans [rad].
    convergence_rad : float
        Convergence semi-angle [rad].
    pattern : (rows, columns) float
        Mean pattern of the scan, moved back where it is not still.
    azimuth_rad, azimuth_sigma_rad : float
        Direction of the views on the detector, along the Kikuchi line, from x towards y, and its uncertainty [rad].
    descan_px : (2, 2) float
        How far the pattern moves over the field: x, y for columns and for rows; 0 where it is still.
    broken : (rows, columns) bool or None
        Pixels that no view counts.
    notes : tuple of str
        What should be said of the patterns.
    """

    disc: Disc
    rad_per_px: float
    convergence_rad: float
    pattern: np.ndarray
    azimuth_rad: float
    azimuth_sigma_rad: float
    descan_px: np.ndarray
    broken: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def directions_rad(self) -> np.ndarray:
        """(rows, columns, 2) direction of each pixel from the axis [rad]."""
        y, x = np.indices(self.pattern.shape)
        return (np.stack([x, y], axis=-1) - self.disc.center_px) * self.rad_per_px

    def shifts_px(self, scan_shape: tuple[int, int]) -> np.ndarray | None:
        """(Y, X, 2) whole pixels by which the patterns of a scan are moved; None where they are still."""
        return _moves(self.descan_px, scan_shape) if self.descan_px.any() else None


def calibrate(
    scan: Scan4D,
    vacuum: Scan4D | None = None,
    *,
    convergence_rad: float | None = None,
    rad_per_px: float | None = None,
    center_px: tuple[float, float] | None = None,
    azimuth_rad: float | None = None,
) -> Calibration:
    """Centre and angle per pixel from the rim of the vacuum, or of the scan itself; Kikuchi lines from the scan.

    Parameters
    ----------
    scan, vacuum : Scan4D
        The scan, and one of the same detector without a specimen.
    convergence_rad : float, optional
        Convergence semi-angle, if the file does not say it [rad].
    rad_per_px : float, optional
        Instead of what the radius of the rim gives [rad].
    center_px : (float, float), optional
        Pixel x, y that the axis meets, instead of the middle of the rim.
    azimuth_rad : float, optional
        Direction of the views instead of that of the Kikuchi lines [rad]; 0, along x, for particles, which have none.

    Raises
    ------
    InputError
        When neither files nor arguments say one of these, or the detectors differ.
    """
    if center_px is not None and not all(0 <= c < n for c, n in zip(center_px, scan.shape[::-1])):
        raise InputError(
            f"`center_px`: {center_px[0]:g} {center_px[1]:g} found, a pixel X Y of the detector of {scan.shape[1]} x "
            f"{scan.shape[0]} allowed"
        )
    descan = np.zeros((2, 2))
    bare = None
    if vacuum is not None:
        if vacuum.shape != scan.shape:
            raise InputError(
                f"{vacuum.path}: patterns of {vacuum.shape[0]} x {vacuum.shape[1]} found, {scan.shape[0]} x "
                f"{scan.shape[1]} as in {scan.path} allowed"
            )
        bare = mean_pattern(vacuum)
        descan = _descan(vacuum, find_disc(bare, vacuum.path))
        if descan.any():
            bare = mean_pattern(vacuum, shifts_px=_moves(descan, vacuum.scan_shape))
    moves = _moves(descan, scan.scan_shape) if descan.any() else None
    peaks = Peaks()
    every = max(1, scan.scan_shape[0] // _ROWS)
    pattern = mean_pattern(scan, every, moves, peaks)
    broken = np.zeros(scan.shape, bool)
    if min(scan.shape) > 2 and moves is None:
        counts = np.dtype(scan.data.dtype).kind in "ui"
        frames = len(range(0, scan.scan_shape[0], every)) * scan.scan_shape[1]
        broken = broken_pixels(pattern, frames) if counts else broken_pixels(pattern)
    pattern = mended(pattern, broken)
    notes = ()
    if broken.any():
        places = ", ".join(f"{x} {y}" for y, x in np.argwhere(broken)[:4].tolist())
        notes += (f"{broken.sum()} broken pixels are left out, at X Y = {places}",)
    convergence = convergence_rad or scan.convergence_rad or (None if vacuum is None else vacuum.convergence_rad)
    if center_px is not None and rad_per_px is not None and convergence is not None:
        disc = Disc(np.array(center_px, float), convergence / rad_per_px, 0.0)
    else:
        disc = find_disc(pattern if bare is None else bare, scan.path if vacuum is None else vacuum.path)
        if center_px is not None:
            disc = disc._replace(center_px=np.array(center_px, float))
    notes += _saturation(scan, peaks, disc)
    if rad_per_px is None:
        if convergence is None:
            raise InputError(f"{scan.path}: convergence semi-angle not found; give `convergence_mrad`")
        rad_per_px = convergence / disc.radius_px
    elif convergence is None:
        convergence = rad_per_px * disc.radius_px
    if azimuth_rad is None and scan.nominal.get("kind") == "particles":
        azimuth_rad = 0.0
    lines = Lines(azimuth_rad, 0.0) if azimuth_rad is not None else kikuchi_lines(pattern, disc, scan.path)
    return Calibration(disc, rad_per_px, convergence, pattern, *lines, descan, broken, notes)


def _saturation(scan: Scan4D, peaks: Peaks, disc: Disc) -> tuple[str, ...]:
    """What to say of full counters in the disc.

    Raises
    ------
    InputError
        When all of it is full, which leaves no image.
    """
    share = peaks.saturated(disc.coverage(scan.shape) > 0.999)
    if share > _ALL_SATURATED:
        raise InputError(
            f"{scan.path}: {100 * share:.3g} % of the disc's pixels saturated at {peaks.top} found, hardly any "
            "allowed; record fewer electrons a pattern, or with a deeper counter"
        )
    if share > _SATURATED:
        percent = f"{100 * share:.2g} % of the disc's pixels"
        return (f"warning: {percent} are saturated at {peaks.top}: views are too dark there",)
    return ()


def _descan(vacuum: Scan4D, disc: Disc) -> np.ndarray:
    """How far the disc moves over a field (2, 2): x, y for columns and for rows; 0 where noise explains it."""
    if min(vacuum.scan_shape) < 2:
        return np.zeros((2, 2))
    places = np.zeros((*vacuum.scan_shape, 2))
    y, x = (np.arange(n, dtype=float) - c for n, c in zip(vacuum.shape, disc.center_px[::-1]))
    moves = np.zeros((*vacuum.scan_shape, 2))

    def work(patterns: np.ndarray, row: int, columns: slice) -> None:
        for column, pattern in enumerate(patterns, columns.start):
            here_x, here_y = x - moves[row, column, 0], y - moves[row, column, 1]
            counts = pattern * (np.hypot(here_x, here_y[:, None]) < _NEAR * disc.radius_px)
            total = max(float(counts.sum(dtype=float)), 1.0)
            places[row, column] = (
                counts.sum(axis=0, dtype=float) @ x / total,
                counts.sum(axis=1, dtype=float) @ y / total,
            )

    v, u = (np.linspace(-0.5, 0.5, n) for n in vacuum.scan_shape)
    terms = np.stack([a.ravel() for a in np.broadcast_arrays(u, v[:, None], 1.0)], axis=1)
    fit = np.zeros((3, 2))
    for _ in range(3):  # the window follows what was found
        for _ in vacuum.each(work):
            pass
        fit, *_ = np.linalg.lstsq(terms, places.reshape(-1, 2), rcond=None)
        moves = (terms @ fit).reshape(places.shape)
    noise = (places.reshape(-1, 2) - terms @ fit).std(axis=0) / np.sqrt((terms[:, :2] ** 2).sum(axis=0))[:, None]
    return np.where(np.abs(fit[:2]) > np.maximum(_STILL_PX, 4 * noise), fit[:2], 0.0)


def _moves(descan_px: np.ndarray, scan_shape: tuple[int, int]) -> np.ndarray:
    """(Y, X, 2) whole pixels, x and y."""
    v, u = (np.linspace(-0.5, 0.5, n) if n > 1 else np.zeros(1) for n in scan_shape)
    u, v = np.broadcast_arrays(u, v[:, None])
    return np.rint(u[..., None] * descan_px[0] + v[..., None] * descan_px[1]).astype(int)


def view_masks(
    calibration: Calibration, centers_rad: np.ndarray, radius_rad: float, where: str = "virtual"
) -> np.ndarray:
    """Masks (V, rows, columns) of the pixels whose centres lie in discs about directions (V, 2) on the detector [rad].

    Raises
    ------
    InputError
        For a disc that holds no pixel, lies wholly outside the rim, or reaches beyond the detector within the rim.
    """
    directions = calibration.directions_rad()
    low, high = directions[0, 0], directions[-1, -1]
    masks = []
    for center in centers_rad:
        at = f"{where}: a disc of {1e3 * radius_rad:.3g} mrad at {1e3 * np.hypot(*center):.3g} mrad found"
        mask = np.hypot(*np.moveaxis(directions - center, -1, 0)) < radius_rad
        half = calibration.rad_per_px / 2
        if cut_off(center, radius_rad, calibration.convergence_rad, low - half, high + half):
            raise InputError(f"{at}, which reaches beyond the detector; choose a smaller angle or radius")
        if not mask.any():
            raise InputError(f"{at}, which holds no pixel of {1e3 * calibration.rad_per_px:.3g} mrad; raise the radius")
        if np.hypot(*center) - radius_rad >= calibration.convergence_rad:
            raise InputError(
                f"{at}, outside the cone of {1e3 * calibration.convergence_rad:.4g} mrad; choose a smaller angle"
            )
        masks.append(mask)
    return np.array(masks)


def mean_directions_rad(calibration: Calibration, masks: np.ndarray) -> np.ndarray:
    """Mean direction (V, 2) of the part of masks within the rim [rad].

    Not weighted by the mean pattern: along Kikuchi lines the elastic part of that is even, and the rest, densest near
    the axis, is smooth and shows no parallax.
    """
    weight = masks * calibration.disc.coverage(calibration.pattern.shape)
    total = weight.sum(axis=(1, 2))
    if not (total > 0).all():
        raise InputError("virtual: a disc that only touches the cone found; choose a smaller angle or larger radius")
    return np.einsum("vji,jik->vk", weight, calibration.directions_rad()) / total[:, None]


def usual_discs_rad(scan: Scan4D, calibration: Calibration) -> tuple[float, float]:
    """Angle of the pair and radius of each disc where nobody says them [rad]: the file's, or from the cone's angle."""
    said, alpha = scan.nominal, calibration.convergence_rad
    angle = float(np.radians(said["pair_angle_deg"])) if "pair_angle_deg" in said else 1.2 * alpha
    return angle, 1e-3 * float(said["radius_mrad"]) if "radius_mrad" in said else 0.2 * alpha


def virtual_acquisition(
    scan: Scan4D,
    calibration: Calibration,
    *,
    pair_angle_rad: float | None = None,
    radius_rad: float | None = None,
    views: int = 2,
    ring: bool = False,
    offset_rad: float = 0.0,
    rotation_rad: float = 0.0,
    pixel_nm: float | None = None,
    energy_keV: float | None = None,
    thickness_nm: float | None = None,
    progress: Callable[[Iterable, int], Iterable] = lambda rows, _: rows,
) -> Acquisition:
    """Views along the Kikuchi line, symmetric about the axis, or around it, from one pass over a scan.

    Parameters
    ----------
    scan : Scan4D
        Read once.
    calibration : Calibration
        Of its patterns.
    pair_angle_rad : float, optional
        Angle between the centres of the outermost discs [rad]; what the file says, or 1.2 convergence semi-angles.
    radius_rad : float, optional
        Of each disc [rad]; what the file says, or a fifth of the convergence semi-angle.
    views : int
        Discs at equal distances, the one with the largest angle first.
    ring : bool
        Whether the discs stand on a ring about the axis, the pair's angle wide, and not in a row.
    offset_rad : float
        How far the row of discs is moved across the Kikuchi line, a quarter turn from x towards y [rad].
    rotation_rad : float
        Azimuth in the image of the detector's x axis, from x towards y [rad].
    pixel_nm, energy_keV, thickness_nm : float, optional
        Instead of what the file says.

    Raises
    ------
    InputError
        For discs that do not fit, or an unknown pixel size.
    """
    alpha = calibration.convergence_rad
    step, said = pixel_nm or scan.pixel_nm, scan.nominal
    if step is None:
        raise InputError(f"{scan.path}: scan step not found; give `pixel_nm`")
    usual = usual_discs_rad(scan, calibration)
    width, radius = (float(u if given is None else given) for given, u in zip((pair_angle_rad, radius_rad), usual))
    azimuth, kind = calibration.azimuth_rad, said.get("kind", "dislocations")
    if "g_azimuth_deg" in said:  # of the two ends of the line, the first view is the one the recipe has first
        expected = np.radians(float(said["g_azimuth_deg"]) - 90) - rotation_rad
        azimuth += np.pi * (np.cos(azimuth - expected) < 0)
    across = np.array([-np.sin(azimuth), np.cos(azimuth)])
    centers = disc_places(width, float(azimuth), views, ring) + offset_rad * across
    masks = view_masks(calibration, centers, radius, scan.path)
    images = virtual_images(scan, masks, calibration.shifts_px(scan.scan_shape), progress, broken=calibration.broken)
    if calibration.broken is not None:
        masks = masks & ~calibration.broken
    c, s = np.cos(rotation_rad), np.sin(rotation_rad)
    turn = np.array([[c, -s], [s, c]])
    coverage = calibration.disc.coverage(calibration.pattern.shape)
    dose = said.get("electrons_per_frame")
    thickness = thickness_nm or said.get("thickness_nm")
    return Acquisition(
        views=images.astype(np.float32),
        directions_rad=mean_directions_rad(calibration, masks) @ turn.T,
        pixel_nm=step,
        focus_nm=0.0 if thickness is None else float(thickness) / 2,
        thickness_nm=thickness,
        electrons_per_pixel=None
        if dose is None
        else float(dose) * (masks * coverage).sum(axis=(1, 2)) / (np.pi * calibration.disc.radius_px**2),
        energy_keV=energy_keV or scan.energy_keV,
        convergence_rad=alpha,
        regions=tuple(Region((float(x), float(y)), radius) for x, y in centers @ turn.T),
        material=said.get("material"),
        zone_axis=said.get("zone_axis"),
        g=said.get("g"),
        g_azimuth_rad=None if kind == "particles" else azimuth + rotation_rad + np.pi / 2,
        kind=kind,
        tilt_off_bragg_rad=np.radians(float(said.get("tilt_off_bragg_deg", 0.0))),
    )


def report_lines(calibration: Calibration, acquisition: Acquisition) -> list[str]:
    """What was found in the patterns, for people, one finding a line."""
    disc = calibration.disc
    x, y = disc.center_px
    found = [
        *calibration.notes,
        f"rim: radius {measured(disc.radius_px, disc.sigma_px)} px about ({x:.2f}, {y:.2f}), "
        f"{1e3 * calibration.rad_per_px:.4g} mrad per pixel",
        f"views along {measured(*np.degrees([calibration.azimuth_rad, calibration.azimuth_sigma_rad]))} deg on the "
        "detector",
    ]
    if calibration.descan_px.any():
        (a, b), (c, d) = calibration.descan_px
        found.append(f"the pattern moves by ({a:.1f}, {b:.1f}) px along a row and ({c:.1f}, {d:.1f}) px down a column")
    if len(acquisition.views) > 1:
        first, second = acquisition.directions_rad[list(widest_pair(acquisition.directions_rad))]
        angle = np.degrees(pair_angle_rad(first, second))
        sigma = angle * disc.sigma_px / disc.radius_px
        found.append(f"mean directions of the widest pair, after clipping: {measured(angle, sigma, 3)} deg apart")
    return found


def measured(value: float, sigma: float, digits: int = 2) -> str:
    """A value with its uncertainty, unless it was given; with more digits where the uncertainty would read as zero."""
    if sigma:
        digits = min(4, max(digits, -int(np.floor(np.log10(sigma)))))
    return f"{value:.{digits}f}" + (f" ± {sigma:.{digits}f}" if sigma else "")
