"""What a simulated bright-field image of dislocations is like, against what is stated of real ones.

Of each image: grey levels, width and contrast of its lines, and the spectrum of its noise. Each quantity has a range
with its source, or none where no statement was found; `outside` lists what lies out of its range and so would give the
image away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.crystal import load_material
from veristem.datasets.truth import LineTruth

_STRETCH_NM = 40.0  # of a line over which a profile is averaged
_STRAIGHT_NM = 6.0  # farthest that a stretch may leave its chord
_REACH_NM = 45.0  # of a profile to either side
_FLANK_NM = 30.0  # beyond which it shows the background
_NEAR_NM = 12.0  # of the projected line within which the darkest point is sought

_TWO_BEAMS = (
    "a fifth to a half of xi_g: Hirsch et al., Electron Microscopy of Thin Crystals (1965); Williams & Carter. At half "
    "depth, our reading. (Stated of Si in STEM at 1 MV, no measure of other crystals: 10-15 and 13-16 nm, abstracts of "
    "'Maximum usable thickness revisited: imaging dislocations in Si by modern high-voltage STEM' and 'High-voltage "
    "STEM: a tool for structural characterization of micrometer-thick specimens')"
)
_ROSE = "Rose criterion, 5 (our reading of it: contrast times the root of the counts in a square of the line's width)"
_COUNTING = "our reading: a detector that integrates adds to Poisson noise (DQE below 1: International Tables C, 7.2.2)"


class Quantity(NamedTuple):
    """One property of an image: its unit, the range of real images (None: open, or not stated) and who says so.

    The range is in units of another quantity of the same image, if ``times`` names one: each material has its own.
    """

    unit: str
    low: float | None
    high: float | None
    source: str
    times: str | None = None


QUANTITIES = {
    "line_stretches": Quantity("", None, None, "how many lines' width and contrast rest on; no range"),
    "xi_nm": Quantity("nm", None, None, "extinction distance of the material and reflection; no range"),
    "line_width_nm": Quantity("nm", 0.2, 0.5, _TWO_BEAMS, times="xi_nm"),
    "line_contrast": Quantity("", None, None, "no statement found"),
    "line_over_noise": Quantity("", 5.0, None, _ROSE),
    "grey_spread": Quantity("", None, None, "no statement found: depends on bending and grains"),
    "grey_skewness": Quantity("", None, None, "no statement found: below 0 for dark lines on bright ground"),
    "noise_over_poisson": Quantity("", 1.02, None, _COUNTING),
    "noise_slow_over_fast": Quantity("", None, None, "no statement found; above 1 where scan or current flicker"),
}


def look(truth: LineTruth, acquisition: Acquisition, view: int = 0) -> dict[str, float]:
    """What one view shows; NaN where it holds no straight, lone, visible stretch of line or no noise.

    Parameters
    ----------
    truth : LineTruth
        Where the lines are, and the expected counts.
    acquisition : Acquisition
        The images.
    view : int
        Which of them.

    Returns
    -------
    dict
        A number for each of `QUANTITIES`: median full width at half depth [nm] and depth over background of lines,
        depth over noise (`Rose`); standard deviation over mean and skewness of the counts; variance of the noise over
        that of Poisson; power of the noise along the slow scan over that along the fast one.
    """
    image, expected = (np.asarray(x[view], float) for x in (acquisition.views, truth.expected))
    profiles = line_profiles(truth, image, acquisition.pixel_nm, view)
    measured = np.array([m for p in profiles if (m := width_and_contrast(p, acquisition.pixel_nm)) is not None])
    width, contrast = np.median(measured, axis=0) if len(measured) else (np.nan, np.nan)
    counts = np.median(image) * (width / acquisition.pixel_nm) ** 2
    found = {
        "line_stretches": len(measured),
        "xi_nm": _extinction_nm(acquisition),
        "line_width_nm": width,
        "line_contrast": contrast,
        "line_over_noise": contrast * np.sqrt(counts),
        "grey_spread": image.std() / image.mean(),
        "grey_skewness": ((image - image.mean()) ** 3).mean() / max(image.std(), 1e-12) ** 3,
    }
    return {name: float(value) for name, value in (found | noise(image, expected)).items()}


def _extinction_nm(acquisition: Acquisition) -> float:
    if acquisition.material is None or acquisition.g is None or acquisition.energy_keV is None:
        return np.nan
    return load_material(acquisition.material).extinction_distances_nm(acquisition.g, acquisition.energy_keV)[0]


def noise(image: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Variance over Poisson's, and power of whole rows over that of whole columns: lines drawn by an unsteady scan."""
    left = (image - expected) / np.sqrt(np.maximum(expected, 1e-12))
    if not left.any():
        return {"noise_over_poisson": np.nan, "noise_slow_over_fast": np.nan}
    rows, columns = (left.mean(axis=axis).var() * left.shape[axis] for axis in (1, 0))
    return {"noise_over_poisson": left.var(), "noise_slow_over_fast": rows / columns}


