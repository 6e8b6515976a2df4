"""What a network of lines is like, in the few numbers that papers tell."""

from __future__ import annotations

import numpy as np

from veristem.datasets.network import DislocationNetwork
from veristem.sim.networks.foil import clip
from veristem.sim.visibility import visibility


def line_statistics(
    network: DislocationNetwork, size_nm, g_per_nm, volume_nm3: float | None = None
) -> dict[str, float]:
    """Numbers about the lines within a foil; means are weighted with length, and nan where there is no line.

    Parameters
    ----------
    network : DislocationNetwork
        In the specimen frame; what lies beyond the field does not count.
    size_nm : (3,) float
        Field width, field height and thickness [nm].
    g_per_nm : (3,) float
        Reflection in the specimen frame [1/nm].
    volume_nm3 : float, optional
        Of the crystal in the field [nm^3], less than all of it in a wedge.

    Returns
    -------
    dict
        density_per_m2 (length per volume [1/m^2]), mean_spacing_nm (1 / sqrt(density) [nm]), mean_curvature_per_um
        (turn per length [1/um]; 0 for straight lines), mean_angle_to_beam_deg (0 along the beam, 90 in the plane of the
        foil [deg]), mean_character_deg (between b and the line: 0 screw, 90 edge [deg]), visible_fraction (of the
        length, by `visibility`), line_count (lines between ends and junctions, and rings).
    """
    size = np.asarray(size_nm, float)
    network = clip(network, np.zeros(3), size)
    lengths = network.lengths_nm
    density = lengths.sum() / (volume_nm3 or np.prod(size))
    u = network.vectors_nm / np.maximum(lengths, 1e-12)[:, None]
    b = network.burgers_nm / np.maximum(np.linalg.norm(network.burgers_nm, axis=1), 1e-12)[:, None]
    chains = network.chains()

    def mean(values) -> float:
        return float(np.average(values, weights=lengths)) if len(lengths) else float("nan")

    return {
        "density_per_m2": float(1e18 * density),
        "mean_spacing_nm": float(density**-0.5) if len(lengths) else float("inf"),
        "mean_curvature_per_um": 1e3 * _curvature_per_nm(chains),
        "mean_angle_to_beam_deg": mean(_angle_deg(u, np.array([0.0, 0, 1]))),
        "mean_character_deg": mean(_angle_deg(u, b)),
        "visible_fraction": mean(visibility(network, g_per_nm)[2]),
        "line_count": len(chains),
    }


def _angle_deg(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Angles (M,) between directions of either sense, 0 to 90 [deg]; exact also for small ones."""
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.abs((u * v).sum(axis=1))))


def _curvature_per_nm(chains: list[np.ndarray]) -> float:
    """Turn [rad] over length [nm] of polylines; each turn stands for half of both segments that meet there."""
    turn, length = 0.0, 0.0
    for chain in chains:
        d = np.diff(chain, axis=0)
        if np.array_equal(chain[0], chain[-1]):
            d = np.concatenate([d, d[:1]])
        size = np.linalg.norm(d, axis=1)
        d = d[size > 0]
        size = size[size > 0]
        sine = np.linalg.norm(np.cross(d[:-1], d[1:]), axis=1)
        turn += np.arctan2(sine, (d[:-1] * d[1:]).sum(axis=1)).sum()
        length += (size[:-1] + size[1:]).sum() / 2
    return float(turn / length) if length else 0.0 if chains else float("nan")
