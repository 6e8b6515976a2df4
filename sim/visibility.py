"""Which dislocations a reflection shows."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork

_RESIDUAL = 0.64  # |g·(b x u)| below which residual contrast is invisible: Hirsch et al. 1965, |g·(b x u)| / 8 < 0.08


def visibility(network: DislocationNetwork, g_per_nm) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """g·b (M,), |g·(b x u)| (M,) and whether each segment can be seen (M,).

    A segment is visible when |g·b| exceeds 1/3 (the weakest partials that show) or its residual contrast exceeds
    |g·(b x u)| = 0.64 (Hirsch, Howie, Nicholson, Pashley & Whelan 1965, section 7.6).

    Parameters
    ----------
    network : DislocationNetwork
        In the specimen frame.
    g_per_nm : (3,) float
        Reflection in the specimen frame [1/nm].
    """
    g = np.asarray(g_per_nm, float)
    lengths = np.maximum(network.lengths_nm, 1e-12)
    u = network.vectors_nm / lengths[:, None]
    g_dot_b = network.burgers_nm @ g
    g_dot_bu = np.abs(np.cross(network.burgers_nm, u) @ g)
    return g_dot_b, g_dot_bu, (np.abs(g_dot_b) > 1 / 3 + 1e-6) | (g_dot_bu > _RESIDUAL)
