"""stereo-learned: contours of a network that was trained on simulated images, matched as in stereo-classical, and
corrected by a second one that looks at both images along them."""

from __future__ import annotations

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.intermediate import Alignment, Contours, Matches
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.contours import learned
from veristem.recon.stereo import classical


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | None = None,
    matches: Matches | None = None,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
    weights: str | None = None,
    register: bool = False,
    bands: bool = True,
    band_weights: str | None = None,
) -> CurveSet:
    """Curves in 3D from the pair of views with the largest angle between them.

    Parameters
    ----------
    acquisition, alignment, contours, matches, depth_margin_nm, depth_range_nm, scale_nm, register, bands, band_weights
        As of `classical.reconstruct`.
    weights : path, optional
        A .onnx file of `veristem train contours`; those of the package if not given.

    Raises
    ------
    InputError
        As `classical.reconstruct`, and for weights that cannot be used.
    """
    if contours is None and matches is None:
        contours = learned.learned_contours(acquisition.views, acquisition.pixel_nm, scale_nm, weights)
    return classical.reconstruct(
        acquisition, alignment=alignment, contours=contours, matches=matches, depth_margin_nm=depth_margin_nm,
        depth_range_nm=depth_range_nm, scale_nm=scale_nm, register=register, bands=bands, band_weights=band_weights,
    )  # fmt: skip
