"""Arrays as what a browser draws: pictures as PNG, lines as paths, in pixels of the image."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np

_MOST_PX = 1400  # side of a picture that is sent
_MOST_VERTICES = 60_000  # of all lines of a picture


def grey_url(image: np.ndarray, low: float = 0.2, high: float = 99.8) -> str:
    """An image (Y, X) between two percentiles, as the address of a PNG."""
    from PIL import Image

    from veristem.reports.png import png

    step = max(1, -(-max(image.shape) // _MOST_PX))
    small = np.asarray(image, float)[::step, ::step]
    least, most = np.percentile(small, (low, high))
    grey = np.clip(255 * (small - least) / max(most - least, 1e-12), 0, 255).astype(np.uint8)
    return data_url(png(np.asarray(Image.fromarray(grey).convert("RGB"))))


def data_url(png: bytes) -> str:
    """A PNG as an address."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def paths(lines: Iterable[np.ndarray]) -> list[str]:
    """Polylines (K, 2) [px] as paths of an SVG; of too many vertices every k-th."""
    lines = [np.asarray(line, float) for line in lines]
    step = 1 + sum(map(len, lines)) // _MOST_VERTICES
    thinned = (np.concatenate([line[:-1:step], line[-1:]]) for line in lines if len(line) > 1)
    return ["M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in line) for line in thinned if np.isfinite(line).all()]


def scale_bar(width_px: int, pixel_nm: float) -> dict[str, Any]:
    """Length [px] and text of a bar of at most a quarter of the width."""
    from veristem.reports.figures import round_length

    length = round_length(0.25 * width_px * pixel_nm)
    return {"px": length / pixel_nm, "text": f"{length:g} nm"}
