"""Fit the weights that make one score of thirty distances, on known degradations of simulated networks.

python reports/published/topology-weights/make.py writes the training data (weights.csv) beside itself and the fit into
bench/topology/weights.json, which ships with the package; with --volumes those of tubes in volumes (weights-3d.csv and
weights-3d.json). Filtrations of one kind share a weight, as no direction is special: four kinds in H0 and H1, eight
weights, none below zero. They minimise the relative error of the strength that `degradations.degrade` states, so that
weak and strong degradations count alike.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from degradations import KINDS, degrade, true_mask
from veristem.bench.metrics.lines import Lines
from veristem.bench.topology.filtrations import NAMES
from veristem.bench.topology.score import Topology, relative_distances
from veristem.bench.topology.weights import FEATURES, FILTRATIONS
from veristem.datasets.errors import InputError
from veristem.datasets.recipe import load_recipe
from veristem.sim.foil import Foil
from veristem.sim.specimen import make_specimen

if TYPE_CHECKING:
    import pandas as pd

STRENGTHS = (2.0, 4.0, 8.0, 16.0, 24.0)
GENERATORS = ("glide", "cross_slipped", "tangles", "junctions", "kinked", "cell_walls", "loops", "helix")
DENSITIES_PER_M2 = (2e13, 4e13, 8e13)
SHAPE, PIXEL_NM = (256, 256), 2.0
SPECIMENS = 24
SHAPE_3D, VOXEL_NM = (32, 40, 40), 6.4  # a foil of 256 x 256 x 200 nm
STRENGTHS_3D, SPECIMENS_3D = (4.0, 8.0, 24.0), 8  # fewer, as a volume takes two seconds
FOLDER = Path(__file__).parent
WEIGHTS = FOLDER.parents[2] / "bench/topology"


def features(distances: np.ndarray) -> np.ndarray:
    """(8,) means of relative distances (15, 2) over the filtrations of a kind, in the order of `FEATURES`."""
    kinds = np.array([name.split("-")[0] for name in NAMES])
    return np.array([distances[kinds == name].mean(axis=0) for name in FILTRATIONS]).ravel()


def fit(table: pd.DataFrame) -> np.ndarray:
    """(8,) weights above or at zero with the least squared relative error of the strength.

    Parameters
    ----------
    table : DataFrame
        Rows as `training_rows` gives them.

    Raises
    ------
    InputError
        For a table without rows or with a strength that is not above zero.
    """
    from scipy.optimize import nnls

    strength = table["strength"].to_numpy()
    if not len(table) or not (strength > 0).all():
        raise InputError("table: no rows or a strength of 0 found, strengths above 0 allowed")
    return nnls(table[list(FEATURES)].to_numpy() / strength[:, None], np.ones(len(table)))[0]


def cross_validate(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How well the score tells the strength on specimens it was not fitted on, each left out in turn.

    Returns
    -------
    dict
        ``relative_rms``: root mean square of score / strength - 1, over all and by kind; ``mean_ratio``: mean of
        score / strength by kind; ``rank_correlation``: Spearman's, over all and, by kind, its mean over specimens.
    """
    from scipy.stats import spearmanr

    x, strength = table[list(FEATURES)].to_numpy(), table["strength"].to_numpy()
    specimen, kind = table["specimen"].to_numpy(), table["kind"].to_numpy()
    score = np.zeros(len(table))
    for left_out in np.unique(specimen):
        own = specimen == left_out
        score[own] = x[own] @ fit(table.loc[~own])
    error = score / strength - 1

    def rms(rows) -> float:
        return float(np.sqrt(np.mean(error[rows] ** 2)))

    def rank(rows) -> float:
        return float(spearmanr(score[rows], strength[rows])[0])  # type: ignore[index]

    everything = np.full(len(table), True)
    of_kind = {name: kind == name for name in KINDS}
    within = {n: [rank(rows & (specimen == s)) for s in np.unique(specimen)] for n, rows in of_kind.items()}
    return {
        "relative_rms": {"all": rms(everything)} | {n: rms(rows) for n, rows in of_kind.items()},
        "mean_ratio": {n: float(1 + error[rows].mean()) for n, rows in of_kind.items()},
        "rank_correlation": {"all": rank(everything)} | {n: float(np.mean(r)) for n, r in within.items()},
    }


def training_rows(specimen: int, volumes: bool = False) -> list[dict[str, Any]]:
    """The degradations of one specimen: rows with specimen, kind, strength [1/µm] and the `FEATURES`.

    Its generator, density and seed follow from its number; its lines fill 512 x 512 nm in pixels of 2 nm, or 256 x 256
    x 200 nm in voxels of 6.4 nm.
    """
    shape, pixel, strengths = (SHAPE_3D, VOXEL_NM, STRENGTHS_3D) if volumes else (SHAPE, PIXEL_NM, STRENGTHS)
    network = {
        "specimen.network.generator": GENERATORS[specimen % len(GENERATORS)],
        "specimen.tilt_about_g_deg": 0.0,  # networks are only drawn here, not imaged
        "microscope.aberrations": "none",
        "specimen.network.density_per_m2": DENSITIES_PER_M2[specimen % len(DENSITIES_PER_M2)],
    }
    if volumes:
        network |= {"specimen.field_nm": [256.0, 256.0], "scan.shape": [128, 128]}
    made = make_specimen(load_recipe("cantor-stereo").with_values(network), np.random.default_rng(specimen))
    assert isinstance(made, Foil)
    lines = Lines.of(made.network, 10.0, made.field_nm)
    truth = Topology.of(true_mask(lines, shape, pixel), pixel)
    rows = []
    for number, kind in enumerate(KINDS):
        for strength in strengths:
            rng = np.random.default_rng([specimen, number])  # the same places for all strengths, and more
            mask, reached = degrade(kind, lines, strength, shape, pixel, rng)
            values = features(relative_distances(Topology.of(mask, pixel), truth))
            rows.append({"specimen": specimen, "kind": kind, "strength": reached, **dict(zip(FEATURES, values))})
    return rows


def main() -> None:
    """Make training data and fit, and write both."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, help="folder of both files, instead of where they belong")
    parser.add_argument("--volumes", action="store_true", help="tubes in volumes instead of lines in images")
    out, volumes = (parsed := parser.parse_args()).out, parsed.volumes
    name = "weights-3d" if volumes else "weights"
    data, weights = (out or FOLDER) / f"{name}.csv", (out or WEIGHTS) / f"{name}.json"
    data.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        row for specimen in range(SPECIMENS_3D if volumes else SPECIMENS) for row in training_rows(specimen, volumes)
    ]
    pd.DataFrame(rows).to_csv(data, index=False, float_format="%.5g", lineterminator="\n")
    table = pd.read_csv(data)  # what is written is what is fitted
    fitted = {
        "command": "python reports/published/topology-weights/make.py" + (" --volumes" if volumes else ""),
        "data": f"reports/published/topology-weights/{name}.csv",
        "weights": {name: float(f"{w:.6g}") for name, w in zip(FEATURES, fit(table))},
        "cross_validated": {
            what: {name: float(f"{value:.3g}") for name, value in values.items()}
            for what, values in cross_validate(table).items()
        },
    }
    weights.write_text(json.dumps(fitted, indent=2) + "\n", "utf-8")
    print(json.dumps(fitted, indent=2))


if __name__ == "__main__":
    main()
