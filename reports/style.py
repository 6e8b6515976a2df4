"""Colours that all figures and scenes share: safe for colour-blind readers (Okabe and Ito's palette) and in print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from veristem.datasets import CurveSet

VISIBLE = "#0072B2"
INVISIBLE = "#E69F00"
TRUTH = "#8a8a8a"
FOUND, MISSED, FALSE = "#0072B2", "#E69F00", "#D55E00"  # particles
FOIL = "#666666"
MARKERS = "osD^vP*X"
METHODS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8a8a8a")
RESIDUAL_PX = 5.0  # where the colours of residuals end


@dataclass(frozen=True, eq=False)
class Shade:
    """Values that colour the vertices of curves.

    Parameters
    ----------
    values : tuple of (K,) float
        One value a vertex of each curve.
    label : str
        What the values are, with their unit.
    colours : matplotlib Colormap
        Perceptually uniform.
    limits : (float, float)
        Values of the first and the last colour.
    limit : float or None
        Of an error: a line in the scale, where it is within the colours.
    """

    values: tuple[np.ndarray, ...]
    label: str
    colours: Any
    limits: tuple[float, float]
    limit: float | None = None

    @property
    def marked(self) -> bool:
        """Whether there is a limit within the colours."""
        return self.limit is not None and self.limit <= self.limits[1]


def shade(
    curves: CurveSet, errors_nm, tolerance_nm: float, thickness_nm: float | None, residuals_px=None, limit_nm=None
) -> Shade:
    """Colours of a reconstruction: its error up to the tolerance; without a truth its residual, else its depth."""
    from matplotlib import colormaps

    if errors_nm is not None:
        return Shade(_below(errors_nm), "error (nm)", plasma(), (0.0, tolerance_nm), limit_nm)
    if residuals_px is not None:
        return Shade(_below(residuals_px), "residual (pixels)", plasma(), (0.0, RESIDUAL_PX))
    values = tuple(c[:, 2] for c in curves.curves_nm)
    deepest = thickness_nm or max((float(v.max()) for v in values), default=1.0)
    return Shade(values, "depth z (nm)", colormaps["viridis"], (0.0, max(deepest, 1e-9)))


def plasma():
    """The colours of errors: plasma without its pale end, which is lost on white paper."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["plasma"](np.linspace(0, 0.85, 256))).with_extremes(bad=TRUTH)


def _below(values) -> tuple[np.ndarray, ...]:
    return tuple(np.minimum(np.asarray(v, float), 1e6) for v in values)  # VTK draws no infinity


def spread(count: int) -> list:
    """``count`` colours in order of lightness, for lines whose order has a meaning."""
    from matplotlib import colormaps

    return [colormaps["viridis"](x) for x in np.linspace(0.0, 0.8, max(count, 1))]
