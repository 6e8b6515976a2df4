"""Real stereo pairs: two images of one region, the specimen or the view tilted between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError

_PLAIN = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")


def read_pair(left: str | Path, right: str | Path, pixel_nm: float, pair_angle_deg: float) -> Acquisition:
    """A pair that is symmetric about the beam along x: theta_x = +angle/2 on the left, -angle/2 on the right.

    Parameters
    ----------
    left, right : str or Path
        Grey images of the same shape: PNG, TIFF, or whatever rosettasciio reads. Colours are averaged.
    pixel_nm : float
        Size of a pixel [nm].
    pair_angle_deg : float
        Angle between the two views [degrees].

    Raises
    ------
    InputError
        For an image that cannot be read or is not one plane, two shapes, or an angle or pixel that is not positive.
    """
    if not 0 < pair_angle_deg < 180:
        raise InputError(f"pair_angle_deg: {pair_angle_deg} found, more than 0 and less than 180 allowed")
    images = [_image(left), _image(right)]
    if images[0].shape != images[1].shape:
        shapes = [" x ".join(map(str, i.shape)) for i in images]
        raise InputError(
            f"{right}: {shapes[1]} pixels found, {shapes[0]} as in {left} allowed; crop or bin one of them"
        )
    half = np.radians(pair_angle_deg) / 2
    return Acquisition(np.stack(images), np.array([[half, 0.0], [-half, 0.0]]), pixel_nm=pixel_nm, focus_nm=0.0)


def _image(path: str | Path) -> np.ndarray:
    """(Y, X) float32."""
    suffix = Path(path).suffix.lower()
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give an image")
    try:
        if suffix in _PLAIN:
            from skimage.io import imread

            image = np.asarray(imread(path))
        else:
            image = _scientific(path, suffix)
    except InputError:
        raise
    except Exception as error:  # every reader has its own
        raise InputError(
            f"{path}: no readable image found ({' '.join(str(error).split())[:100]}); save it as TIFF"
        ) from error
    if image.ndim == 3 and image.shape[2] in (3, 4):
        image = image[..., :3].mean(axis=2)
    if image.ndim != 2 or image.dtype.kind not in "fiub":
        raise InputError(f"{path}: array of shape {image.shape} and type {image.dtype} found, one grey image allowed")
    image = image.astype(np.float32)
    if not np.isfinite(image).all():
        raise InputError(f"{path}: a pixel that is not finite found, finite grey levels allowed")
    return image


def _scientific(path: str | Path, suffix: str) -> np.ndarray:
    from importlib import import_module

    import rsciio

    for plugin in rsciio.IO_PLUGINS:
        if suffix.lstrip(".") in (e.lower() for e in plugin["file_extensions"]):
            signals = import_module(plugin["api"]).file_reader(str(path))
            if len(signals) != 1:
                raise InputError(f"{path}: {len(signals)} signals found, one image allowed; save the image alone")
            return np.squeeze(np.asarray(signals[0]["data"]))
    raise InputError(f"{path}: suffix {suffix!r} found, an image allowed ({', '.join(_PLAIN)}, .dm4, .hspy, .emd, ...)")
