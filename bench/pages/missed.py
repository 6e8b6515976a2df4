"""Why particles were missed: what their images show, in the order in which a method meets it."""

from __future__ import annotations

import numpy as np

from veristem.bench.metrics.point_pair import PointPair
from veristem.datasets.acquisition import Acquisition
from veristem.datasets.intermediate import Detections
from veristem.datasets.truth import ParticleTruth

CAUSES = {
    "edge": "beyond the edge of a view",
    "overlap": "with another within a radius in a view",
    "unseen": "alone but not detected in a view",
    "ambiguity": "detected in every view, and matched with others or not at all",
}


def explain_losses(
    truth: ParticleTruth, acquisition: Acquisition, pair: PointPair, detections: Detections
) -> dict[str, int]:
    """Number of missed particles within the field by cause, a key of `CAUSES`; the first that holds counts.

    Parameters
    ----------
    truth : ParticleTruth
        What is there.
    acquisition : Acquisition
        The views.
    pair : PointPair
        Truth and reconstruction matched (`veristem.bench.scoring.point_pair`).
    detections : Detections
        What the method, or the matched filter, sees in each view by itself.
    """
    from scipy.spatial import KDTree

    particles = truth.particles
    missed = truth.inside.copy()
    missed[pair.partner[pair.partner >= 0]] = False
    found = {cause: np.zeros(len(missed), bool) for cause in CAUSES}
    found["ambiguity"][:] = True
    for view in range(len(truth.directions_rad)):
        at = truth.project(particles.centers_nm, view)
        found["edge"] |= ((at < 0) | (at > acquisition.field_nm)).any(axis=1)
        if len(at) > 1:
            found["overlap"] |= KDTree(at).query(at, k=2)[0][:, 1] < particles.radii_nm
        seen = detections.points_nm[view]
        nearest = KDTree(seen).query(at)[0] if len(seen) else np.full(len(at), np.inf)
        found["unseen"] |= nearest > particles.radii_nm / 2
    counts, left = {}, missed
    for cause, holds in found.items():
        counts[cause] = int((left & holds).sum())
        left = left & ~holds
    return counts


def losses_text(counts: dict[str, int]) -> str:
    """The causes in a sentence; empty when nothing was missed."""
    told = [f"{count} {CAUSES[cause]}" for cause, count in counts.items() if count]
    return f"Missed were {sum(counts.values())}: {', '.join(told)}." if told else ""
