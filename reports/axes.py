"""The letters of a 3D picture: ticks of a box, a scale of colours and a legend, all upright and none over another.

A scene that is turned in a browser gets the same from templates/turn.js, which follows the rules of this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

NAMES = "xyz"
_INK, _AXIS = (28, 31, 35), (102, 102, 102)
_LETTER_PX, _TICK_PX, _GAP_PX = 22, 9, 6
_ROOM_PX = (95, 60)  # for one tick of an axis that runs across, and of one that runs down
_BAR_PX = (26, 560)  # of the scale of colours


@dataclass(frozen=True, eq=False)
class Bar:
    """A scale of colours.

    Parameters
    ----------
    title : str
        What the colours are, with its unit.
    colours : (K, 3) uint8
        From the lower limit to the upper one.
    limits : (float, float)
        Values of the first and the last colour.
    mark : float or None
        Where a line called "limit" crosses the scale.
    """

    title: str
    colours: np.ndarray
    limits: tuple[float, float]
    mark: float | None = None

    def for_script(self) -> dict:
        """What templates/turn.js needs of it."""
        rows = self.colours[np.linspace(0, len(self.colours) - 1, 24).round().astype(int)]
        colours = ["#" + bytes(row).hex() for row in rows]
        return {"title": self.title, "colours": colours, "limits": [float(v) for v in self.limits], "mark": self.mark}


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values from ``low`` to ``high``, at most ``most`` + 1; both ends where fewer than three fit."""
    if not high > low:
        return [low]
    least = (high - low) / max(most, 1)
    decade = 10.0 ** np.floor(np.log10(least))
    step = next(factor * decade for factor in (1, 2, 2.5, 5, 10) if factor * decade >= least * (1 - 1e-9))
    values = [step * n for n in range(int(np.ceil(low / step - 1e-6)), int(np.floor(high / step + 1e-6)) + 1)]
    return values if len(values) > 2 else [low, high]


def texts(values: list[float]) -> list[str]:
    """Values with as many digits as tell them apart, with a true minus; two of them, which are ends, as they are."""
    if len(values) < 3:
        return [f"{value + 0.0:.4g}".replace("-", "−") for value in values]
    step = min(np.diff(values), default=0.0)
    digits = max(0, int(np.ceil(-np.log10(step) - 1e-9))) if step > 0 else 0
    if step > 0 and abs(round(step, digits) - step) > 1e-6 * step:
        digits += 1  # steps of 2.5
    if max(map(abs, values), default=0.0) >= 1e5 or digits > 4:
        return [f"{value:.4g}".replace("-", "−") for value in values]
    return [f"{value + 0.0:.{digits}f}".replace("-", "−") for value in values]


def corners(low_nm, high_nm) -> np.ndarray:
    """The eight corners of a box (8, 3) [nm]."""
    return np.array(list(product(*zip(low_nm, high_nm))), float)


def edges(low_nm, high_nm, project) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """The edges that bear ticks: axis, start (3,) [nm], and the way out of the box on the picture (2,).

    Of the four edges along an axis it is the outermost, below or to the left. An axis seen end on has none.
    ``project`` gives pixels (K, 2), y down, of points (K, 3).
    """
    whole = float(np.ptp(project(corners(low_nm, high_nm)), axis=0).max())
    chosen = []
    for axis in (2, 0, 1):
        start = np.unique(np.where(np.arange(3) == axis, low_nm, corners(low_nm, high_nm)), axis=0)
        first = project(start)
        last = project(np.where(np.arange(3) == axis, high_nm, start))
        along = (last - first).mean(axis=0)
        if np.hypot(*along) < 0.06 * whole:
            continue
        out = np.array([-along[1], along[0]]) / np.hypot(*along)
        out = out if out @ (-0.5, 1.0) > 0 else -out
        chosen.append((axis, start[int(np.argmax((first + last) @ out))], out))
    return chosen


def letters(
    low_nm, high_nm, project, measure, scale: float = 1.0
) -> tuple[list[np.ndarray], list[tuple[str, np.ndarray]]]:
    """Ticks (2, 2) as lines, and texts with their boxes: left upper and right lower corner (2, 2), all in pixels.

    A text that would lie over another is left out. ``measure`` gives the size (2,) of a text [pixels]; ticks and gaps
    grow with ``scale``.
    """
    tick, gap = scale * _TICK_PX, scale * _GAP_PX
    lines: list[np.ndarray] = []
    placed: list[tuple[str, np.ndarray]] = []

    def write(text: str, at: np.ndarray, out: np.ndarray) -> float:
        """Place a text just outside of a point; how far it reaches from there, 0 where there is no room."""
        half = np.asarray(measure(text)) / 2
        away = tick + gap + float(np.abs(out) @ half)
        box = at + away * out + np.array([-half, half])
        if any((box[0] < other[1] + gap).all() and (other[0] - gap < box[1]).all() for _, other in placed):
            return 0.0
        placed.append((text, box))
        return away + float(np.abs(out) @ half)

    for axis, start, out in edges(low_nm, high_nm, project):
        whole = np.array([start] * 2)
        whole[1, axis] = high_nm[axis]
        first, last = project(whole)
        length = float(np.hypot(*(last - first)))
        room = scale * float(np.abs(last - first) @ _ROOM_PX) / length
        values = ticks(low_nm[axis], high_nm[axis], int(np.clip(length / room, 3, 6)))
        places = np.array([start] * len(values))
        places[:, axis] = values
        reach = 0.0
        told = list(zip(project(places), texts(values)))
        for at, text in (told[0], *told[:0:-1]):  # the ends first, where not all have room
            lines.append(np.array([at, at + out * tick]))
            reach = max(reach, write(text, at, out))
        write(f"{NAMES[axis]} (nm)", (first + last) / 2 + out * (reach + gap), out)
    return lines, placed


