"""The straight dislocation in an anisotropic medium, by the sextic theory: code apart from the spectral field."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import jv

from veristem.sim.elasticity.octaves import core_filter

_VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])


def stroh_distortion(burgers, t, stiffness_gpa: np.ndarray, points: np.ndarray) -> np.ndarray:
    """U_ij (N, 3, 3) of a line through the origin along t (3,) at points (N, 3) (Stroh, Philos. Mag. 3 (1958) 625).

    With m, n, t right-handed, u = sum over six eigenvectors of +- A (L·b) ln(m·x + p n·x) / 2 pi i.
    """
    c = stiffness_gpa[_VOIGT[:, :, None, None], _VOIGT[None, None]]
    t = np.asarray(t, float) / np.linalg.norm(t)
    m = np.cross(t, [0.3, -0.5, 0.8])
    m /= np.linalg.norm(m)
    n = np.cross(t, m)
    mm, mn, nn = (np.einsum("j,ijkl,l->ik", a, c, b) for a, b in ((m, m), (m, n), (n, n)))
    inverse = np.linalg.inv(nn)
    matrix = np.block([[-inverse @ mn.T, -inverse], [-(mn @ inverse @ mn.T - mm), -mn @ inverse]])
    p, vectors = np.linalg.eig(matrix)
    a, l = vectors[:3], vectors[3:]
    scale = 1 / np.sqrt(2 * (a * l).sum(axis=0))
    a, l = a * scale, l * scale
    strength = np.sign(np.imag(p)) * (l.T @ burgers) / (2j * np.pi)
    along = 1 / ((points @ m)[:, None] + p * (points @ n)[:, None])  # (N, 6): derivative of the logarithm
    gradient = along[:, :, None] * (m + p[:, None] * n)  # (N, 6, 3)
    return np.real(np.einsum("ia,a,naj->nij", a, strength, gradient))


def with_core(burgers, t, stiffness_gpa: np.ndarray, points: np.ndarray, core_nm: float) -> np.ndarray:
    """`stroh_distortion` of a Burgers vector spread as in the non-singular theory (Cai et al. 2006).

    The field is f(phi) / r; spreading turns the harmonic m of f into f_m times r times the integral of J_m(kr) and the
    transform of the spreading over k.
    """
    t = np.asarray(t, float) / np.linalg.norm(t)
    m = np.cross(t, [0.3, -0.5, 0.8])
    m /= np.linalg.norm(m)
    n = np.cross(t, m)
    turn = 2 * np.pi * np.arange(64) / 64
    around = stroh_distortion(burgers, t, stiffness_gpa, np.outer(np.cos(turn), m) + np.outer(np.sin(turn), n))
    harmonics = np.fft.fft(around, axis=0) / 64
    x, y = points @ m, points @ n
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    radii = np.geomspace(r.min(), r.max(), 40)
    nodes, weights = np.polynomial.legendre.leggauss(int(100 + 8 * r.max() / core_nm))
    k = 8 * (nodes + 1) / core_nm  # what lies beyond is cut off by the spreading
    spreading = 8 * weights / core_nm * core_filter(k, core_nm)
    field = np.zeros((len(points), 3, 3))
    for order in range(1, 32, 2):  # the field is odd
        inner = CubicSpline(radii, jv(order, np.outer(radii, k)) @ spreading)(r)
        wave = inner * np.exp(1j * order * phi)
        field += 2 * np.real(wave[:, None, None] * harmonics[order])
    return field