def line_profiles(truth: LineTruth, image: np.ndarray, pixel_nm: float, view: int) -> list[np.ndarray]:
    """Mean profiles across straight, lone stretches of visible line, dark or bright, in steps of half a pixel."""
    from scipy.ndimage import map_coordinates
    from scipy.spatial import KDTree

    first, second = truth.network.ends_nm()
    every = KDTree(truth.project((first + second) / 2, view))
    across = np.arange(-_REACH_NM, _REACH_NM + 1e-9, pixel_nm / 2)
    profiles = []
    for chain in truth.network.chains(truth.visible):
        line = truth.project(chain, view)
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
        for start in np.arange(0, along[-1] - _STRETCH_NM, _STRETCH_NM):
            s = np.linspace(start, start + _STRETCH_NM, 25)
            points = np.stack([np.interp(s, along, x) for x in line.T], axis=1)
            chord = points[-1] - points[0]
            normal = np.array([-chord[1], chord[0]]) / max(np.linalg.norm(chord), 1e-9)
            own = int(((along > start - _REACH_NM) & (along < start + _STRETCH_NM + _REACH_NM)).sum())
            others = every.query_ball_point(points.mean(axis=0), _REACH_NM + _STRETCH_NM / 2, return_length=True) > own
            if others or np.abs((points - points[0]) @ normal).max() > _STRAIGHT_NM:
                continue
            at = (points[:, None] + across[:, None] * normal) / pixel_nm - 0.5
            if at.min() < 0 or (at.max(axis=(0, 1)) > np.array(image.shape[::-1]) - 1).any():
                continue
            profiles.append(map_coordinates(image, [at[..., 1], at[..., 0]], order=1).mean(axis=0))
    return profiles


def width_and_contrast(profile: np.ndarray, pixel_nm: float) -> tuple[float, float] | None:
    """Full width at half depth [nm] and depth over background of a dark line; None where there is none."""
    x = (np.arange(len(profile)) - len(profile) // 2) * pixel_nm / 2
    flank = np.abs(x) > _FLANK_NM
    background = np.polyval(np.polyfit(x[flank], profile[flank], 1), x)
    depth = 1 - profile / background
    near = np.flatnonzero(np.abs(x) < _NEAR_NM)
    top = near[np.argmax(depth[near])]
    if depth[top] < 5 * depth[flank].std():
        return None
    ends = []
    for side in (-1, 1):
        k = top
        while 0 < k < len(x) - 1 and depth[k] > depth[top] / 2:
            k += side
        inner = k - side
        rest = (depth[inner] - depth[top] / 2) / max(depth[inner] - depth[k], 1e-12)
        ends.append(x[inner] + side * rest * pixel_nm / 2)
    return float(ends[1] - ends[0]), float(depth[top])


def outside(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A sentence for each quantity that is out of its range in some image, with these images; by image as in `look`."""
    sentences = []
    for name, quantity in QUANTITIES.items():
        out = [cell(name, values) for values in found.values()]
        out = [f"{image} {text}" for (image, values), text in zip(found.items(), out) if is_outside(name, values)]
        if out:
            unit = f" {quantity.unit}" if quantity.unit and not quantity.times else ""
            sentences.append(f"`{name}`, {stated(quantity)}{unit} stated: {', '.join(out)}")
    return sentences


def is_outside(name: str, values: Mapping[str, float]) -> bool:
    """Whether a quantity of an image is out of its range; never without one, or where nothing was measured."""
    _, low, high, _, times = QUANTITIES[name]
    value, unit = values[name], values[times] if times else 1.0
    return bool((low is not None and value < low * unit) or (high is not None and value > high * unit))


def stated(quantity: Quantity, unit: float | None = None) -> str:
    """The range in words, or in numbers where the unit it is in is known."""
    if quantity.low is None:
        return "*none stated*"
    times, unit = (f" {quantity.times}" if quantity.times and unit is None else ""), unit or 1.0
    low = f"{quantity.low * unit:.3g}"
    return (f"≥ {low}" if quantity.high is None else f"{low} – {quantity.high * unit:.3g}") + times


def cell(name: str, values: Mapping[str, float]) -> str:
    """A quantity of an image, with its range where that is the image's own."""
    quantity = QUANTITIES[name]
    own = f" ({stated(quantity, values[quantity.times])})" if quantity.times and np.isfinite(values[name]) else ""
    return f"{values[name]:.3g}{own}"


def blind_table(found: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown: a row an image, a column a quantity, what is out of its range in bold; the sources below."""
    lines = [f"| image | {' | '.join(QUANTITIES)} |", "| --- |" + " --- |" * len(QUANTITIES)]
    lines.append(f"| *real images* | {' | '.join(map(stated, QUANTITIES.values()))} |")
    for image, values in found.items():
        cells = [f"**{cell(n, values)}**" if is_outside(n, values) else cell(n, values) for n in QUANTITIES]
        lines.append(f"| {image} | {' | '.join(cells)} |".replace("nan", "–"))
    sources = [f"- `{name}`: {q.source}." for name, q in QUANTITIES.items()]
    return "\n".join([*lines, "", *sources, ""])
