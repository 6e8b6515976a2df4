"""The topology of reconstructed lines as tubes in space: what it tells that F does not.

    python reports/published/topology-3d/make.py -o results      # the foils of multiview, seven minutes of one core

Images in the folder are kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[3] / "tests"))

from scripts import script
from veristem.bench.metrics.lines import Lines
from veristem.bench.oracles import handed_in
from veristem.bench.scoring import score
from veristem.bench.topology.score import Topology, topological_score
from veristem.bench.topology.tubes import draw
from veristem.datasets.polyline import resample
from veristem.datasets.reconstruction import CurveSet
from veristem.datasets.truth import LineTruth
from veristem.recon.methods import run_method
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.style import METHODS as METHOD_COLOURS

HERE = Path(__file__).parent
multiview = script("reports/published/multiview/make.py")
METHODS = (  # and how many views of a scan they get
    ("stereo-classical", 2),
    ("stereo-learned", 2),
    ("lines-multiview", 5),
    ("stereo-classical contours=truth", 2),
)
RADIUS_NM = 6.4  # of the tubes, and the voxels, as the weights were fitted
SHAPE = (32, 40, 40)
DEEPER_NM, CUT_EVERY_NM, CUT_NM = 10.0, 100.0, 20.0


def topology(lines: Lines) -> Topology:
    """Of lines as tubes in the foil."""
    return Topology.of(draw(lines.start_nm, lines.stop_nm, RADIUS_NM, SHAPE, RADIUS_NM), RADIUS_NM)


def spoilt(truth: LineTruth) -> dict[str, CurveSet]:
    """The visible lines wrong in ways of which F sees one and topology the other."""
    chains = truth.network.chains(truth.visible)
    cut: list[np.ndarray] = []
    for chain in chains:
        even, _ = resample(chain, np.zeros(len(chain)), 2.0)
        every, gap = round(CUT_EVERY_NM / 2), round(CUT_NM / 2)
        cut += [c for n in range(0, len(even), every) if len(c := even[n : n + every - gap]) > 1]
    moved = CurveSet(tuple(c + np.array([0.0, 0.0, DEEPER_NM]) for c in chains))
    return {"truth, 10 nm deeper": moved, "truth, 20 of every 100 nm cut out": CurveSet(tuple(cut))}


def rows(folder: Path) -> Any:
    """A row for every foil and answer."""
    made = []
    for seed in multiview.SEEDS:
        whole = multiview.foil(folder, seed)
        foils = {views: multiview.some(*whole, views, 1.0) for views in sorted({n for _, n in METHODS})}
        truth = foils[2][0]
        every = Lines.of(truth, 10.0, truth.field_nm)
        assert every.visible is not None
        true = topology(every.where(every.visible))
        answers = {}
        for method, views in METHODS:
            name, stages = handed_in(method, *foils[views])
            answers[method] = run_method(name, foils[views][1], **stages)
        for name, found in (answers | spoilt(truth)).items():
            told = score(truth, found)
            shown = {key: told[f"{key}_visible"] for key in ("f_score", "f_score_at_20nm", "precision", "recall")}
            value = topological_score(topology(Lines.of(found, 10.0, truth.field_nm)), true)
            made.append({"seed": seed, "method": name, **shown, "curves": len(found.curves_nm), "topology_3d": value})
            print(made[-1], flush=True)
    return pd.DataFrame(made)


def table(made: Any) -> Any:
    """Means over the foils with half of their 95 % interval."""
    from scipy.stats import t

    lines = []
    for name, of in made.groupby("method", sort=False):
        line: dict[str, Any] = {"method": name}
        for key in ("f_score", "f_score_at_20nm", "precision", "recall", "curves", "topology_3d"):
            half = t.ppf(0.975, len(of) - 1) * of[key].sem()
            line |= {key: of[key].mean(), f"{key}_half": half}
        lines.append(line)
    return pd.DataFrame(lines)


@styled
def figure(made: Any):
    """Topology over F, a point an answer."""
    drawing = open_figure((6.0, 4.0))
    ax = drawing.subplots()
    for (name, of), colour, mark in zip(made.groupby("method", sort=False), METHOD_COLOURS, "os^v+x"):
        ax.plot(of["f_score"], of["topology_3d"], mark, color=colour, mfc="none", label=name)
    ax.set(xlabel="F (10 nm), visible lines", ylabel="topological score in 3D (1/µm)", ylim=(0, None))
    ax.legend(fontsize=7)
    return drawing


def main() -> None:
    """Scores, means and figure beside this file."""
    from scipy.stats import spearmanr

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, required=True, help="where images are kept")
    made = rows(parser.parse_args().out)
    made.round(4).to_csv(HERE / "scores.csv", index=False)
    means = table(made)
    means.round(4).to_csv(HERE / "means.csv", index=False)
    print(means.round(2).to_string())
    of = made[~made["method"].str.startswith("truth")]
    print("rank correlation with F:", spearmanr(of["f_score"], of["topology_3d"]))
    (HERE / "topology-3d.png").write_bytes(drawn(figure(made), "png", 150))


if __name__ == "__main__":
    main()
