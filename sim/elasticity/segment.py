"""Elastic distortion of straight dislocation segments: the exact sum, isotropic and non-singular.

U_ij = du_i/dx_j is Mura's line integral over the segment with R replaced by R_a = sqrt(R^2 + a^2) (Cai, Arsenlis,
Weinberger & Bulatov, J. Mech. Phys. Solids 54 (2006) 561; Bertin & Cai, Comput. Phys. Commun. 224 (2018) 200). Along a
straight segment all integrals are algebraic. A right-handed circuit about the line direction closes by +b.
"""

from __future__ import annotations

import numba
import numpy as np

from veristem.datasets.network import DislocationNetwork


@numba.njit(cache=True, inline="always")
def _line_integrals(rho2, a2, s1, s2):
    """Integrals of s^m / R_a^n from s1 to s2, R_a^2 = s^2 + rho2 + a2: (n, m) = (3,0) (3,1) (5,0) (5,1) (5,2)."""
    d2 = rho2 + a2
    inv1 = 1.0 / np.sqrt(s1 * s1 + d2)
    inv2 = 1.0 / np.sqrt(s2 * s2 + d2)
    cube1, cube2 = inv1 * inv1 * inv1, inv2 * inv2 * inv2
    i30 = (s2 * inv2 - s1 * inv1) / d2
    third = s2 * s2 * s2 * cube2 - s1 * s1 * s1 * cube1
    i50 = (s2 * cube2 - s1 * cube1 + 2.0 * i30) / (3.0 * d2)
    i51 = (cube1 - cube2) / 3.0
    i52 = third / (3.0 * d2)
    return i30, inv1 - inv2, i50, i51, i52


@numba.njit(cache=True, inline="always")
def _add_segment(x, y, z, seg, a2, nu1, nu2, out):
    """Add g_i U_ij of one segment at one point to out (3,).

    ``seg``: first end (3), t (3), length, b x t (3), g x t (3), b (3), g (3), b.t, g.t, g.b.
    """
    rx, ry, rz = x - seg[0], y - seg[1], z - seg[2]
    tx, ty, tz = seg[3], seg[4], seg[5]
    s0 = rx * tx + ry * ty + rz * tz
    px, py, pz = rx - s0 * tx, ry - s0 * ty, rz - s0 * tz
    i30, i31, i50, i51, i52 = _line_integrals(px * px + py * py + pz * pz, a2, -s0, seg[6] - s0)
    bt, gt, gb = seg[19], seg[20], seg[21]
    b_rho = px * seg[13] + py * seg[14] + pz * seg[15]
    g_rho = px * seg[16] + py * seg[17] + pz * seg[18]
    g_a = g_rho * i30 - gt * i31  # A = integral of R / R_a^3
    b_a = b_rho * i30 - bt * i31
    g_p = -2.0 * g_a - 3.0 * a2 * (g_rho * i50 - gt * i51)  # P = gradient of the Laplacian of R_a, integrated
    b_p = -2.0 * b_a - 3.0 * a2 * (b_rho * i50 - bt * i51)
    k1 = nu1 * g_p + nu2 * g_a
    k2 = gb * (nu2 * i30 - 2.0 * i30 - 3.0 * a2 * i50)
    k2 -= 3.0 * nu2 * (g_rho * (b_rho * i50 - bt * i51) - gt * (b_rho * i51 - bt * i52))
    k3 = b_p + nu2 * b_a
    out[0] += k1 * seg[7] + k2 * (py * tz - pz * ty) + k3 * seg[10]
    out[1] += k1 * seg[8] + k2 * (pz * tx - px * tz) + k3 * seg[11]
    out[2] += k1 * seg[9] + k2 * (px * ty - py * tx) + k3 * seg[12]


def pack_segments(network: DislocationNetwork, vector) -> np.ndarray:
    """(M, 22) constants of each segment for the kernel, contracted with ``vector`` (3,); zero lengths are dropped."""
    length = network.lengths_nm
    keep = length > 0
    first = network.nodes_nm[network.segments[keep, 0]]
    t = network.vectors_nm[keep] / length[keep, None]
    b = network.burgers_nm[keep]
    g = np.broadcast_to(np.asarray(vector, float), b.shape)
    scalars = np.stack([(b * t).sum(1), (g * t).sum(1), (g * b).sum(1)], axis=1)
    return np.concatenate([first, t, length[keep, None], np.cross(b, t), np.cross(g, t), b, g, scalars], axis=1)


def kernel_constants(poisson_ratio: float) -> tuple[float, float, float]:
    """nu/(1-nu), 1/(1-nu) and the common factor of the kernel."""
    return poisson_ratio / (1 - poisson_ratio), 1 / (1 - poisson_ratio), 1 / (8 * np.pi)


@numba.njit(cache=True, parallel=True)
def _sum_at_points(points, segments, a2, nu1, nu2, factor):
    out = np.zeros((len(points), 3))
    for i in numba.prange(len(points)):
        for m in range(len(segments)):
            _add_segment(points[i, 0], points[i, 1], points[i, 2], segments[m], a2, nu1, nu2, out[i])
        out[i] *= factor
    return out


def segment_distortion(network: DislocationNetwork, points_nm, poisson_ratio: float, core_nm: float) -> np.ndarray:
    """Elastic distortion U_ij = du_i/dx_j of all segments of a network, in an infinite isotropic medium.

    Parameters
    ----------
    network : DislocationNetwork
        Segments and Burgers vectors [nm].
    points_nm : (N, 3) float
        Where to evaluate [nm].
    poisson_ratio : float
        Of the medium.
    core_nm : float
        Core radius a [nm], positive.

    Returns
    -------
    (N, 3, 3) float
        U_ij, without unit.
    """
    points = np.ascontiguousarray(points_nm, float)
    constants = kernel_constants(poisson_ratio)
    rows = [_sum_at_points(points, pack_segments(network, e), core_nm**2, *constants) for e in np.eye(3)]
    return np.stack(rows, axis=1)
