"""Words, units and numbers as people read them: "dwell time 10 µs" for ``scan.dwell_us``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.geometry import pair_angle_rad, widest_pair

_UNITS = {
    "deg": "deg", "us": "µs", "nm": "nm", "mrad": "mrad", "nA": "nA", "keV": "keV", "per_m2": "m⁻²",
    "mg_per_ml": "mg/ml", "kT": "kT", "mm": "mm", "nm_per_s": "nm/s", "px": "px",
}  # fmt: skip
_NAMES = {
    "name": "kind", "pair_angle": "stereo angle", "radius": "detector radius", "dwell": "dwell time",
    "pixel": "pixel size",
    "thickness": "specimen thickness", "density": "line density", "current": "beam current", "energy": "beam energy",
    "convergence": "convergence semi-angle", "inner": "inner detector radius", "outer": "outer detector radius",
    "generator": "arrangement", "diameter": "particle diameter", "spread": "relative spread of diameters",
    "shell": "shell thickness", "wedge": "wedge angle", "range": "range of attraction", "shortest": "shortest chain",
    "longest": "longest chain", "bend": "largest bend",
    "line_cnr": "contrast-to-noise of lines", "camera_length": "camera length", "tilts": "tilts",
    "tilt_off_bragg": "tilt off the Bragg angle", "C10": "defocus C1",
    "f_score": "F", "depth_rmse": "depth RMSE", "lateral_rmse": "lateral RMSE", "hausdorff": "Hausdorff distance",
    "hausdorff95": "Hausdorff 95 %", "tangent_error": "tangent error",
    "cldice": "clDice", "epe": "EPE", "bad1": "bad-1", "bad3": "bad-3", "bad5": "bad-5",
    "apls": "APLS", "betti0_error": "Betti-0 error", "betti1_error": "Betti-1 error", "chamfer": "Chamfer distance",
    "count_truth": "number of true particles", "count_found": "number found",
    "depth_rmse_nm_over_limit": "depth RMSE / limit", "lateral_rmse_nm_over_limit": "lateral RMSE / limit",
    "depth_rmse_nm_over_parallax_limit": "depth RMSE / parallax limit", "f_score_at_3_limits": "F at 3 limits",
    "f_score_at_20nm": "F at 20 nm",
    "depth_sigma_over_limit": "depth scatter / limit", "depth_sigma_over_limit_low": "its interval from",
    "depth_sigma_over_limit_high": "to",
}  # fmt: skip


def label(path: str) -> str:
    """Words and unit of a dotted recipe path or a score: ``scan.dwell_us`` is "dwell time (µs)"."""
    words, unit = parts(path)
    return f"{words} ({unit})" if unit else words


def parts(path: str) -> tuple[str, str]:
    """Words and unit of a dotted recipe path or a score; the unit is empty when there is none."""
    key = path.rsplit(".", 1)[-1]
    for suffix, angle in (("_psi_above_25", "ψ\u00a0>\u00a025°"), ("_psi_below_25", "ψ\u00a0≤\u00a025°")):
        if key.endswith(suffix):
            words, unit = parts(key.removesuffix(suffix))
            return f"{words}, {angle}", unit
    for suffix, unit in _UNITS.items():
        if key.endswith("_" + suffix):
            name = key.removesuffix("_" + suffix)
            return _NAMES.get(name, name.replace("_", " ")), unit
    return _NAMES.get(key, key.replace("_", " ")), ""


def value_text(value: Any) -> str:
    """A value of a condition: numbers without needless digits, a table (as JSON) by its kind and its keys."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        given = json.loads(value)
        if isinstance(given, list):
            return " ".join(value_text(one) for one in given)
        return ", ".join(filter(None, (given.pop("kind", None) or given.pop("preset", None), conditions_text(given))))
    return f"{value:g}" if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else str(value)


def conditions_text(conditions: dict[str, Any]) -> str:
    """Conditions in words: "stereo angle 8°, dwell time 10 µs"."""
    texts = []
    for path, value in conditions.items():
        words, unit = parts(path)
        text = value_text(value)
        texts.append(f"{words} {text}°" if unit == "deg" else f"{words} {text} {unit}".rstrip())
    return ", ".join(texts)


def views_text(directions_rad: np.ndarray) -> str:
    """Mean directions (V, 2) [rad] of the views and the angle of the widest pair, in one line."""
    places = [f"({x:.1f}, {y:.1f})".replace("-0.0", "0.0") for x, y in 1e3 * np.asarray(directions_rad)]
    if len(places) > 16:
        places = [places[0], "…", places[-1]]
    text = f"{counted(len(directions_rad), 'view')}, nominal mean direction {' '.join(places)} mrad"
    if len(directions_rad) < 2:
        return text
    i, j = widest_pair(directions_rad)
    angle = np.degrees(pair_angle_rad(directions_rad[i], directions_rad[j]))
    return f"{text}; widest pair: {i} and {j}, {angle:.2f}°"


def number(value: float | None) -> str:
    """Three digits, with a true minus; a dash where there is no value."""
    if value is None or not np.isfinite(value):
        return "–"
    return (f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}").replace("-", "−")


def fixed(value: float, score: str) -> str:
    """A score with the digits that mean something: two after the point without a unit, one with, two of a small one."""
    if not np.isfinite(value):
        return "–"
    if not parts(score)[1]:
        text = f"{value:.2f}"
    else:
        text = f"{value:.2g}" if 0.001 <= abs(value) < 0.95 else f"{value:.1f}"
    return text.replace("-", "−")


def percent(share: float | None) -> str:
    """A share: "93 %"; a dash where there is no value."""
    return "–" if share is None or not np.isfinite(share) else f"{100 * share:.0f} %"


def with_interval(mean: float, low: float, high: float, score: str) -> str:
    """A mean and its interval: "4.1 (3.0 to 5.3)"."""
    text = fixed(mean, score)
    return f"{text} ({fixed(low, score)} to {fixed(high, score)})" if np.isfinite(low) else text


def counted(count: int, thing: str) -> str:
    """A number and its noun: "1 run", "5,000 runs"."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def dose_numbers(acquisition: Acquisition) -> list[tuple[str, str]]:
    """Incident electrons per pixel and view, as a value and its name; nothing where they are not known."""
    if acquisition.electrons_per_pixel is None:
        return []
    dose = float(np.mean(acquisition.electrons_per_pixel))
    name = "incident electrons per pixel" + ("" if len(acquisition.views) == 1 else " in each view, on average")
    return [(f"{dose:,.0f}" if dose >= 10 else f"{dose:.2g}", name)]


def box_words(scene, thing: str) -> str:
    """The box of a 3D picture of a "foil" or "film": its size, and what is not known of it."""
    width, height, thickness = (f"{length:.4g}" for length in scene.size_nm)
    if scene.knows_thickness:
        return f"in a {thing} of {width} × {height} nm, {thickness} nm thick"
    return f"in a box as wide as the images, {width} × {height} nm; the thickness of the {thing} is not known"
