"""What the defects do along the rays of one direction: one ray a pixel, and more in the pixels that hold lines."""

from __future__ import annotations

import numba
import numpy as np

from veristem.sim.elasticity.octaves import check_memory
from veristem.sim.elasticity.voxels import Strain

_PANEL_NM = 0.7  # a pixel near a line has a ray in each, along x and y


@numba.njit(cache=True)
def _taps(shift):
    """Whole part of a shift, and the four weights of cubic (Lagrange) interpolation for the rest."""
    whole = int(np.floor(shift))
    f = shift - whole
    weights = np.array(
        [
            -f * (f - 1) * (f - 2) / 6,
            (f + 1) * (f - 1) * (f - 2) / 2,
            -(f + 1) * f * (f - 2) / 2,
            (f + 1) * f * (f - 1) / 6,
        ]
    )
    return whole, weights


@numba.njit(cache=True, parallel=True)
def _gather(voxels, tan_x, tan_y, shifts_x, shifts_y, margin, out, pixels, nodes, close):
    """beta of one ray a pixel, cubic, and of several of some pixels, at ``nodes`` along x and y, linear in voxels."""
    slices, rows, columns = out.shape
    for z in numba.prange(slices):
        plane = voxels[2, z] + tan_x * voxels[0, z] + tan_y * voxels[1, z]
        ix, wx = _taps(shifts_x[z])
        iy, wy = _taps(shifts_y[z])
        a0, a1, a2, a3 = wy.astype(np.float32)
        b0, b1, b2, b3 = wx.astype(np.float32)
        left = margin + ix - 1
        for j in range(rows):
            row = j + margin + iy - 1
            line = a0 * plane[row] + a1 * plane[row + 1] + a2 * plane[row + 2] + a3 * plane[row + 3]
            for i in range(columns):
                k = i + left
                out[z, j, i] = b0 * line[k] + b1 * line[k + 1] + b2 * line[k + 2] + b3 * line[k + 3]
        for v in range(len(nodes)):
            y = shifts_y[z] + nodes[v] + margin
            iy = int(np.floor(y))
            fy = np.float32(y - iy)
            for u in range(len(nodes)):
                x = shifts_x[z] + nodes[u] + margin
                ix = int(np.floor(x))
                fx = np.float32(x - ix)
                for n in range(len(pixels)):
                    j, i = pixels[n, 0] + iy, pixels[n, 1] + ix
                    low = plane[j, i] + fx * (plane[j, i + 1] - plane[j, i])
                    high = plane[j + 1, i] + fx * (plane[j + 1, i + 1] - plane[j + 1, i])
                    close[z, n, v * len(nodes) + u] = low + fy * (high - low)


@numba.njit(cache=True)
def _meets(shift, margin, node, f):
    """Pixels from the one whose ray at ``node`` meets a voxel to that voxel, and where in it, counted in parts."""
    at = shift + margin + node + 0.5 - 0.5 / f
    whole = int(np.floor(at))
    return whole, (at - whole) * f


@numba.njit(cache=True)
def _mark(places, f, shifts_x, shifts_y, margin, nodes, out):
    """Mark the pixels (rows, columns) that have rays through divided voxels."""
    rows, columns = out.shape
    for m in range(len(places)):
        z = places[m, 0]
        for v in range(len(nodes)):
            j = places[m, 1] - _meets(shifts_y[z], margin, nodes[v], f)[0]
            for u in range(len(nodes)):
                i = places[m, 2] - _meets(shifts_x[z], margin, nodes[u], f)[0]
                if 0 <= j < rows and 0 <= i < columns:
                    out[j, i] = True


