"""The page of a report, its figures and its scenes, from made-up data that only veristem.datasets shapes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from veristem.datasets import Acquisition, CurveSet, DislocationNetwork, LineTruth
from veristem.datasets.geometry import project
from veristem.datasets.results import schema
from veristem.reports.scenes import Scene

FIELD, THICKNESS, PIXEL = 512.0, 200.0, 4.0
DIRECTIONS = np.radians([[4.0, 0.0], [-4.0, 0.0]])


def make_scene(seed=0, lines=6, noise_nm=(1.0, 4.0), pixel_nm=PIXEL) -> Scene:
    """Curved lines through a foil, their noisy images as dark Gaussian lines, and a noisy copy of the lines."""
    rng = np.random.default_rng(seed)
    s = np.linspace(0, 1, 40)
    truth_curves, networks = [], []
    for i in range(lines):
        start, end = rng.uniform([20, 20], [FIELD - 20, FIELD - 20], (2, 2))
        bend = rng.uniform(-60, 60, 2)
        xy = start + s[:, None] * (end - start) + np.sin(np.pi * s)[:, None] * bend
        truth_curves.append(np.column_stack([np.clip(xy, 0, FIELD), THICKNESS * (s if i % 2 else s[::-1])]))
        networks.append(DislocationNetwork.from_polyline(truth_curves[-1], [0.18, 0.18, 0.0]))
    network = DislocationNetwork.union(networks)
    visible = np.repeat(np.arange(lines) != lines - 1, 39)

    count = int(FIELD / pixel_nm)
    y, x = (np.mgrid[:count, :count] + 0.5) * pixel_nm
    grid = np.column_stack([x.ravel(), y.ravel()])
    expected = np.full((2, count, count), 400.0, np.float32)
    for view, direction in enumerate(DIRECTIONS):
        for curve in truth_curves[: lines - 1]:
            at = project(curve, direction, THICKNESS / 2)
            fine = np.stack([np.interp(np.linspace(0, 1, 300), s, at[:, k]) for k in (0, 1)], axis=1)
            for p in fine[::2]:
                near = np.exp(-((grid - p) ** 2).sum(1) / (2 * 6.0**2)).reshape(count, count)
                expected[view] = np.minimum(expected[view], 400 * (1 - 0.5 * near))
    acquisition = Acquisition(
        rng.poisson(expected), DIRECTIONS, pixel_nm, THICKNESS / 2, THICKNESS, np.array([1200.0, 1200.0]), 200.0, 0.091,
        "CoCrFeMnNi", np.array([1, 1, 0]), np.array([0, 0, 2]), np.radians(90.0),
    )  # fmt: skip
    curves, errors = [], []
    for curve in truth_curves[: lines - 1]:
        off = np.cumsum(rng.normal(0, noise_nm[1] / 3, len(curve)))
        curves.append(curve + np.column_stack([rng.normal(0, noise_nm[0], (len(curve), 2)), off]))
        errors.append(np.linalg.norm(curves[-1][:, None] - curve[None], axis=2).min(axis=1))
    truth = LineTruth(
        network, visible * 1.0, visible * 0.0, visible, expected, np.zeros(expected.shape, np.uint8), DIRECTIONS,
        (FIELD, FIELD), THICKNESS, THICKNESS / 2, {"seed": seed},
    )  # fmt: skip
    scores = {"f_score_visible": 0.93, "depth_rmse_nm_visible": 4.1, "recall": 0.77, "apls": None, "tolerance_nm": 10.0}
    return Scene(acquisition, CurveSet(tuple(curves)), truth, tuple(errors), scores, "stereo-classical")


def make_table(angles=(2, 4, 6, 8), radii=(5, 15), dwells=(10, 40, 160, 640), seeds=4, failed=2):
    """A results table in which a wide stereo angle and a high dose help."""
    import pandas as pd

    rng = np.random.default_rng(1)
    rows = []
    for angle in angles:
        for radius in radii:
            for dwell in dwells:
                for seed in range(seeds):
                    blur = 16 / angle + 10 / np.sqrt(dwell) + 0.1 * radius
                    quality = np.clip(1 - 0.04 * blur - 0.4 / np.sqrt(dwell) + rng.normal(0, 0.02), 0, 1)
                    conditions = {
                        "microscope.detector.pair_angle_deg": angle,
                        "microscope.detector.radius_mrad": radius,
                        "scan.dwell_us": dwell,
                    }
                    rows.append(
                        {
                            "study": "stereo",
                            "cell": f"{len(rows):04x}",
                            "recipe": "fake",
                            "method": "stereo-classical",
                            "conditions": json.dumps(conditions),
                            "error": None,
                            "seed": seed,
                            "tolerance_nm": 10.0,
                            "f_score_visible": quality,
                            "recall_visible": quality - 0.05,
                            "depth_rmse_nm_visible": blur * rng.lognormal(0, 0.1),
                        }
                    )
    for row in rows[:failed]:
        row.update(error="InputError: no lines found in view 0", f_score_visible=None, recall_visible=None)
        row["depth_rmse_nm_visible"] = None
    return pd.DataFrame(rows).reindex(columns=schema().names)


@pytest.fixture(scope="module")
def scene():
    return make_scene()
