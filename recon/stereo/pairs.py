"""What methods for lines share: views made ready, and the contours of two of them matched."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import inverse, mapped
from veristem.datasets.intermediate import Alignment, Contours, Matches
from veristem.recon.contours import find_contours
from veristem.recon.contours.ridge import default_scale_nm
from veristem.recon.registration import align
from veristem.recon.stereo.bands import Bands
from veristem.recon.stereo.matching import epipolar_axes, match_contours
from veristem.recon.stereo.seeking import sought
from veristem.recon.stereo.triangulate import refine

FREE = 0.3  # of the thickness by which depths may seem off in views that were registered
_ENDS = (2.0, 98.0)  # per cent of the vertices that lie above the highest depth, and above the deepest


@dataclass(frozen=True, eq=False)
class Ready:
    """Views of lines whose places are known on the focus plane.

    Parameters
    ----------
    acquisition : Acquisition
        The views.
    alignment : Alignment
        Where they look from and where their images lie.
    free : bool
        Whether depths have no zero of their own: of views that were registered.
    scale_nm : float
        Half the width of a line's image [nm].
    depths_nm : (float, float)
        Where lines may be, below the focus plane [nm].
    """

    acquisition: Acquisition
    alignment: Alignment
    free: bool
    scale_nm: float
    depths_nm: tuple[float, float]

    def contours(self, given: Contours | str | None, other: str = "ridge") -> Contours:
        """Contours on the focus plane: those that are given, or found in the way that is named."""
        if given is None or isinstance(given, str):
            a = self.acquisition
            given = find_contours(given or other, a.views, a.pixel_nm, self.scale_nm)
        return on_focus_plane(given, self.alignment.to_image)

    def on_focus_plane(self, matches: Matches) -> Matches:
        """Matches without the foreshortening and the shift of the images."""
        if self.alignment.to_image is None:
            return matches
        back = [inverse(self.alignment.to_image[view]) for view in matches.views]
        places = (np.stack([mapped(p, b) for p, b in zip(curve, back)]) for curve in matches.places_nm)
        return replace(matches, places_nm=tuple(places))

    def matched(
        self, contours: Contours, pair: tuple[int, int], bands: bool = False, band_weights: str | None = None
    ) -> Matches:
        """Contours of two views matched, smoothed, and corrected by bands if asked for."""
        pixel, directions, scale = self.acquisition.pixel_nm, self.alignment.directions_rad, self.scale_nm
        epipolar, parallax = epipolar_axes(directions, pair)
        limits = self.disparities_nm(parallax)
        matches = refine(match_contours(contours, pair, epipolar, limits, pixel, scale), epipolar, scale)
        if not bands:
            return matches
        to_image = (None, None) if self.alignment.to_image is None else self.alignment.to_image[list(pair)]
        pictures = Bands([self.acquisition.views[view] for view in pair], pixel, scale, to_image)
        matches = pictures.corrected(matches, epipolar, band_weights)
        return sought(contours, matches, pictures, epipolar, limits, band_weights)

    def disparities_nm(self, parallax: float) -> tuple[float, float]:
        """The disparities that lines may have [nm], of the disparity per depth."""
        slack = 0.5 * self.acquisition.pixel_nm
        low, high = self.depths_nm
        return low * parallax - slack, high * parallax + slack

    def about(self, middle_nm: float) -> Ready:
        """The same, with lines about another depth below the entrance face [nm]."""
        assert self.acquisition.thickness_nm is not None
        low, high = (depth + middle_nm - self.acquisition.thickness_nm / 2 for depth in self.depths_nm)
        return replace(self, depths_nm=(low, high))

    def wider(self) -> Ready:
        """The same, with lines also where they seem to be in views that were registered."""
        more = FREE * (self.acquisition.thickness_nm or 0.0)
        return replace(self, depths_nm=(self.depths_nm[0] - more, self.depths_nm[1] + more))


def ready(
    acquisition: Acquisition,
    alignment: Alignment | None,
    scale_nm: float | None,
    depth_margin_nm: float,
    depth_range_nm: float,
    register: bool,
) -> Ready:
    """Views with what is known of them, of the parameters of `classical.reconstruct`.

    Raises
    ------
    InputError
        For a scale that cannot be.
    """
    free = False
    if alignment is None:
        alignment, free = align(acquisition, register)
    if scale_nm is None:
        scale_nm = default_scale_nm(acquisition.field_nm, acquisition.pixel_nm)
    if not 0 < scale_nm < (most := min(acquisition.field_nm)):
        raise InputError(f"scale_nm: {scale_nm:g} found, above 0 and below the field's {most:g} nm allowed")
    deep, focus = acquisition.thickness_nm, acquisition.focus_nm
    if deep is None:
        return Ready(acquisition, alignment, False, scale_nm, (-depth_range_nm / 2, depth_range_nm / 2))
    return Ready(acquisition, alignment, free, scale_nm, (-focus - depth_margin_nm, deep - focus + depth_margin_nm))


def on_focus_plane(contours: Contours, to_image: np.ndarray | None) -> Contours:
    """Contours without the foreshortening and the shift of their images (V, 2, 3); their errors stay the image's."""
    if to_image is None:
        return contours
    by_view = zip(contours.curves_nm, map(inverse, to_image))
    return replace(contours, curves_nm=tuple(tuple(mapped(curve, back) for curve in view) for view, back in by_view))


def middle_nm(curves, deep: float, margin_nm: float) -> float:
    """Depth of the middle of a foil that holds most of the curves, which end on its faces, and seem to lie near it."""
    if not curves:
        return deep / 2
    depths = np.concatenate([curve[:, 2] for curve in curves])
    middles = deep * np.linspace(0.5 - FREE, 0.5 + FREE, 61)
    held = np.abs(depths - middles[:, None]) < deep / 2 + margin_nm
    best = held[(held.sum(axis=1) * np.exp(-((middles / deep - 0.5) ** 2))).argmax()]
    return float(np.percentile(depths[best], _ENDS).mean()) if best.any() else deep / 2


def in_the_middle(curves, deep: float, margin_nm: float) -> list[np.ndarray]:
    """Curves (K, 3) moved so that the foil which seems to hold most of them has its middle at half its thickness."""
    down = np.array([0.0, 0.0, deep / 2 - middle_nm(curves, deep, margin_nm)])
    return [curve + down for curve in curves]