@numba.njit(cache=True, parallel=True)
def _replace(places, parts, number, tan_x, tan_y, shifts_x, shifts_y, margin, nodes, close):
    """Put the parts of divided voxels in their rays, linear between them; no two voxels share a ray and slice."""
    f = parts.shape[2] - 1
    rows, columns = number.shape
    for m in numba.prange(len(places)):
        z = places[m, 0]
        part = parts[m, 2] + tan_x * parts[m, 0] + tan_y * parts[m, 1]
        for a in range(len(nodes)):
            whole, y = _meets(shifts_y[z], margin, nodes[a], f)
            j, v = places[m, 1] - whole, int(y)
            fy = np.float32(y - v)
            for b in range(len(nodes)):
                whole, x = _meets(shifts_x[z], margin, nodes[b], f)
                i, u = places[m, 2] - whole, int(x)
                fx = np.float32(x - u)
                if 0 <= j < rows and 0 <= i < columns:
                    low = part[v, u] + fx * (part[v, u + 1] - part[v, u])
                    high = part[v + 1, u] + fx * (part[v + 1, u + 1] - part[v + 1, u])
                    close[z, number[j, i], a * len(nodes) + b] = low + fy * (high - low)


class Scratch:
    """Arrays that one direction after the other fills: fresh memory costs as much time as what is computed in it."""

    def __init__(self):
        self._held: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """An array of float32 that holds anything; the next one of that name lies in its place."""
        size = int(np.prod(shape))
        if name not in self._held or self._held[name].size < size:
            check_memory(4.5 * size, f"{size:.3g} slices of rays")
            self._held[name] = np.empty(size + size // 8, np.float32)
        return self._held[name][:size].reshape(shape)


def margin_pixels(theta_max_rad: float, depth_max_nm: float, pixel_nm: float) -> int:
    """Pixels that a volume must reach beyond the image so that every ray stays inside it."""
    return int(np.ceil(np.tan(theta_max_rad) * depth_max_nm / pixel_nm)) + 3


def sub_pixel_nodes(pixel_nm: float) -> np.ndarray:
    """Where rays through a pixel near a line lie along x and along y, in pixels from its middle: of equal weights."""
    count = int(np.ceil(pixel_nm / _PANEL_NM - 1e-9))
    return (np.arange(count) + 0.5) / count - 0.5


def ray_beta(
    strain: Strain,
    theta_rad,
    margin: int,
    dz_nm: float,
    pixel_nm: float,
    focus_nm: float,
    scratch: Scratch | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change of the excitation error along the rays of one direction: one ray a pixel, and more close to lines.

    beta = g·(U_z + theta_x U_x + theta_y U_y); the ray of pixel r passes through r + (z - z_f) tan(theta). What a pixel
    shows that holds a core is the mean intensity of rays beside each other.

    Parameters
    ----------
    strain : Strain
        On voxels that reach beyond the image, with voxels near lines divided in f x f.
    theta_rad : (2,) float
        Incidence [rad].
    margin : int
        Voxels beyond the image on each side.
    dz_nm, pixel_nm, focus_nm : float
        Slice, pixel, depth of the focus plane [nm].
    scratch : Scratch, optional
        Where the results lie until the next call with it.

    Returns
    -------
    beta : (nz, rows, columns) float32
        Of the rays through the middles of the pixels [1/nm].
    pixels : (rows, columns) bool
        Those with rays through divided voxels, N of them.
    close : (nz, N, n n) float32
        Of n x n rays through each of these pixels, whose mean intensity is the pixel's [1/nm].
    """
    _, slices, rows, columns = strain.voxels.shape
    tan_x, tan_y = np.tan(np.asarray(theta_rad, float)).astype(np.float32)
    z = ((np.arange(slices) + 0.5) * dz_nm - focus_nm) / pixel_nm
    path = (z * tan_x, z * tan_y, margin)
    f = strain.parts.shape[2] - 1
    pixels = np.zeros((rows - 2 * margin, columns - 2 * margin), np.bool_)
    nodes = sub_pixel_nodes(pixel_nm) if f > 1 else np.zeros(0)
    _mark(strain.places, f, *path, nodes, pixels)
    number = np.cumsum(pixels).reshape(pixels.shape) - 1
    scratch = scratch or Scratch()
    beta = scratch.array("beta", (slices, *pixels.shape))
    close = scratch.array("close", (slices, int(pixels.sum()), len(nodes) ** 2))
    _gather(strain.voxels, tan_x, tan_y, *path, beta, np.ascontiguousarray(np.argwhere(pixels)), nodes, close)
    _replace(strain.places, strain.parts, number, tan_x, tan_y, *path, nodes, close)
    return beta, pixels, close
