"""Pictures as PNG files that stay small however much they show."""

from __future__ import annotations

import io

import numpy as np

_BUSY = 400_000  # bytes; beyond, a picture makes do with 256 colours


def png(pixels: np.ndarray) -> bytes:
    """Pixels (Y, X, 3) uint8 as PNG; thousands of lines are reduced to the 256 colours that fit them best."""
    from PIL import Image

    if (pixels == pixels[..., :1]).all():
        return _saved(Image.fromarray(np.ascontiguousarray(pixels[..., 0])))
    image = Image.fromarray(np.ascontiguousarray(pixels))
    content = _saved(image)
    return content if len(content) < _BUSY else _saved(image.quantize(256, dither=Image.Dither.NONE))


def _saved(image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
