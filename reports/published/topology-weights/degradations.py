"""Masks of lines, and volumes of tubes, made worse by a known amount: what the weights of the score are fitted on."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.lines import Lines
from veristem.bench.topology.tubes import draw
from veristem.datasets.errors import InputError
from veristem.datasets.shapes import check_positive

KINDS = ("broken", "speckle", "spurious", "thickened")
WIDTH_NM = {2: 10.0, 3: 12.8}  # of the lines in images and in volumes, and of specks and spurious lines
GAP_NM = 20.0
SPURIOUS_NM = (20.0, 100.0)
WIDER = 0.1  # as many line widths count as one wrong place a micrometre


def degrade(
    kind: str, lines: Lines, strength: float, shape: tuple[int, ...], pixel_nm: float, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """A mask of lines with as many wrong places a micrometre of line.

    A place counts as one whatever its size: one gap, one speck, one line that is none. That is what persistence can
    see, and what a user would have to repair by hand. Thicker lines are wrong everywhere and nowhere: by convention
    a tenth of a line width more counts as one wrong place a micrometre, so doubled lines as ten. With the same
    generator a stronger degradation has all wrong places of a weaker one, and more.

    Parameters
    ----------
    kind : str
        "broken": gaps of 20 nm at random places of the lines. "speckle": specks as wide as a line anywhere.
        "spurious": straight lines of 20 to 100 nm anywhere. "thickened": wider lines.
    lines : Lines
        True lines; they are drawn as wide as `WIDTH_NM` says, in an image as seen along the beam.
    strength : float
        Wrong places a micrometre [1/µm]; the length is the area (volume) of the true mask over the width (cross
        section) of its lines.
    shape : (int, int) or (int, int, int)
        Pixels along y and x, or along z, y and x.
    pixel_nm : float
        Size of a pixel [nm].
    rng : numpy.random.Generator
        Where the wrong places are.

    Returns
    -------
    mask : (Y, X) or (Z, Y, X) bool
        The degraded mask.
    strength : float
        What it has, as places come in whole numbers: at least one [1/µm].

    Raises
    ------
    InputError
        For another kind, a strength that is not above zero, or lines that are not in the image.
    """
    if kind not in KINDS:
        raise InputError(f"degradation: {kind} found, {', '.join(KINDS)} allowed")
    check_positive("strength", strength)
    truth = true_mask(lines, shape, pixel_nm)
    dimensions = len(shape)
    start, stop, radius = lines.start_nm[:, :dimensions], lines.stop_nm[:, :dimensions], WIDTH_NM[dimensions] / 2
    if kind == "thickened":
        return draw(start, stop, radius * (1 + WIDER * strength), shape, pixel_nm), strength
    section = 2 * radius if dimensions == 2 else np.pi * radius**2
    length_um = 1e-3 * float(truth.sum()) * pixel_nm**dimensions / section
    count = max(1, round(strength * length_um))
    at = np.array([_place(kind, start, stop, np.array(shape[::-1]) * pixel_nm, rng) for _ in range(count)])
    if kind == "broken":
        mask = truth & ~draw(at[:, 0], at[:, 1], GAP_NM / 2, shape, pixel_nm)
    else:
        mask = truth | draw(at[:, 0], at[:, 1], radius, shape, pixel_nm)
    return mask, count / length_um


def true_mask(lines: Lines, shape: tuple[int, ...], pixel_nm: float) -> np.ndarray:
    """The mask of the lines, as wide as `WIDTH_NM` says; InputError when it is empty."""
    n = len(shape)
    mask = draw(lines.start_nm[:, :n], lines.stop_nm[:, :n], WIDTH_NM[n] / 2, shape, pixel_nm)
    if not mask.any():
        raise InputError("lines: none in the image found, at least one needed")
    return mask


def _place(kind: str, start, stop, field, rng: np.random.Generator) -> np.ndarray:
    """(2, D) both ends of one wrong place [nm], the same point for gaps and specks."""
    if kind == "broken":
        length = np.linalg.norm(stop - start, axis=1)
        segment = rng.choice(len(start), p=length / length.sum())
        point = start[segment] + rng.uniform() * (stop - start)[segment]
        return np.stack([point, point])
    point = rng.uniform(0, 1, len(field)) * field
    if kind == "speckle":
        return np.stack([point, point])
    if len(field) == 3:
        along, size = rng.normal(size=3), rng.uniform(*SPURIOUS_NM)
        return np.stack([point, point + size * along / np.linalg.norm(along)])
    angle, size = rng.uniform(0, 2 * np.pi), rng.uniform(*SPURIOUS_NM)
    return np.stack([point, point + size * np.array([np.cos(angle), np.sin(angle)])])
