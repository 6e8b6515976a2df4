"""Real stereo pairs and tilt series: images of one region, the specimen or the view tilted between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.formats.mrc import read_stack
from veristem.datasets.formats.regular import regular_file
from veristem.datasets.formats.rosetta import loaded, pixel_nm_of, quiet, read_signals
from veristem.datasets.geometry import Tilt
from veristem.datasets.shapes import check_positive

_TIFF = (".tif", ".tiff")
_PLAIN = (".png", ".jpg", ".jpeg", ".bmp")
_ALLOWED = f"an image allowed ({', '.join(_TIFF + _PLAIN)}, .mrc, .dm4, .hspy, .emd, ...)"
_MOST = 2**28  # pixels of an image
_SAME = 0.01  # relative difference up to which two pixel sizes are one


def read_pair(
    left: str | Path,
    right: str | Path,
    pixel_nm: float | None,
    pair_angle_deg: float,
    say: Callable[[str], Any] = lambda line: None,
) -> Acquisition:
    """A pair that is symmetric about the beam along x: theta_x = +angle/2 on the left, -angle/2 on the right.

    Parameters
    ----------
    left, right : str or Path
        Grey images of the same shape: PNG, TIFF, MRC, or whatever rosettasciio reads. Colours are averaged.
    pixel_nm : float or None
        Size of a pixel [nm]; that of the files if not given.
    pair_angle_deg : float
        Angle between the two views [degrees].
    say : callable
        Gets a line for each thing a user should know: colours, a size that contradicts the files.

    Raises
    ------
    InputError
        For an image that cannot be read or is not one plane, two shapes, two pixel sizes or none, or an angle or pixel
        that is not positive.
    """
    if not 0 < pair_angle_deg < 180:
        raise InputError(f"`pair_angle_deg`: {pair_angle_deg} found, more than 0 and less than 180 allowed")
    if pixel_nm is not None:
        check_positive("`pixel_nm`", pixel_nm)
    paths = [Path(left), Path(right)]
    images, sizes = zip(*(read_image(path, say) for path in paths))
    if images[0].shape != images[1].shape:
        shapes = [" x ".join(map(str, i.shape)) for i in images]
        raise InputError(
            f"{right}: {shapes[1]} pixels found, {shapes[0]} as in {left} allowed; crop or bin one of them"
        )
    half = np.radians(pair_angle_deg) / 2
    step = _agreed(paths, sizes, pixel_nm, say)
    return Acquisition(np.stack(images), np.array([[half, 0.0], [-half, 0.0]]), pixel_nm=step, focus_nm=0.0)


def _agreed(paths: list[Path], sizes, given: float | None, say: Callable[[str], Any]) -> float:
    """The pixel of some files [nm], or the one that is given, which is then said if it is another."""
    said = {path: size for path, size in zip(paths, sizes) if size is not None}
    if said and max(said.values()) > (1 + _SAME) * min(said.values()):
        (first, a), (second, b) = list(said.items())[:2]
        raise InputError(f"{second}: pixels of {b:g} nm found, {a:g} nm as in {first} allowed; resample one of them")
    size = next(iter(said.values()), None)
    if given is None and size is None:
        raise InputError(f"{paths[0]}: pixel size not found; give `pixel_nm`")
    if given is None:
        say(f"pixel size: {size:g} nm, from {' and '.join(path.name for path in said)}")
        return float(size)  # type: ignore[reportArgumentType]
    if size is not None and abs(given - size) > _SAME * size:
        say(f"warning: `pixel_nm`: {given:g} found and taken, but {next(iter(said))} says {size:g}")
    return given


def read_image(
    path: Path, say: Callable[[str], Any] = lambda line: None, gaps: bool = False
) -> tuple[np.ndarray, float | None]:
    """An image (Y, X) float32 and the side of its pixels [nm], None where the file does not tell.

    ``say`` gets what was done to it, one line a call; with ``gaps`` some pixels may be NaN.

    Raises
    ------
    InputError
        For a file that holds no single image.
    """
    suffix = path.suffix.lower()
    if not path.exists():
        raise InputError(f"{path}: no such file; give an image")
    regular_file(path)
    size = None
    try:
        if suffix in _TIFF:
            with quiet():
                image, size = _tiff(path)
        elif suffix in _PLAIN:
            with quiet():
                image = _plain(path)
        elif suffix == ".mrc":
            image, size, _ = read_stack(path)
        else:
            image, size = _scientific(path)
    except InputError:
        raise
    except Exception as error:  # every reader has its own
        raise InputError(
            f"{path}: no readable image found ({' '.join(str(error).split())[:100]}); save it as TIFF"
        ) from error
    if image.ndim > 2 and image.shape[-1] in (2, 3, 4) and suffix in _TIFF + _PLAIN:
        colours = image.shape[-1] - (image.shape[-1] in (2, 4))  # without transparency
        image = image[..., :colours].mean(axis=-1)
        say(
            f"{path}: {colours} colours found: their mean is taken" if colours > 1 else f"{path}: transparency left out"
        )
    shape = image.shape
    image = image.reshape([n for n in shape if n != 1]) if image.ndim > 2 else image
    if image.ndim != 2 or image.dtype.kind not in "fiub" or min(image.shape) < 1:
        raise InputError(f"{path}: array of shape {shape} and type {image.dtype} found, one grey image allowed")
    if image.size > _MOST:
        raise InputError(f"{path}: {' x '.join(map(str, shape))} pixels found, at most {_MOST} allowed; bin it")
    with np.errstate(over="ignore"):
        image = np.asarray(image).astype(np.float32)
    if not np.isfinite(image).all() and not (gaps and not np.isinf(image).any()):
        y, x = np.argwhere(~np.isfinite(image))[0]
        raise InputError(f"{path}: {image[y, x]} found at pixel X Y = {x} {y}, finite grey levels allowed")
    return image, size


def _tiff(path: Path) -> tuple[np.ndarray, float | None]:
    """Pixels with colours on the last axis, and their size where ImageJ or the maker of the microscope left it."""
    from rsciio.tiff import file_reader
    from tifffile import TiffFile

    with TiffFile(path) as file:
        series = file.series[0]
        _check_size(path, series.shape)
        if series.dtype is None or math.prod(series.shape) * series.dtype.itemsize > 1100 * path.stat().st_size:
            raise InputError(f"{path}: {series.shape} pixels found, more than the file can hold; it is damaged")
        image, axes = series.asarray(), series.axes
        size = _imagej_nm(path, file)
    if "S" in axes:
        image = np.moveaxis(image, axes.index("S"), -1)
    if size is not None:
        return image, size
    try:
        size = pixel_nm_of(path, file_reader(str(path), lazy=True)[0]["axes"], False)
    except InputError:
        raise
    except Exception:  # tags that this reader does not know
        size = None
    return image, size


def _imagej_nm(path: Path, file) -> float | None:
    """Side of a pixel as ImageJ writes it: pixels a unit in the tags of the resolution, the unit in the description."""
    unit = (file.imagej_metadata or {}).get("unit")
    axes = []
    for name in ("YResolution", "XResolution"):
        tag = file.pages[0].tags.get(name)
        if unit is not None and tag is not None and tag.value[0]:
            axes.append({"scale": tag.value[1] / tag.value[0], "units": str(unit).replace("\\u00B5", "µ")})
    return pixel_nm_of(path, axes, False)


def _plain(path: Path) -> np.ndarray:
    from PIL import Image
    from skimage.io import imread

    with Image.open(path) as file:
        _check_size(path, file.size)
    return np.asarray(imread(path))


def _check_size(path: Path, shape) -> None:
    """Raise InputError before so much is unpacked."""
    if math.prod(shape) > 4 * _MOST:
        raise InputError(f"{path}: {' x '.join(map(str, shape))} pixels found, at most {_MOST} allowed; bin it")


def _scientific(path: Path) -> tuple[np.ndarray, float | None]:
    signals = read_signals(path, _ALLOWED)
    if len(signals) != 1:
        raise InputError(f"{path}: {len(signals)} signals found, one image allowed; save the image alone")
    (signal,) = signals
    _check_size(path, signal["data"].shape)
    return loaded(signal["data"]), pixel_nm_of(path, signal["axes"], False)


def read_tilt_series(
    path: str | Path,
    pixel_nm: float | None = None,
    tilt_axis_deg: float = 90.0,
    say: Callable[[str], Any] = lambda line: None,
) -> Acquisition:
    """A tilt series: sections of a .mrc with the tilts of its headers or of a file beside it, or a .hspy.

    Parameters
    ----------
    path : str or Path
        .mrc, or .hspy with ``Tomography.tilts`` in its metadata.
    pixel_nm : float, optional
        Size of a pixel [nm], if the file does not say it.
    tilt_axis_deg : float
        Azimuth of the tilt axis in the images, from x towards y [degrees]: 90 for tilts about y.
    say : callable
        As of `read_pair`.

    Raises
    ------
    InputError
        For a file that cannot be read, or one without tilts or pixel size.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; give a tilt series")
    if path.suffix.lower() == ".mrc":
        data, size, tilts = read_stack(path)
    else:
        signal = max(read_signals(path, "a tilt series allowed (.mrc, .hspy)"), key=lambda one: one["data"].ndim)
        data, size = signal["data"], pixel_nm_of(path, signal["axes"], False)
        tilts = _tilts_of(signal)
    if data.ndim != 3 or data.dtype.kind not in "fiu":
        raise InputError(f"{path}: array of shape {data.shape} and type {data.dtype} found, a stack of images allowed")
    _check_size(path, data.shape)
    if tilts is None or len(tilts) != len(data):
        found = "no tilts" if tilts is None else f"{len(tilts)} tilts"
        raise InputError(
            f"{path}: {found} found, {len(data)} allowed: one a section in its header or, as degrees one a line, in "
            f"{path.with_suffix('.rawtlt').name}"
        )
    angles, axis = np.radians(tilts), float(np.radians(tilt_axis_deg))
    directions = np.array([Tilt(float(angle), axis).direction_rad for angle in angles])
    try:
        views = loaded(data)
    except Exception as error:  # of whatever library holds the data
        raise InputError(f"{path}: images cannot be read ({' '.join(str(error).split())[:100]})") from None
    return Acquisition(
        views,
        directions,
        pixel_nm=_agreed([path], [size], pixel_nm, say),
        focus_nm=0.0,
        tilts_rad=angles,
        tilt_axis_rad=axis,
    )


def _tilts_of(signal: dict[str, Any]) -> np.ndarray | None:
    """What ETSpy keeps as ``Tomography.tilts`` [deg], as a list or a signal of its own."""
    found: Any = signal.get("metadata", {})
    for name in ("Tomography", "tilts"):
        found = found.get(name, found.get(f"_sig_{name}")) if isinstance(found, dict) else None
    if isinstance(found, dict):
        found = found.get("data")
    shape = getattr(found, "shape", None)
    if math.prod(np.shape(found) if shape is None else shape) != len(signal["data"]):
        return None
    try:
        tilts = loaded(found).astype(float).ravel()
    except Exception:  # what is no numbers, or cannot be read
        return None
    return tilts if tilts.size and np.isfinite(tilts).all() and np.abs(tilts).max() < 90 else None
