"""lines-fitted: lines as cubic B-splines in space, fitted to the images of all views themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from veristem.datasets import formats
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import widest_pair
from veristem.datasets.intermediate import Alignment
from veristem.datasets.polyline import arc_length, between, length, resample
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.fitted.fit import KNOT_NM, Fit, seen_of
from veristem.recon.fitted.images import Images
from veristem.recon.fitted.profiles import profiles_of
from veristem.recon.fitted.spline import Spline
from veristem.recon.stereo import learned, multiview
from veristem.recon.stereo.pairs import FREE, Ready, in_the_middle, ready

_ROUNDS = 2  # of shapes from curves and curves from shapes; symmetric ones in the first
_UNKNOWN_NM = 6.0  # standard deviation of the depth of a start that tells none
_SURE = 2.0  # gain of a line, smoothed over a scale, above which it is shown
_GAP = 5.0  # length that is not shown which divides a curve, in scales
_SHORTEST = 3.5  # curve that is kept, in scales
_MARGIN_NM = 20.0  # how far beyond the foil lines are looked for
_RANGE_NM = 500.0  # depths of lines where the thickness is not known


class Line(NamedTuple):
    """A curve (K, 3) and the standard deviation (K,) of its depth [nm]."""

    curve: np.ndarray
    sigma: np.ndarray

    def part(self, piece: slice) -> Line:
        """Some of its vertices."""
        return Line(self.curve[piece], self.sigma[piece])


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    start: CurveSet | str | None = None,
    scale_nm: float | None = None,
    register: bool = False,
) -> CurveSet:
    """Curves in 3D from all views.

    Parameters
    ----------
    acquisition : Acquisition
        At least two views.
    alignment, scale_nm, register
        As of `classical.reconstruct`.
    start : CurveSet or path, optional
        Curves to begin with, or a file of such; if not given, those of `stereo-learned`, or of `lines-multiview` with
        more than two views.

    Raises
    ------
    InputError
        As `classical.reconstruct`; for a file that cannot be read, or a start without any curve in the field.
    """
    views = ready(acquisition, alignment, scale_nm, _MARGIN_NM, _RANGE_NM, register)
    widest_pair(views.alignment.directions_rad)  # refuses views without parallax
    begin = start if isinstance(start, CurveSet) else _start(views, start)
    images = Images(acquisition, views.alignment, views.scale_nm)
    found = fitted(images, begin)
    curves = [line.curve for line in found]
    if views.free and acquisition.thickness_nm is not None:
        curves = in_the_middle(curves, acquisition.thickness_nm, _MARGIN_NM)
    return CurveSet(tuple(curves), tuple(line.sigma for line in found), begin.crystal_from_specimen)


def _start(views: Ready, file: str | None) -> CurveSet:
    """The curves of a file; without one those of our methods, whose depths have the zero of the alignment."""
    if file is not None:
        return formats.read(str(file), CurveSet)
    method = learned.reconstruct if len(views.acquisition.views) == 2 else multiview.reconstruct
    margin = _MARGIN_NM + (FREE * (views.acquisition.thickness_nm or 0.0) if views.free else 0.0)
    return method(views.acquisition, alignment=views.alignment, scale_nm=views.scale_nm, depth_margin_nm=margin)


def fitted(images: Images, start: CurveSet) -> list[Line]:
    """The lines of a start where the images show them; pieces that they do not show are left out."""
    lines = [
        Line(curve, np.where(np.isfinite(sigma) & (sigma > 0), sigma, _UNKNOWN_NM))
        for curve, sigma in zip(start.curves_nm, start.sigma_nm)
        if length(curve) >= _SHORTEST * images.scale
    ]
    found = list(lines)
    for turn in range(_ROUNDS):
        if not lines:
            break
        curves = [line.curve for line in found]
        profiles = profiles_of(_bands(images, curves), images.across, images.taper, odd=turn > 0)
        seen = seen_of(curves, images)
        both = []
        for number, line in enumerate(lines):
            fit = Fit(images, profiles, line.curve, line.sigma, _others(seen, number, images.bands.step))
            one = fit.run()
            at = fit.spline.at
            before = Line(
                between(line.curve, arc_length(line.curve), at), np.interp(at, arc_length(line.curve), line.sigma)
            )
            after = Line(one.curve, one.sigma) if one.held else before
            both += [(before.part(piece), after.part(piece)) for piece in _shown(one.gain, images)]
        lines, found = [before for before, _ in both], [after for _, after in both]
    return found


def _shown(gain: np.ndarray, images: Images) -> list[slice]:
    """Pieces of a curve along which the images show a line, of gains (S,) at its sites."""
    scale = images.scale / images.bands.step
    shown = np.flatnonzero(gaussian_filter1d(gain, scale, mode="nearest") > _SURE)
    runs = np.split(shown, np.flatnonzero(np.diff(shown) > _GAP * scale) + 1)
    return [slice(run[0], run[-1] + 1) for run in runs if len(run) and run[-1] - run[0] >= _SHORTEST * scale]


def _bands(images: Images, curves: Sequence[np.ndarray]) -> np.ndarray:
    """Grey levels (N, U) across the curves at all sites that a view shows.

    Raises
    ------
    InputError
        When no view shows any.
    """
    shown = []
    for curve in curves:
        seen = images.straightened(Spline(curve, images.bands.step, KNOT_NM).sites)
        shown.append(np.moveaxis(seen.values, 1, 2)[seen.weights.any(axis=1)])
    bands = np.concatenate(shown)
    if not len(bands):
        x, y = images.field
        raise InputError(f"start: no curve within the field of {x:g} x {y:g} nm found, at least one allowed")
    return bands


def _others(seen: list[list[np.ndarray]], number: int, step: float) -> list[np.ndarray]:
    """Places (N, 2) of all curves but one in every view, a step apart."""
    return [
        np.concatenate(
            [np.zeros((0, 2)), *(resample(c, np.zeros(len(c)), step)[0] for n, c in enumerate(view) if n != number)]
        )
        for view in seen
    ]
