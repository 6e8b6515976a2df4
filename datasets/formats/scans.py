"""4D scans from whatever rosettasciio opens, and from plain HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.errors import InputError
from veristem.datasets.formats.frames import in_rows, without_ones
from veristem.datasets.formats.hdf5 import read_contents
from veristem.datasets.formats.merlin import guessed_shape, merlin_frames
from veristem.datasets.formats.mrc import read_stack
from veristem.datasets.formats.regular import regular_file
from veristem.datasets.formats.rosetta import pixel_nm_of, positive, read_signals
from veristem.datasets.formats.zspy import open_data
from veristem.datasets.kinds import KINDS
from veristem.datasets.scan4d import Scan4D

_ALLOWED = "a 4D scan allowed (.zspy, .hspy, .mib, .mrc, .blo, .emd, .dm4, .h5, ...)"
_MOST = 2**30  # bytes of a chunk
_NUMBERS = (
    "electrons_per_frame", "dqe", "g_azimuth_deg", "tilt_off_bragg_deg", "thickness_nm", "pair_angle_deg",
    "radius_mrad",
)  # fmt: skip
_VECTORS = ("zone_axis", "g")


def read_scan(
    path: str | Path,
    scan_shape: tuple[int, int] | None = None,
    *,
    dataset: str | None = None,
    skip_first: int = 0,
    skip_last: int = 0,
    skip_per_row: int = 0,
) -> Scan4D:
    """A scan, its patterns left on disk.

    Parameters
    ----------
    path : str or Path
        .zspy, .hspy, .mib with its .hdr, .mrc, .blo, .emd, .dm4, .h5 and others.
    scan_shape : (int, int), optional
        Rows and columns of the scan, for files that hold frames in a row or guess wrongly.
    dataset : str, optional
        Name of the array of an HDF5 file that holds several.
    skip_first, skip_last, skip_per_row : int
        Frames to leave out before the first row, after the last and after each row of ``scan_shape``.

    Raises
    ------
    InputError
        For a file that is missing, cut short, contradicts itself or holds no scan, or another number of frames.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise InputError(f"{path}: no such file; give a 4D scan")
    if not (suffix == ".zspy" and path.is_dir()):
        regular_file(path)
    if scan_shape is not None and min(scan_shape) < 1:
        raise InputError(f"`scan_shape`: {scan_shape[0]} {scan_shape[1]} found, at least 1 1 allowed")
    if scan_shape is None and (skip_first or skip_last or skip_per_row):
        raise InputError(
            "`skip_first`, `skip_last`, `skip_per_row`: no `scan_shape` found, rows and columns allowed with them"
        )
    signal: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    step = None
    data: Any
    if suffix in (".h5", ".hdf5"):
        data = _hdf5(path, dataset)
    elif dataset is not None and suffix != ".hspy":
        raise InputError(f"`dataset`: found with {path}, only allowed with an HDF5 file")
    elif suffix == ".mib":
        data, notes = merlin_frames(path)
        scan_shape = scan_shape or guessed_shape(path, len(data))
    elif suffix == ".mrc":
        data, step, _ = read_stack(path)
    elif suffix == ".zspy":
        data, signal = open_data(path)
    elif suffix == ".hspy":
        data = _hdf5(path, dataset or "Experiments/*/data")
        signal = _largest(read_signals(path, _ALLOWED, mode="r"))
    else:
        signal = _largest(read_signals(path, _ALLOWED))
        data = signal["data"]
    whole = tuple(data.shape)
    data = without_ones(data, 4 if scan_shape is None else 3)
    if scan_shape is not None:
        data = in_rows(path, data, scan_shape, skip_first, skip_last, skip_per_row)
    if scan_shape is None and tuple(data.shape) != whole:
        notes += (f"axes of {' x '.join(map(str, whole))} found: those of length one are left out",)
    metadata = _table(path, signal, "metadata")
    beam = _table(path, _table(path, metadata, "Acquisition_instrument"), "TEM")
    convergence = positive(beam.get("convergence_angle"))
    return Scan4D(
        str(path),
        data,
        pixel_nm=step or pixel_nm_of(path, signal.get("axes", []), True),
        energy_keV=positive(beam.get("beam_energy")),
        convergence_rad=None if convergence is None else 1e-3 * convergence,
        nominal=_nominal(path, _table(path, metadata, "VeriSTEM")),
        notes=notes,
    )


