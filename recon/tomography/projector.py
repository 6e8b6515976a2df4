"""What parallel rays gather on their way through a slice: one sparse matrix for all slices along the tilt axis.

On the focus plane a view shows each layer of the specimen, whole and unstretched, but moved against the direction of
its rays (`geometry.project`): so a projection is a sum of moved layers, whatever the tilt.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_matrix

from veristem.datasets.errors import InputError

_BLOCK = 32  # slices that are worked on together, so that they stay in the cache
_THREADS = 2
_MOST = 2**31 - 1  # elements of a matrix


class Projector:
    """Sums along the rays of all views through slices (depth, column), and back.

    Parameters
    ----------
    slopes : (V,) float
        How far the rays of each view go along x per unit of depth.
    columns : int
        Voxels of a slice along x, and as many rays of each view, which cross the focus plane in their middles.
    depths : (Z,) float
        Of the layers, below the focus plane [voxels].
    voxel : float
        Side of a voxel [nm]: sums are integrals along rays, in value times nm.

    Raises
    ------
    InputError
        When the matrix would be too large.
    """

    def __init__(self, slopes: np.ndarray, columns: int, depths: np.ndarray, voxel: float = 1.0):
        views, layers = len(slopes), len(depths)
        if 2 * views * layers * columns > _MOST:
            raise InputError(
                f"views: {views} through {layers} x {columns} voxels a slice found, too many for a matrix; choose a "
                "larger `voxel_nm` or a smaller `depth_range_nm`"
            )
        self.shape, self.voxel = (views, columns, layers), voxel
        moved = np.arange(columns) - np.multiply.outer(slopes, depths)[..., None]  # view, layer, column
        low = np.floor(moved).astype(np.int32)
        part = (moved - low).astype(np.float32)
        length = (voxel * np.sqrt(1 + np.asarray(slopes) ** 2)).astype(np.float32)[:, None, None]
        ray = low + (columns * np.arange(views, dtype=np.int32))[:, None, None]
        voxels = np.broadcast_to(np.arange(layers * columns, dtype=np.int32).reshape(layers, columns), low.shape)
        kept = [(low + step >= 0) & (low + step < columns) for step in (0, 1)]
        weights = [((1 - part) * length)[kept[0]], (part * length)[kept[1]]]
        rays = [ray[kept[0]], ray[kept[1]] + 1]
        where = np.concatenate(rays), np.concatenate([voxels[k] for k in kept])
        size = views * columns, layers * columns
        self.forth = csr_matrix((np.concatenate(weights), where), size)
        self.back = self.forth.T.tocsr()

    def each(self, solve, maps: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Slices (R, Z, C) of what ``solve`` finds from maps (V, R, C) and where they are known (V, R, C).

        ``solve`` gets a block of rows as (rays, rows), twice, and returns (voxels, rows); each row is a slice.
        """
        views, columns, layers = self.shape
        rows = maps.shape[1]
        volume = np.empty((rows, layers, columns), np.float32)

        def work(start: int) -> None:
            block = slice(start, start + _BLOCK)
            given, known = (
                np.ascontiguousarray(np.moveaxis(of[:, block], 1, 2), np.float32).reshape(views * columns, -1)
                for of in (maps, inside)
            )
            volume[block] = solve(given, known).T.reshape(-1, layers, columns)

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(work, range(0, rows, _BLOCK)))
        return volume
