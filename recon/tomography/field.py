"""field-absorption: a neural field that takes what each view shows of lines for absorption along its rays.

A small network tells the density at every place, from sines of its coordinates, and is trained on the views of one
specimen alone until the integrals along their rays are what the views gathered; lines are those of its volume. That is
what neural surfaces and radiance fields do with photographs (Mildenhall et al., ECCV 2020; Wang et al., NeuS, NeurIPS
2021), with absorption in the place of colour. A baseline: dislocations are no absorbers.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Alignment, Contours
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.volume import Volume
from veristem.recon.tomography import series
from veristem.recon.tomography.projector import Projector

STEPS, MOST_STEPS = 600, 100_000
_SLICES = 4  # of a step
_OCTAVES = 7  # of the sines, from the longest side of the volume on
_WIDTH, _LAYERS = 64, 3
_RATE = 3e-3  # of Adam, to a hundredth of it by half a cosine
_FAINT = 1e-2  # density to begin with


def reconstruct(
    acquisition: Acquisition,
    *,
    alignment: Alignment | None = None,
    contours: Contours | str | None = None,
    volume: bool = False,
    steps: int = STEPS,
    seed: int = 0,
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
        Of the training, each by a few slices.
    seed : int
        Of the network and of the order of slices.

    Raises
    ------
    InputError
        As `series.reconstruct`, without PyTorch, and for fewer than one step.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise InputError(f"steps: {steps} found, 1 to {MOST_STEPS} allowed")
    _torch()
    return series.reconstruct(
        acquisition,
        lambda projector, maps: field(projector, maps.grey, maps.inside, steps, seed),
        alignment=alignment,
        contours=contours,
        volume=volume,
        depth_margin_nm=depth_margin_nm,
        depth_range_nm=depth_range_nm,
        scale_nm=scale_nm,
        voxel_nm=voxel_nm,
    )


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise InputError(
            "field-absorption: PyTorch is not installed, which trains its network; pip install 'veristem[learn]'"
        ) from None
    return torch


def field(projector: Projector, maps: np.ndarray, inside: np.ndarray, steps: int = STEPS, seed: int = 0) -> np.ndarray:
    """Slices (R, Z, C) of the density whose integrals along the rays come near the maps, as the network has it.

    The mean square of the difference is made least by Adam.

    Parameters
    ----------
    projector : Projector
        Of the views.
    maps : (V, R, C) float
        What the rays gathered.
    inside : (V, R, C) bool
        Which of them are known.
    steps, seed : int
        As of `reconstruct`.
    """
    torch = _torch()
    rows, (_, columns, layers) = maps.shape[1], projector.shape
    random = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(random.integers(2**31)))
        network = _network(torch)
    sums = projector.forth.tocoo()
    where = torch.from_numpy(np.stack([sums.row, sums.col]).astype(np.int64))
    forth = torch.sparse_coo_tensor(where, torch.from_numpy(sums.data), sums.shape, check_invariants=False).coalesce()
    known, given = (
        torch.from_numpy(np.moveaxis(part, 1, 2).reshape(-1, rows).astype(np.float32)) for part in (inside, maps)
    )
    side = max(rows, columns, layers)
    x, z = ((torch.arange(n) - (n - 1) / 2) / side for n in (columns, layers))
    y = (torch.arange(rows) - (rows - 1) / 2) / side
    clear = 1 / (layers * projector.voxel)  # density 1 all along a ray is contrast 1

    def density(some: Any) -> Any:
        """(Z C, S) of some slices."""
        at = torch.stack(torch.meshgrid(z, x, y[some], indexing="ij"), dim=-1)
        return torch.nn.functional.softplus(network(_sines(torch, at))[..., 0]).reshape(layers * columns, -1) * clear

    adam = torch.optim.Adam(network.parameters(), _RATE)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps, _RATE / 100)
    for _ in range(steps):
        some = torch.from_numpy(random.choice(rows, min(_SLICES, rows), replace=False))
        off = (forth @ density(some) - given[:, some]) * known[:, some]
        loss = (off**2).sum() / known[:, some].sum().clamp(min=1)
        adam.zero_grad()
        loss.backward()
        adam.step()
        slower.step()
    with torch.no_grad():
        found = [density(torch.arange(row, min(row + _SLICES, rows))) for row in range(0, rows, _SLICES)]
    return np.moveaxis(torch.cat(found, dim=1).numpy().reshape(layers, columns, rows), 2, 0)


def _sines(torch: Any, at: Any) -> Any:
    """(..., 3 + 6 octaves): coordinates, their sines and cosines at wavelengths that halve."""
    waves = 2 * np.pi * 2.0 ** torch.arange(_OCTAVES)
    phases = (at[..., None] * waves).flatten(-2)
    return torch.cat([at, phases.sin(), phases.cos()], dim=-1)


def _network(torch: Any) -> Any:
    """Layers of one width, and a density that is faint to begin with."""
    widths = [3 + 6 * _OCTAVES] + [_WIDTH] * _LAYERS
    layers = [m for a, b in itertools.pairwise(widths) for m in (torch.nn.Linear(a, b), torch.nn.ReLU())]
    last = torch.nn.Linear(_WIDTH, 1)
    torch.nn.init.constant_(last.bias, float(np.log(np.expm1(_FAINT))))
    return torch.nn.Sequential(*layers, last)
