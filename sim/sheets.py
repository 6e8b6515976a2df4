"""Planar faults of a foil on the voxels of its strain: a sheet across which the crystal is shifted by R.

A shift R across a sheet with unit normal n is a distortion R n_j delta(distance to the sheet), so that a ray that
crosses it gains the phase 2 pi g·R, as in `contrast.faults`, from whatever side and at whatever angle. Sheets are as
sharp as a voxel, which does for the ribbon between two partials; a wide inclined fault would lose contrast (a tenth of
the fringes in slices of 1 nm). Boundaries of regions are therefore exact, `grains.faults`.
"""

from __future__ import annotations

import numba
import numpy as np

_FINE = 0.35  # of the smallest side of a voxel: distance of the points that stand for a sheet


def add_sheets(voxels: np.ndarray, triangles_nm, turns, corner_xyz_nm, step_zyx_nm) -> None:
    """Add the phase jumps of triangles to voxels (3, nz, ny, nx) of g·U_x, g·U_y, g·U_z [1/nm].

    Parameters
    ----------
    voxels : (3, nz, ny, nx) float32
        Changed in place; what lies outside is left out.
    triangles_nm : (T, 3, 3) float
        Corners, counter-clockwise as seen from the side that their normal points to [nm].
    turns : (T,) float
        g·R of each, R the shift of the side to which the normal points less that of the other; whole turns vanish.
    corner_xyz_nm, step_zyx_nm : (3,) float
        Corner of the first voxel and size of a voxel [nm].
    """
    turns = np.asarray(turns, float)
    turns = turns - np.rint(turns)
    seen = np.abs(turns) > 1e-6
    if seen.any():
        triangles = np.ascontiguousarray(np.asarray(triangles_nm, float)[seen])
        _splat(voxels, triangles, turns[seen], np.asarray(corner_xyz_nm, float), np.asarray(step_zyx_nm, float))


@numba.njit(cache=True)
def _splat(voxels, triangles, turns, corner, step):
    """Share the area of each triangle out to the four columns about each of its points, in one slice."""
    _, nz, ny, nx = voxels.shape
    volume = step[0] * step[1] * step[2]
    fine = _FINE * min(step[0], step[1], step[2])
    for t in range(len(triangles)):
        a = triangles[t, 0]
        u, v = triangles[t, 1] - a, triangles[t, 2] - a
        area = 0.5 * np.cross(u, v)  # along the normal
        count = int(np.ceil(np.sqrt(max((u * u).sum(), (v * v).sum(), ((u - v) ** 2).sum())) / fine))
        weight = turns[t] * area / (count * count * volume)
        for i in range(count):
            for j in range(2 * (count - i) - 1):  # the triangles of row i, upright ones and those upside down
                third = (1.0 + j % 2) / 3
                point = a + ((i + third) * u + (j // 2 + third) * v) / count
                k = int(np.floor((point[2] - corner[2]) / step[0]))
                y = (point[1] - corner[1]) / step[1] - 0.5
                x = (point[0] - corner[0]) / step[2] - 0.5
                j0, i0 = int(np.floor(y)), int(np.floor(x))
                for dj in range(2):
                    for di in range(2):
                        if 0 <= k < nz and 0 <= j0 + dj < ny and 0 <= i0 + di < nx:
                            w = (1 - abs(y - j0 - dj)) * (1 - abs(x - i0 - di))
                            for c in range(3):
                                voxels[c, k, j0 + dj, i0 + di] += w * weight[c]
