"""tomo-lines: the lines in a volume, moved to where the contours of all views show them."""

from __future__ import annotations

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.reconstruction import CurveSet
from veristem.recon.tomography import series
from veristem.recon.tomography.wbp import wbp


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
    voxel_nm: float | None = None,
) -> CurveSet:
    """Lines in 3D from the contours of all views.

    Parameters
    ----------
    acquisition, alignment, depth_margin_nm, depth_range_nm, scale_nm, voxel_nm
        As of `series.reconstruct`.
    contours : Contours or str, optional
        Lines of each view, or a way to find them, ``ridge`` or ``learned`` (if not given).

    Raises
    ------
    InputError
        As `series.reconstruct`.
    """
    found = series.reconstruct(
        acquisition,
        lambda projector, maps: wbp(projector, maps.grey, maps.inside, maps.slopes),
        alignment=alignment,
        contours=contours,
        volume=False,
        depth_margin_nm=depth_margin_nm,
        depth_range_nm=depth_range_nm,
        scale_nm=scale_nm,
        voxel_nm=voxel_nm,
        fitted=True,
    )
    assert isinstance(found, CurveSet)
    return found
