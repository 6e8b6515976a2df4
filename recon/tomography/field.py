"""field-absorption: a field of contrast whose line integrals come near the views, by gradient descent; lines in it."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.volume import Volume
from veristem.recon.tomography import series
from veristem.recon.tomography.projector import Projector

STEPS = 60
MOST_STEPS = 10_000
LEVELS = (1, 2, 4)  # voxels between the nodes of each grid
_RATE = 0.1  # of Adam
_FIRST = -5.0  # of the sum of the grids: nearly nothing anywhere


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    volume: bool = False,
    steps: int = STEPS,
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
    steps : int
        Of the descent.

    Raises
    ------
    InputError
        As `series.reconstruct`, for fewer than one step, and without PyTorch.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise InputError(f"steps: {steps} found, 1 to {MOST_STEPS} allowed")
    if find_spec("torch") is None:
        raise InputError("field-absorption: no torch found, which it needs; `pip install veristem[learn]` brings it")
    return series.reconstruct(
        acquisition,
        lambda projector, maps: fit(projector, maps.grey, maps.inside, steps),
        alignment=alignment,
        contours=contours,
        volume=volume,
        depth_margin_nm=depth_margin_nm,
        depth_range_nm=depth_range_nm,
        scale_nm=scale_nm,
        voxel_nm=voxel_nm,
    )


def fit(projector: Projector, maps: np.ndarray, inside: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Slices (R, Z, C) of a field whose line integrals come near the maps of the views.

    The field is a softplus of the sum of grids, each between its nodes linear, so it is nowhere below zero and what is
    large is found first (direct voxel grids: Sun, Sun & Chen, CVPR 2022). Its squared distance from the known rays
    falls by Adam (Kingma & Ba, ICLR 2015). It knows of absorption alone: no diffraction, and no lines.

    Parameters
    ----------
    projector : Projector
        Of the views.
    maps : (V, R, C) float
        What the rays gathered.
    inside : (V, R, C) bool
        Which of them are known.
    steps : int
        Of the descent.
    """
    import torch
    from torch.nn.functional import interpolate, softplus

    views, columns, layers = projector.shape
    rows = maps.shape[1]
    given, known = (
        np.ascontiguousarray(np.moveaxis(of, 1, 2), np.float32).reshape(views * columns, rows) for of in (maps, inside)
    )
    size = layers, rows, columns
    grids = [torch.zeros([1, 1, *(-(-n // level) for n in size)], requires_grad=True) for level in LEVELS]
    unit = 1 / (projector.voxel * layers)  # of the field: a ray through it all gathers about 1
    adam = torch.optim.Adam(grids, _RATE)

    def field() -> torch.Tensor:
        finer = [interpolate(grid, size, mode="trilinear", align_corners=True)[0, 0] for grid in grids]
        return unit * softplus(_FIRST + torch.stack(finer).sum(dim=0))

    for _ in range(steps):
        adam.zero_grad()
        made = field()
        values = made.detach().numpy().transpose(0, 2, 1).reshape(layers * columns, rows)
        off = known * (projector.forth @ values - given)
        slope = (projector.back @ off).reshape(layers, columns, rows).transpose(0, 2, 1)
        made.backward(torch.from_numpy(np.ascontiguousarray(slope, np.float32)))
        adam.step()
    with torch.no_grad():
        return np.ascontiguousarray(field().numpy().transpose(1, 0, 2))
