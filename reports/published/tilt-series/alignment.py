"""How well the views of the recipe `tilt-series` are laid on each other by the lines they show.

    python reports/published/tilt-series/alignment.py [--density 8e13] [--seed 3]

Simulates one series with the errors of the stage that the recipe has (about 13 minutes of one core) and aligns it.
"""

from __future__ import annotations

import argparse

import numpy as np

from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Alignment
from veristem.datasets.recipe import load_recipe
from veristem.datasets.truth import LineTruth
from veristem.recon.tomography import series
from veristem.sim.simulate import simulate_recipe

_RIM_NM = 60.0  # of the field that not all views show


def left_px(truth: LineTruth, found: Alignment, points: np.ndarray, pixel_nm: float) -> np.ndarray:
    """How far points show from where they should, rms along x and y [px], but for a move and a turn of the specimen."""
    middle = points - points.mean(axis=0)
    moves = [np.tile(one, (len(points), 1)) for one in np.eye(3)] + [np.cross(one, middle) for one in np.eye(3)]
    true = Alignment(truth.directions_rad, truth.to_image)

    def shown(lie: Alignment, at: np.ndarray) -> np.ndarray:
        assert lie.to_image is not None
        return np.stack([project(at, d, truth.focus_nm, to) for d, to in zip(lie.directions_rad, lie.to_image)])

    here = shown(found, points)
    off = (shown(true, points) - here).ravel()
    slopes = np.stack([(shown(found, points + 0.1 * move) - here).ravel() / 0.1 for move in moves], axis=1)
    left = (off - slopes @ np.linalg.lstsq(slopes, off, rcond=None)[0]).reshape(-1, 2) / pixel_nm
    return np.sqrt((left**2).mean(axis=0))


def main() -> None:
    """Print what is left before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--density", type=float, default=8e13, help="of lines [1/m²]")
    parser.add_argument("--seed", type=int, default=3)
    asked = parser.parse_args()
    values = {"recipe.seed": asked.seed, "specimen.network.density_per_m2": asked.density}
    truth, a, _ = simulate_recipe(load_recipe("tilt-series").with_values(values))
    assert isinstance(truth, LineTruth)
    points = np.concatenate(list(truth.network.chains(truth.visible)))
    points = points[((points[:, :2] > _RIM_NM) & (points[:, :2] < np.array(a.field_nm) - _RIM_NM)).all(axis=1)]
    found = series.align(a)
    across = np.array([np.cos(a.tilt_axis_rad + np.pi / 2), np.sin(a.tilt_axis_rad + np.pi / 2)])
    ways = {"as said": Alignment(a.directions_rad, a.to_image), "aligned": found.alignment}
    for name, lie in ways.items():
        off = np.degrees((np.asarray(lie.directions_rad) - truth.directions_rad) @ across)
        x, y = left_px(truth, lie, points, a.pixel_nm)
        print(f"{name}: {x:.2f} and {y:.2f} pixels rms along x and y, tilts off by {off.std():.3f} deg")
    print(f"{len(points)} points of visible lines; {len(np.unique(found.seen.feature))} features followed")


if __name__ == "__main__":
    main()
