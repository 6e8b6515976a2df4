"""4D scans from whatever rosettasciio opens, and from plain HDF5."""

from __future__ import annotations

import logging
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.zspy import chunk_exists
from veristem.datasets.scan4d import Scan4D

_NM = {"nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "mm": 1e6, "pm": 1e-3, "a": 0.1, "å": 0.1, "angstrom": 0.1, "m": 1e9}
_NOMINAL = (
    "electrons_per_frame", "dqe", "material", "zone_axis", "g", "g_azimuth_deg", "tilt_off_bragg_deg", "thickness_nm",
    "pair_angle_deg", "radius_mrad",
)  # fmt: skip


def read_scan(path: str | Path, scan_shape: tuple[int, int] | None = None) -> Scan4D:
    """A scan, its patterns left on disk.

    Parameters
    ----------
    path : str or Path
        .zspy, .hspy, .mib with its .hdr, .blo, .emd, .dm4, .h5 and others.
    scan_shape : (int, int), optional
        Rows and columns of the scan, for files that hold frames in a row or guess wrongly.

    Raises
    ------
    InputError
        For a file that is missing, cut short, contradicts itself or holds no scan.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise InputError(f"{path}: no such file; give a 4D scan")
    if suffix in (".h5", ".hdf5"):
        data, signal = _hdf5(path), {}
    else:
        if suffix == ".mib":
            _check_merlin(path)
        signal = _signal(path, suffix, scan_shape)
        data = (
            _hdf5(path) if suffix == ".hspy" else _zarr(path) if suffix == ".zspy" and path.is_dir() else signal["data"]
        )
    if scan_shape is not None and tuple(data.shape[:-2]) != tuple(scan_shape):
        frames = int(np.prod(data.shape[:-2]))
        if frames != scan_shape[0] * scan_shape[1]:
            raise InputError(f"{path}: {frames} patterns found, {scan_shape[0]} x {scan_shape[1]} as asked for allowed")
        if not hasattr(data, "reshape"):
            raise InputError(
                f"{path}: a scan of {data.shape[:-2]} found, no other shape allowed; leave --scan-shape out"
            )
        data = data.reshape((*scan_shape, *data.shape[-2:]))  # type: ignore[reportAttributeAccessIssue]
    metadata = signal.get("metadata", {})
    beam = metadata.get("Acquisition_instrument", {}).get("TEM", {})
    said = metadata.get("VeriSTEM", {})
    convergence = _positive(beam.get("convergence_angle"))
    return Scan4D(
        str(path),
        data,
        pixel_nm=_pixel_nm(signal.get("axes", [])),
        energy_keV=_positive(beam.get("beam_energy")),
        convergence_rad=None if convergence is None else 1e-3 * convergence,
        nominal={name: said[name] for name in _NOMINAL if name in said} if isinstance(said, dict) else {},
    )


def _signal(path: Path, suffix: str, scan_shape) -> dict[str, Any]:
    """The signal of a file with the most axes, read lazily."""
    import rsciio

    plugins = [p for p in rsciio.IO_PLUGINS if suffix.lstrip(".") in (e.lower() for e in p["file_extensions"])]
    if not plugins:
        raise InputError(
            f"{path}: suffix {suffix!r} found, a 4D scan allowed (.zspy, .hspy, .mib, .blo, .emd, .dm4, ...)"
        )
    options: dict[str, Any] = {"lazy": True}
    if suffix == ".mib" and scan_shape is not None:
        options["navigation_shape"] = scan_shape[::-1]
    if suffix in (".zspy", ".hspy"):
        options["mode"] = "r"
    try:
        logging.disable(logging.ERROR)  # what readers say beside their errors
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signals = import_module(plugins[0]["api"]).file_reader(str(path), **options)
        return max(signals, key=lambda signal: len(signal["data"].shape))
    except Exception as error:  # every reader has its own
        raise InputError(f"{path}: no readable scan found ({' '.join(str(error).split())[:100]})") from None
    finally:
        logging.disable(logging.NOTSET)


def _hdf5(path: Path):
    """The only array of four axes in an HDF5 file: mapped where it lies in one piece, else read by h5py."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: no readable HDF5 file found ({str(error)[:80]})") from None
    found: list[h5py.Dataset] = []

    def visit(_, item):
        if isinstance(item, h5py.Dataset) and item.ndim >= 3 and item.dtype.kind in "uif":
            found.append(item)

    file.visititems(visit)
    most = [d for d in found if d.ndim == max(item.ndim for item in found)]
    if len(most) != 1:
        raise InputError(f"{path}: {len(most)} arrays of patterns found, one allowed")
    data = most[0]
    if data.chunks is None and data.compression is None and (offset := data.id.get_offset()) is not None:
        if offset + data.size * data.dtype.itemsize > path.stat().st_size:
            raise InputError(f"{path}: cut short; {data.shape} patterns announced, fewer found; copy the file again")
        return np.memmap(path, data.dtype, "r", offset, data.shape)
    return data


