"""An objective aperture moved within the cone: which angle, and what stereo makes of it (question T9).

    veristem study moved-aperture -o results
    python reports/published/moved-aperture/make.py results

The first makes the foils; the second measures the angle on a line of known depths and writes the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parents[3] / "tests"))

from validation.depth_scale import discs_deg
from veristem.bench.study.store import read_table

HERE = Path(__file__).parent
CONE_MRAD = 12.0
RADII_MRAD = (1.5, 3.5, 5.0)  # each touches the rim of the cone from within
_BURGERS = ((1, 0, 1), (0, 1, 1))  # twice those of the lines that rise
_SCORES = ("f_score", "recall", "depth_rmse_nm")


def effective(radius_mrad: float, twice_b) -> tuple[float, float, float, float]:
    """What `discs_deg` tells of an aperture that touches the rim of the cone at both of its places."""
    return discs_deg(CONE_MRAD, float(np.degrees(2e-3 * (CONE_MRAD - radius_mrad))), radius_mrad, twice_b)


def angles() -> list[str]:
    """Rows of the table of angles."""
    rows = []
    for radius in RADII_MRAD:
        found = np.array([effective(radius, b) for b in _BURGERS])
        each = ", ".join(f"{angle:.2f}" for angle in found[:, 0])
        rim = np.degrees(2e-3 * CONE_MRAD)
        rows.append(
            f"| {radius:g} | {rim:.2f} | {found[0, 1]:.2f} | {found[:, 0].mean():.2f} ({each}) "
            f"| {found[:, 2].min():.3f} | {found[:, 3].mean():.0f} |"
        )
    return rows


def scores(table: pd.DataFrame) -> list[str]:
    """Rows of the table of scores: means over the foils, with half of their 95 % interval."""
    from scipy.stats import t

    def told(values: Any) -> str:
        values = np.asarray(values.dropna(), float)
        if not len(values):
            return "–"
        if len(values) < 2:
            return f"{values.mean():.2f}"
        half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        return f"{values.mean():.2f} ± {half:.2f}"

    detectors = [json.loads(text)["microscope.detector"] for text in table["conditions"]]
    table = table.assign(radius=[d["radius_mrad"] for d in detectors], kind=[d["kind"] for d in detectors])
    rows = []
    keys: Any = ["method", "radius", "kind", "scan.drift_nm_per_s"]
    for group, of in table.groupby(keys):
        method, radius, kind, drift = cast(tuple, group)
        how = "one scan" if kind == "virtual" else "two scans"
        cells = " | ".join(told(of[name]) for name in _SCORES)
        rows.append(f"| {method} | {radius:g} | {how} | {drift:g} | {cells} |")
    return rows


def main() -> None:
    """Print both tables, and keep the rows of the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of the study")
    table: Any = read_table(parser.parse_args().results)
    table.to_parquet(HERE / "results.parquet")
    print("\n".join(angles()), "\n", *scores(table), sep="\n")


if __name__ == "__main__":
    main()