def lettered(
    pixels: np.ndarray,
    low_nm,
    high_nm,
    project,
    bar: Bar | None = None,
    legend: list[tuple[str, str]] | None = None,
    scale: float = 1.0,
    density: float = 1.0,
) -> np.ndarray:
    """A rendered box (Y, X, 3) uint8 with its ticks, its scale of colours and its legend, cut to what is drawn.

    All that is drawn grows with ``density``, letters and ticks with ``scale`` besides.
    """
    from PIL import Image, ImageDraw

    scale *= density
    font, margin = _font(scale), round(320 * density)
    canvas = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), constant_values=255))
    draw = ImageDraw.Draw(canvas)
    lines, placed = letters(low_nm, high_nm, project, lambda text: font.getbbox(text, anchor="lt")[2:], scale)
    for line in lines:
        draw.line((line + margin).ravel().tolist(), fill=_AXIS, width=round(2 * density))
    for text, box in placed:
        draw.text((box[0] + margin).tolist(), text, font=font, fill=_INK, anchor="lt")
    parts = [_cut(np.asarray(canvas))]
    if bar is not None:
        parts.append(_bar_pixels(bar, font, parts[0].shape[0], density))
    whole = _beside(parts)
    return _below(_legend_pixels(legend, font, density), whole) if legend else whole


def _font(scale: float):
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")), scale * _LETTER_PX)


def _cut(pixels: np.ndarray, margin: int = 12) -> np.ndarray:
    """Without white edges but for a margin; a picture of nothing as it is."""
    inked = np.any(pixels < 255, axis=2)
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return pixels
    inner = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(inner, ((margin, margin), (margin, margin), (0, 0)), constant_values=255)


def _bar_pixels(bar: Bar, font, room: int, density: float) -> np.ndarray:
    from PIL import Image, ImageDraw

    def px(length: float) -> int:
        return round(density * length)

    width, most = map(px, _BAR_PX)
    height, top, left = max(px(120), min(most, room - px(120))), px(60), px(12)
    canvas = Image.new("RGB", (px(900), height + 2 * top), "white")
    draw = ImageDraw.Draw(canvas)
    rows = bar.colours[np.linspace(len(bar.colours) - 1, 0, height).round().astype(int)]
    canvas.paste(Image.fromarray(np.repeat(rows[:, None], width, axis=1)), (left, top))
    draw.rectangle((left, top, left + width, top + height), outline=_AXIS, width=px(1))
    low, high = bar.limits

    def place(value: float) -> float:
        return top + height * (1 - (value - low) / (high - low if high > low else 1.0))

    values = ticks(low, high, int(np.clip(height / px(70), 1, 6)))
    for value, text in zip(values, texts(values)):
        draw.line((left + width, place(value), px(18) + width, place(value)), fill=_AXIS, width=px(2))
        draw.text((px(24) + width, place(value)), text, font=font, fill=_INK, anchor="lm")
    if bar.mark is not None and low <= bar.mark <= high:
        y = place(bar.mark)
        draw.line((left, y, left + width, y), fill="white", width=px(4))
        draw.line((left, y, left + width, y), fill="black", width=px(2))
        taken = max(font.getlength(text) for text in texts(values))
        draw.text((px(40) + width + taken, y), "limit", font=font, fill=_INK, anchor="lm")
    draw.text((left, top - px(40)), bar.title, font=font, fill=_INK, anchor="lt")
    return _cut(np.asarray(canvas))


def _legend_pixels(legend: list[tuple[str, str]], font, density: float) -> np.ndarray:
    from PIL import Image, ImageDraw

    def px(length: float) -> int:
        return round(density * length)

    canvas = Image.new("RGB", (px(1800), px(36 * len(legend) + 24)), "white")
    draw = ImageDraw.Draw(canvas)
    for row, (name, colour) in enumerate(legend):
        y = px(24 + 36 * row)
        draw.rectangle((px(12), y - px(9), px(44), y + px(9)), fill=colour)
        draw.text((px(56), y), name if len(name) < 90 else name[:88] + "…", font=font, fill=_INK, anchor="lm")
    return _cut(np.asarray(canvas))


def _beside(parts: list[np.ndarray]) -> np.ndarray:
    high = max(part.shape[0] for part in parts)
    padded = [_grown(part, high, part.shape[1], (high - part.shape[0]) // 2) for part in parts]
    return np.concatenate(padded, axis=1)


def _below(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    wide = max(upper.shape[1], lower.shape[1])
    return np.concatenate([_grown(part, part.shape[0], wide) for part in (upper, lower)], axis=0)


def _grown(part: np.ndarray, high: int, wide: int, above: int = 0) -> np.ndarray:
    rows = (above, high - part.shape[0] - above)
    return np.pad(part, (rows, (0, wide - part.shape[1]), (0, 0)), constant_values=255)
