"""Chapter 6 of the thesis, questions T19 to T24, beside known truth.

    python reports/published/particles-thesis/make.py              # all anew
    python reports/published/particles-thesis/make.py --only T23   # these rows anew
    python reports/published/particles-thesis/make.py --page       # of the rows that are there

Counts of the named studies are read from their published tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from veristem.bench.limits.points import point_limits
from veristem.bench.scoring import score_points
from veristem.datasets.geometry import pair_angle_rad
from veristem.datasets.recipe import load_recipe
from veristem.datasets.reconstruction import PointSet
from veristem.datasets.truth import ParticleTruth
from veristem.recon.methods import run_method
from veristem.recon.particles import hough, threshold
from veristem.recon.particles.pair_correlation import radial_distribution
from veristem.sim.simulate import simulate_recipe

HERE = Path(__file__).parent
ASSUMED_DEG = (1.6, 2.0, 2.2, 2.8, 3.0, 3.2)
RADII_PX = (30, 40, 50, 60, 70)
DWELL_US = (4.0, 12.0, 40.0, 1400.0)  # 250, 750, 2500 and 87 000 electrons a pattern
_FINE_NM, _COARSE_NM = 0.4, 1.0  # bins of the thesis: its pixels
# spheres that only keep apart have no peak to speak of at 10 mg/ml
_ATTRACTIVE = {"generator": "attractive", "attraction_kT": 3.0, "range_nm": 0.4}
_QUADRANTS = {"specimen.field_nm": [409.6, 409.6], "scan.shape": [1024, 1024]}  # a quarter of the thesis's field
_THRESHOLD = "points-threshold fewest_views=4"
# places in four views, and mean directions, so that depths are true ones times one factor
_AS_THESIS = "points-hough fewest_views=4 rescattering=false"
_KEYS = ["question", "condition", "dwell_us"]
_SAME_NM = 1.0  # across the beam, between a particle and what was found of it
_RING = {"kind": "virtual", "views": 4, "ring": True}


def runs(dwells_us=DWELL_US) -> Iterator[tuple[str, str, str, dict, int, tuple[str, ...]]]:
    """Question, condition, recipe, its values, number of films, methods."""
    found = ("points-matched", _AS_THESIS)
    yield "T20", "10 mg/ml", "particles", _QUADRANTS | {"specimen.dispersion": _ATTRACTIVE}, 6, found
    forty = _ATTRACTIVE | {"concentration_mg_per_ml": 40.0}
    yield "T21", "40 mg/ml", "particles", _QUADRANTS | {"specimen.dispersion": forty}, 2, found
    for name, (shortest, longest) in {"short chains": (2, 5), "long chains": (21, 60)}.items():
        chains = {"generator": "chains", "shortest": shortest, "longest": longest}
        yield "T21", name, "particles", _QUADRANTS | {"specimen.dispersion": chains}, 2, found
    found = (_THRESHOLD, "points-learned", "points-matched")
    for dwell in dwells_us:
        scan = {"scan.dwell_us": dwell, "specimen.dispersion": _ATTRACTIVE}
        for radius in RADII_PX if dwell < 1000 else RADII_PX[-1:]:
            one = scan | {"microscope.detector.radius_mrad": 0.24 * radius}
            yield "T22", f"{radius} px", "film-4d", one, 3 if dwell < 10 else 2, found
    for dwell in (40.0, 1400.0):
        for concentration in (2.5, 40.0):
            strewn = _ATTRACTIVE | {"concentration_mg_per_ml": concentration}
            values = {"scan.dwell_us": dwell, "specimen.dispersion": strewn}
            yield "T24", f"{concentration:g} mg/ml", "film-4d", values, 2, found
    wide = _RING | {"pair_angle_deg": 6.0, "radius_mrad": 0.52 * 80}
    for lens in ("none", "unbalanced"):
        one = {"microscope.convergence_mrad": 60.0, "microscope.detector": wide, "microscope.aberrations": lens}
        # a counter a pixel, not a view
        values = one | {"microscope.response": {}, "scan.dwell_us": 40.0, "specimen.dispersion": _ATTRACTIVE}
        yield "T23", f"60 mrad, lens {lens}", "film-4d", values, 2, found


def depth_slope(points_nm: np.ndarray, centers_nm: np.ndarray, focus_nm: float) -> float:
    """Depth found over true depth, of particles found within a nanometre across the beam, by least squares."""
    far, index = KDTree(centers_nm[:, :2]).query(points_nm[:, :2])
    near = far < _SAME_NM
    true = centers_nm[np.asarray(index)[near], 2] - focus_nm
    off = points_nm[near, 2] - focus_nm
    keep = np.ones(len(true), bool)
    slope = 1.0
    for _ in range(5):  # without those that lie over each other
        slope = float(off[keep] @ true[keep] / (true[keep] @ true[keep])) if keep.any() else 1.0
        keep = np.abs(off - slope * true) < 8.0
    return slope


def measure(only: str | None, dwells_us=DWELL_US) -> None:
    """Rows and curves beside this file; those of other questions stay."""
    rows, curves = [], []
    of_films: dict[tuple, np.ndarray] = {}  # limits of a film at 1 us
    for question, condition, name, values, films, methods in runs(dwells_us):
        if only not in (None, question):
            continue
        for seed in range(films):
            recipe = load_recipe(name).with_values(values | {"recipe.seed": seed})
            truth, acquisition, _ = simulate_recipe(recipe)
            assert isinstance(truth, ParticleTruth)
            quadrants, film = name == "particles", (question, condition, seed)
            if not quadrants and film not in of_films:  # limits of quadrants: the named studies
                of_films[film] = point_limits(truth) * recipe.scan.dwell_us  # of counts alone: as one over the dose
            limits = None if quadrants else of_films[film] / recipe.scan.dwell_us
            bins = _FINE_NM if quadrants else _COARSE_NM
            edges = np.arange(0.0, 14.0, bins)
            box = np.array([*acquisition.field_nm, truth.thickness_nm])
            about = {"question": question, "condition": condition, "dwell_us": recipe.scan.dwell_us, "seed": seed}

            def curve(method: str, places, deep: float = 1.0, box=box, edges=edges, about=about) -> None:
                inside = ((places[:, :2] >= 0) & (places[:, :2] <= box[:2])).all(axis=1)
                places = places[inside] * [1.0, 1.0, deep]
                size = box * [1.0, 1.0, deep]
                places = places[(places[:, 2] >= 0) & (places[:, 2] <= size[2])]
                if len(places) > 1:
                    g, middle = radial_distribution(places, size, edges), (edges[1:] + edges[:-1]) / 2
                    curves.extend(about | {"curve": method, "r_nm": r, "g": v} for r, v in zip(middle, g))

            centers = truth.particles.centers_nm
            curve("truth", centers)
            for method in methods:
                stage = hough if "hough" in method else threshold if "threshold" in method else None
                first = len(stage.detect(acquisition).points_nm[0]) if stage else None
                points = run_method(method, acquisition)
                assert isinstance(points, PointSet)
                scores = score_points(truth, points, covariance_nm2=limits)
                slope = depth_slope(points.points_nm, centers, truth.focus_nm) if quadrants else None
                kept = {key: scores[key] for key in ("f_score", "precision", "recall", "depth_rmse_nm")}
                rows.append(
                    about
                    | {"method": method, "first_view": first, "found": len(points.points_nm)}
                    | {"truth": int(truth.inside.sum()), **kept, "depth_slope": slope}
                    | {"limit_nm": None if limits is None else float(np.nanmedian(limits[truth.inside, 2, 2] ** 0.5))}
                )
                print(rows[-1], flush=True)
                if method != _AS_THESIS:
                    curve(method, points.points_nm)
                    continue
                assert slope is not None
                # depths about the middle of the film, the entrance face at 0 of what is assumed
                mean = pair_angle_rad(acquisition.directions_rad[0], acquisition.directions_rad[2])
                for angle in ASSUMED_DEG:
                    scale = float(np.tan(mean / 2) / np.tan(np.radians(angle) / 2)) * slope  # times the truth
                    true = points.points_nm.copy()
                    true[:, 2] = truth.focus_nm + (true[:, 2] - truth.focus_nm) / slope
                    curve(f"{angle:g} deg", true, scale)
        _store("rows.csv", rows)
        _store("curves.csv", curves)


def _store(name: str, made: list[dict]) -> None:
    """Put rows into a table in place of those of the same question, condition and dwell."""
    table: Any = pd.DataFrame(made)
    if (HERE / name).exists():
        old = pd.read_csv(HERE / name)
        known = [tuple(row) for row in table[_KEYS].drop_duplicates().to_numpy()]
        table = pd.concat([old[[tuple(row) not in known for row in old[_KEYS].to_numpy()]], table])
    table.round(4).sort_values(["question", "dwell_us"], kind="stable").to_csv(HERE / name, index=False)


def main() -> None:
    """Measure, or write the page of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="one question, as T22")
    parser.add_argument("--page", action="store_true", help="measure nothing")
    given = parser.parse_args()
    if not given.page:
        measure(given.only)
    from answers import write_page

    print(write_page(HERE))


if __name__ == "__main__":
    main()
