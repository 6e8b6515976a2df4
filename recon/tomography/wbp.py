"""tomo-wbp: weighted back projection, and the lines in it."""

from __future__ import annotations

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.volume import Volume
from veristem.recon.tomography import series
from veristem.recon.tomography.weighted import wbp


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    volume: bool = False,
    depth_margin_nm: float = 20.0,
    depth_range_nm: float = 500.0,
    scale_nm: float | None = None,
    voxel_nm: float | None = None,
) -> CurveSet | Volume:
    """Lines in 3D from all views, or the volume itself.

    Parameters
    ----------
    acquisition, alignment, contours, volume, depth_margin_nm, depth_range_nm, scale_nm, voxel_nm
        As of `series.reconstruct`.

    Raises
    ------
    InputError
        As `series.reconstruct`.
    """
    return series.reconstruct(
        acquisition,
        lambda projector, maps: wbp(projector, maps.grey, maps.inside, maps.slopes),
        alignment=alignment,
        contours=contours,
        volume=volume,
        depth_margin_nm=depth_margin_nm,
        depth_range_nm=depth_range_nm,
        scale_nm=scale_nm,
        voxel_nm=voxel_nm,
    )