def _largest(signals: list[dict[str, Any]]) -> dict[str, Any]:
    """The signal with the most axes."""
    return max(signals, key=lambda signal: len(signal["data"].shape))


def _table(path: Path, metadata: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the metadata, empty if it is not there."""
    value = metadata.get(name, {})
    if not isinstance(value, dict):
        raise InputError(f"{path}: metadata {name}: {str(value)[:40]!r} found, a table allowed")
    return value


def _nominal(path: Path, said: dict[str, Any]) -> dict[str, Any]:
    """What our own files say of specimen and beam, each of its kind."""
    found: dict[str, Any] = {}
    kinds = dict.fromkeys(_NUMBERS, ((), "a finite number")) | dict.fromkeys(_VECTORS, ((3,), "3 finite numbers"))
    for name, (shape, allowed) in kinds.items():
        if name not in said:
            continue
        try:
            value = np.asarray(said[name], float)
        except (TypeError, ValueError):
            value = np.array(np.nan)
        if value.shape != shape or not np.isfinite(value).all():
            raise InputError(f"{path}: metadata VeriSTEM.{name}: {str(said[name])[:40]!r} found, {allowed} allowed")
        found[name] = value.tolist()
    if "material" in said:
        if not isinstance(said["material"], str):
            raise InputError(
                f"{path}: metadata VeriSTEM.material: {str(said['material'])[:40]!r} found, a text allowed"
            )
        found["material"] = said["material"]
    if "kind" in said:
        if said["kind"] not in KINDS:
            raise InputError(
                f"{path}: metadata VeriSTEM.kind: {str(said['kind'])[:40]!r} found, {' or '.join(KINDS)} allowed"
            )
        found["kind"] = said["kind"]
    return found


def _hdf5(path: Path, dataset: str | None):
    """An array of an HDF5 file: mapped where it lies in one piece, else read by h5py.

    It is the one that is named, or the only one with the most axes longer than one.
    """
    import h5py

    contents = read_contents(path, data=False)
    wanted = None if dataset is None else [part for part in dataset.split("/") if part]

    def named(name: str) -> bool:
        parts = name.split("/")
        return wanted is None or (len(parts) == len(wanted) and all(w in ("*", p) for w, p in zip(wanted, parts)))

    arrays = {
        name: one
        for name, one in contents.datasets.items()
        if one["type"][1] in "uif" and one["type"][0] in "<>|" and len(one["shape"]) >= 3 and named(name)
    }
    axes = {name: sum(n > 1 for n in one["shape"]) for name, one in arrays.items()}
    most = [name for name in arrays if axes[name] == max(axes.values())]
    if len(most) != 1:
        names = f" ({', '.join(most[:5])}); `dataset` says which" if most and dataset is None else ""
        asked = "" if dataset is None or "*" in dataset else f" called {dataset}"
        raise InputError(f"{path}: {len(most)} arrays of patterns{asked} found{names}, one allowed")
    (name,) = most
    one, shape = arrays[name], tuple(arrays[name]["shape"])
    if one.get("missing"):
        raise InputError(
            f"{path}: {name}: {' x '.join(map(str, shape))} values announced, {one['missing']} of their chunks missing;"
            " all allowed, as missing ones read as zeros; copy the file again"
        )
    if "at" in one:
        if one["at"] + np.prod(shape, dtype=object) * np.dtype(one["type"]).itemsize > path.stat().st_size:
            raise InputError(f"{path}: cut short; {shape} patterns announced, fewer found; copy the file again")
        return np.memmap(path, one["type"], "r", one["at"], shape)
    if np.prod(one.get("chunks", shape), dtype=object) * np.dtype(one["type"]).itemsize > _MOST:
        raise InputError(f"{path}: {name}: chunks of {one.get('chunks', shape)} found, at most 1 GiB allowed")
    return h5py.File(path, "r")[name]
