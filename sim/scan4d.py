"""Counts of a whole 4D scan, in bounded memory, straight to disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.detectors.pixelated import Detector
from veristem.datasets.errors import InputError
from veristem.datasets.formats.zspy import ScanWriter, bytes_in
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations
from veristem.sim.counts import draw_counts, sum_rays
from veristem.sim.diffuse import phonon_losses
from veristem.sim.film import Film
from veristem.sim.images import FoilRays
from veristem.sim.noise import electrons_per_pixel
from veristem.sim.pattern import Pattern, pattern_of
from veristem.sim.rays import Illumination
from veristem.sim.scan import relative_current
from veristem.sim.specimen import Specimen

_SLAB_BYTES = 4e8  # of the intensities of some rows of the scan, which are in memory at once
_THREADS = 2
_BRIGHTEST = 1.5 / np.pi  # times the share of the cone in a pixel: where an excess line crosses the disc
_VACUUM = "vacuum.zspy"


class Slab(NamedTuple):
    """Some rows of a scan: intensities of all rays, and of the diffuse patterns, (rays, rows, columns)."""

    start: int
    rays: np.ndarray


class Patterns:
    """The expected patterns of a scan.

    Parameters
    ----------
    recipe : Recipe
        Its detector is a pixelated one.
    specimen : Specimen or None
        The foil or film; none for the scan of the vacuum.

    Raises
    ------
    InputError
        For what patterns are not made of: aberrations, tilts, errors of the scan, a source with a size.
    """

    def __init__(self, recipe: Recipe, specimen: Specimen | None):
        from scipy.sparse import csr_array, hstack

        microscope, scan = recipe.microscope, recipe.scan
        self.detector = check_pixelated(recipe)
        self.shape = scan.shape if specimen is not None else self.detector.vacuum_shape
        self.dose = electrons_per_pixel(microscope.current_nA, scan.dwell_us) * microscope.response.dqe
        alpha, energy = 1e-3 * microscope.convergence_mrad, microscope.energy_keV
        self.foil = self.film = None
        self._diffuse = np.zeros((0, *self.shape))
        if isinstance(specimen, Film):
            self.film, self._per_nm, ice = specimen.pattern(microscope, scan.pixel_nm)
            self._through = np.exp(-ice * specimen.exit_nm((np.arange(self.shape[1]) + 0.5) * scan.pixel_nm))
            self._keep(self.film.grid.matrix)
            return
        if specimen is None:
            # without a crystal only the direct beam is left
            light = Illumination(alpha, np.array([1e-3, 0.0]), electron_wavelength_nm(energy), 0.0, 1.0)
        else:
            light = specimen.illumination(microscope)
        self.pattern: Pattern = pattern_of(self.detector, light)
        matrix = self.pattern.matrix
        if specimen is not None:
            self.foil = FoilRays(
                specimen, microscope, scan.pixel_nm, scan.shape, light.beams, self.pattern.steepest_rad
            )
            if specimen.diffuse:
                lost = phonon_losses(self.foil, microscope, light)
                patterns, weights = lost.patterns(self.foil.phonon_kernel(), self.detector)
                self._diffuse = lost.images(weights, self.shape, 0)
                matrix = csr_array(hstack([matrix, csr_array(patterns.reshape(len(patterns), -1).T)]))
        self._keep(matrix)

    def _keep(self, matrix) -> None:
        """What the sums over rays need of their shares in the pixels."""
        self._matrix = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
        self._matrix_columns: int = matrix.shape[1]

    @property
    def slab_rows(self) -> int:
        """Rows of the scan whose intensities are held at once."""
        return int(max(1, min(_SLAB_BYTES / (4 * self._matrix_columns * self.shape[1]), self.shape[0])))

    def slab(self, rows: slice) -> Slab:
        """The intensities of all rays in some rows of the scan; those of a row are the same in any slab."""
        if self.film is not None:
            return Slab(rows.start, self.film.intensities(self._per_nm, self._through, rows))
        size = (rows.stop - rows.start, self.shape[1])
        count = int(self.pattern.first[-1])
        rays = np.zeros((self._matrix_columns, *size), np.float32)
        if self.foil is None:
            rays[:count] = 1.0
            return Slab(rows.start, rays)
        foil = self.foil.part(rows)
        by_beam = rays[: self.pattern.columns].reshape(-1, count, *size)
        rays[self.pattern.columns :] = self._diffuse[:, rows]
        for part, low, high in zip(self.pattern.parts, self.pattern.first[:-1], self.pattern.first[1:]):
            by_beam[:, low:high] = foil.intensities(part)
        return Slab(rows.start, rays)

    def shares(self, slab: Slab, row: int, columns: slice) -> np.ndarray:
        """(columns, rows, columns) float32: share of the electrons on each pixel."""
        rays = np.ascontiguousarray(slab.rays[:, row - slab.start, columns])
        patterns = np.empty((rays.shape[1], self.detector.shape[0] * self.detector.shape[1]), np.float32)
        sum_rays(*self._matrix, rays, patterns)
        return patterns.reshape(-1, *self.detector.shape)

    def expected(self, slab: Slab, row: int, columns: slice) -> np.ndarray:
        """Expected counts (columns, rows, columns) float64, at their place without descan."""
        return self.dose * np.asarray(self.shares(slab, row, columns), float)

    def shifts_px(self, row: int, columns: slice) -> np.ndarray:
        """(columns, 2) how far the patterns lie from their place [pixels]."""
        along = [np.linspace(-0.5, 0.5, n) if n > 1 else np.zeros(1) for n in self.shape[::-1]]
        x, y = (shift * at for shift, at in zip(self.detector.descan_px, along))
        return np.column_stack(np.broadcast_arrays(x[columns], y[row]))

    def counts(
        self, slab: Slab, row: int, columns: slice, seeds: np.ndarray, current: np.ndarray, limit: int, dtype: np.dtype
    ) -> np.ndarray:
        """Counts (columns, rows, columns) of some frames, each from its own stream."""
        counts = np.empty((columns.stop - columns.start, *self.detector.shape), dtype)
        draw_counts(
            self.shares(slab, row, columns),
            self.dose * current[row, columns],
            self.shifts_px(row, columns),
            np.ascontiguousarray(seeds[row, columns]),
            limit,
            counts,
        )
        return counts


def check_pixelated(recipe: Recipe) -> Detector:
    """The pixelated detector of a recipe.

    Raises
    ------
    InputError
        For what patterns are not made of.
    """
    microscope, scan = recipe.microscope, recipe.scan
    detector, response = microscope.detector, microscope.response
    if not isinstance(detector, Detector):
        raise InputError(f"microscope.detector.kind: {detector.kind} found, pixelated allowed for a 4D scan")
    refused = {
        "microscope.aberrations": bool(
            microscope.aberrations.coefficients_nm() or microscope.aberrations.energy_spread_eV
        ),
        "microscope.source_size_nm": bool(microscope.source_size_nm),
        "microscope.response.mode = integrating": response.mode == "integrating",
        "microscope.response.readout_electrons": bool(response.readout_electrons),
        "scan errors": not scan.perfect,
        "stage.tilts_deg": bool(np.any(recipe.stage.angles_deg)) or bool(recipe.stage.shift_nm),
    }
    if found := [name for name, on in refused.items() if on]:
        raise InputError(
            f"microscope.detector.kind: pixelated found with {found[0]}, a flat foil or film without "
            "aberrations and a counting detector allowed; use kind = virtual"
        )
    detector.check_reach(recipe.kikuchi_azimuth_rad, 1e-3 * microscope.convergence_mrad)
    return detector


def brightest_mean(recipe: Recipe) -> float:
    """Most electrons that a pixel may count in the mean."""
    microscope, detector = recipe.microscope, recipe.microscope.detector
    assert isinstance(detector, Detector)
    dose = electrons_per_pixel(microscope.current_nA, recipe.scan.dwell_us) * microscope.response.dqe
    return dose * _BRIGHTEST * (detector.pixel_mrad / microscope.convergence_mrad) ** 2


def scan_bytes(recipe: Recipe) -> float:
    """Most that the 4D scan of a recipe takes on disk, where its counts lie compressed."""
    detector, (_, dtype) = recipe.microscope.detector, counter(recipe, brightest_mean(recipe))
    assert isinstance(detector, Detector)
    return float(np.prod(recipe.scan.shape)) * float(np.prod(detector.shape)) * dtype.itemsize


def counter(recipe: Recipe, brightest: float) -> tuple[int, np.dtype]:
    """Most that a pixel counts, and the type that holds it; without a depth, what the brightest mean may need."""
    response = recipe.microscope.response
    bits = response.bits
    if bits is None:
        bits = 16 if brightest + 10 * np.sqrt(brightest) < 2**16 else 32
    limit = 2**bits - 1
    if response.saturation_electrons is not None:
        limit = min(limit, int(response.saturation_electrons))
    return limit, np.dtype(f"u{1 if bits <= 8 else 2 if bits <= 16 else 4}")


def simulate_scan(
    specimen: Specimen,
    recipe: Recipe,
    rng: np.random.Generator,
    folder: Path,
    key: str,
    progress: Callable[[Iterable, int], Iterable] = lambda items, _: items,
    *,
    threads: int = _THREADS,
    slab_rows: int | None = None,
    columns: int = 64,
) -> list[Path]:
    """Write scan.zspy and vacuum.zspy, a scan of the same field without the specimen.

    What a stopped run had finished is kept and not made again. Counts depend neither on threads nor on how the scan is
    divided.

    Parameters
    ----------
    specimen : Specimen
        What is imaged.
    recipe : Recipe
        Its microscope has a pixelated detector.
    rng : numpy.random.Generator
        Of all noise.
    folder : Path
        An existing folder.
    key : str
        Of what the counts depend on: a stopped run goes on only under the same key.
    progress : callable
        Wraps the loop over (rows of the scan, number of rows).
    threads, slab_rows, columns : int
        Threads that count, rows in memory at once, scan pixels of a chunk.

    Raises
    ------
    InputError
        For what patterns are not made of, or a disk that is too small, locked or full.
    """
    check_pixelated(recipe)
    vacuum_rng, rng = rng.spawn(2)
    paths = [folder / "scan.zspy", folder / _VACUUM]
    vacuum = Patterns(recipe, None)
    limit, dtype = counter(recipe, 2 * vacuum.dose * float(vacuum.pattern.matrix.sum(axis=1).max()))
    common = (limit, dtype, key, threads)
    list(_written(vacuum, recipe, vacuum_rng, paths[1], *common, vacuum.shape[0], columns))
    frames = np.prod(recipe.scan.shape) / np.prod(vacuum.shape)
    _check_space(paths[0], bytes_in(paths[1]) * float(frames))  # a frame of the vacuum is the fullest there is
    patterns = Patterns(recipe, specimen)
    rows = _written(patterns, recipe, rng, paths[0], *common, slab_rows or patterns.slab_rows, columns)
    for _ in progress(rows, recipe.scan.shape[0]):
        pass
    return paths


def _check_space(path: Path, needed: float) -> None:
    """Refuse to begin what the disk cannot hold."""
    if not path.exists():
        needed -= bytes_in(path.with_name(path.name + ".partial"))
        free = shutil.disk_usage(path.parent).free
        if needed > free:
            raise InputError(
                f"{path}: {needed / 1e9:.2g} GB needed, {free / 1e9:.2g} GB free found; make space or choose another "
                "folder"
            )


def _written(
    patterns: Patterns,
    recipe: Recipe,
    rng: np.random.Generator,
    path: Path,
    limit: int,
    dtype: np.dtype,
    key: str,
    threads: int,
    slab_rows: int,
    columns: int,
) -> Iterator[int]:
    """Write the counts of a scan, and name each row when it is stored."""
    shape = patterns.shape
    seeds, current = np.empty(shape, np.uint64), np.ones(shape)
    for row, one in enumerate(rng.spawn(shape[0])):
        seeds[row] = one.integers(0, 2**64, shape[1], np.uint64)
    if noise := recipe.microscope.current_noise:
        current = relative_current(recipe.scan.model_copy(update={"shape": shape}), noise, rng.spawn(1)[0])
    axes, metadata = _calibration(recipe, shape)
    writer = ScanWriter(path, (*shape, *patterns.detector.shape), dtype, axes, metadata, key, columns)
    missing: dict[int, list[slice]] = {}
    for row, part in writer.parts():
        missing.setdefault(row, []).append(part)
    yield from (row for row in range(shape[0]) if row not in missing)

    def store(slab: Slab, row: int, part: slice) -> None:
        writer.write(row, part, patterns.counts(slab, row, part, seeds, current, limit, dtype))

    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, shape[0], slab_rows):
            rows = [row for row in range(start, min(start + slab_rows, shape[0])) if row in missing]
            if not rows:
                continue
            slab = patterns.slab(slice(rows[0], rows[-1] + 1))
            jobs = {row: [pool.submit(store, slab, row, part) for part in missing[row]] for row in rows}
            try:
                for row in rows:
                    for job in jobs[row]:
                        job.result()
                    yield row
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    writer.finish()


def _calibration(recipe: Recipe, shape: tuple[int, int]) -> tuple[list[dict], dict]:
    """Nominal axes and metadata of a scan of the field: nothing of what is in it."""
    microscope, table, detector = recipe.microscope, recipe.specimen, recipe.microscope.detector
    assert isinstance(detector, Detector)
    axes = []
    for name, count, width in zip("yx", shape, table.field_nm[::-1]):
        step = width / count
        axes.append({"name": name, "units": "nm", "scale": step, "offset": step / 2, "size": count, "navigate": True})
    for name, count in zip(("theta_y", "theta_x"), detector.shape):
        step = detector.pixel_mrad
        offset = -(count - 1) / 2 * step
        axes.append({"name": name, "units": "mrad", "scale": step, "offset": offset, "size": count, "navigate": False})
    beam = {"beam_energy": microscope.energy_keV, "convergence_angle": microscope.convergence_mrad}
    nominal = {
        "electrons_per_frame": electrons_per_pixel(microscope.current_nA, recipe.scan.dwell_us),
        "dqe": microscope.response.dqe,
        "kind": table.kind,
        "thickness_nm": table.thickness_nm,
        "pair_angle_deg": detector.pair_angle_deg,
        "radius_mrad": detector.radius_mrad,
    }
    if isinstance(table, Dislocations):
        nominal |= {
            "material": table.material,
            "zone_axis": table.beam_axis.tolist(),
            "g": list(table.g),
            "g_azimuth_deg": table.g_azimuth_deg,
            "tilt_off_bragg_deg": table.tilt_off_bragg_deg,
        }
    metadata = {
        "General": {"title": ""},
        "Signal": {"signal_type": "electron_diffraction"},
        "Acquisition_instrument": {"TEM": {**beam, "acquisition_mode": "STEM"}},
        "VeriSTEM": nominal,
    }
    return axes, metadata