def _zarr(path: Path):
    """The array of a .zspy, whole."""
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root: Any = zarr.open(str(path), mode="r")
    (data,) = [group["data"] for _, group in root["Experiments"].groups() if "data" in group]
    missing = [index for index in np.ndindex(*data.cdata_shape) if not chunk_exists(data, index)]
    if missing:
        rows = [index[0] * data.chunks[0] for index in missing]
        raise InputError(
            f"{path}: {len(missing)} of {int(np.prod(data.cdata_shape))} chunks missing, the first of scan row "
            f"{rows[0]}; all allowed, as missing ones read as zeros; copy the file again"
        )
    return data


def _check_merlin(path: Path) -> None:
    """What rosettasciio would read otherwise: a .mib that is cut short, raw or unlike its .hdr."""
    with path.open("rb") as file:
        head = file.read(384).decode("latin-1").split(",")
    try:
        if head[0] not in ("MQ1", "HDR") or len(head) < 8:
            raise ValueError
        header, columns, rows, kind = int(head[2]), int(head[4]), int(head[5]), head[6].strip()
        width = {"U08": 1, "U16": 2, "U32": 4, "R64": None}[kind]
        if not (0 < header < 10**5 and 0 < columns < 10**5 and 0 < rows < 10**5):
            raise ValueError
    except (ValueError, KeyError, IndexError):
        raise InputError(f"{path}: no Merlin header found at the beginning, a .mib allowed") from None
    if width is None:
        raise InputError(
            f"{path}: raw Merlin data (R64) found, processed data (U08, U16, U32) allowed; export them again"
        )
    frame = header + rows * columns * width
    frames, rest = divmod(path.stat().st_size, frame)
    if rest:
        raise InputError(
            f"{path}: cut short; {frames} patterns of {rows} x {columns} and {rest} of {frame} bytes of another "
            "found, whole ones allowed; copy the file again"
        )
    beside = path.with_suffix(".hdr")
    if not beside.exists():
        return
    said = {}
    for line in beside.read_bytes().decode("latin-1").splitlines():
        name, _, value = line.partition(":\t")
        said[name.split(" (")[0].strip()] = value.strip()
    try:
        announced = int(said.get("Frames in Acquisition", 0))
        depth = int(said.get("Counter Depth", 0))
    except ValueError:
        raise InputError(f"{beside}: a number of frames or counter depth that is no number found") from None
    if announced and announced != frames:
        raise InputError(
            f"{beside}: {announced} frames found, the {frames} of {path.name} allowed; copy both again or take the "
            ".hdr away and give --scan-shape"
        )
    if depth and width != (1 if depth <= 6 else 2 if depth <= 12 else 4):
        raise InputError(
            f"{beside}: a counter depth of {depth} bit found, one that goes with {kind} in {path.name} allowed"
        )


def _pixel_nm(axes) -> float | None:
    """Scan step of axes in a unit of length [nm]."""
    steps = [a for a in axes if a.get("navigate") and str(a.get("units", "")).strip().lower() in _NM]
    if not steps:
        return None
    return _positive(abs(float(steps[-1]["scale"])) * _NM[str(steps[-1]["units"]).strip().lower()])


def _positive(value) -> float | None:
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None
