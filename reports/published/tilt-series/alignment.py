"""How well the views of the recipe `tilt-series` are laid on each other by the lines they show.

    python reports/published/tilt-series/alignment.py [--density 8e13] [--seed 3] [--contours learned]

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


def left_px(
    found: Alignment, true: Alignment, points_nm: np.ndarray, focus_nm: float, pixel_nm: float
) -> tuple[float, float]:
    """How far points (N, 3) show from where they should, rms along x and y [px], but for a move and a turn of all."""
    middle = points_nm - points_nm.mean(axis=0)
    moves = [np.tile(one, (len(middle), 1)) for one in np.eye(3)] + [np.cross(one, middle) for one in np.eye(3)]

    def shown(lie: Alignment, at: np.ndarray) -> np.ndarray:
        assert lie.to_image is not None
        return np.stack([project(at, d, focus_nm, to) for d, to in zip(lie.directions_rad, lie.to_image)])

    here = shown(found, points_nm)
    off = (shown(true, points_nm) - here).ravel()
    slopes = np.stack([(shown(found, points_nm + 0.1 * move) - here).ravel() / 0.1 for move in moves], axis=1)
    left = (off - slopes @ np.linalg.lstsq(slopes, off, rcond=None)[0]).reshape(-1, 2) / pixel_nm
    x, y = np.sqrt((left**2).mean(axis=0))
    return float(x), float(y)


def main() -> None:
    """Print what is left before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--density", type=float, default=8e13, help="of lines [1/m²]")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--contours", choices=["ridge", "learned"], help="followed in place of the images' contrast")
    asked = parser.parse_args()
    values = {"recipe.seed": asked.seed, "specimen.network.density_per_m2": asked.density}
    truth, a, _ = simulate_recipe(load_recipe("tilt-series").with_values(values))
    assert isinstance(truth, LineTruth)
    points = np.concatenate(list(truth.network.chains(truth.visible)))
    points = points[((points[:, :2] > _RIM_NM) & (points[:, :2] < np.array(a.field_nm) - _RIM_NM)).all(axis=1)]
    found = series.align(a, contours=asked.contours)
    across = np.array([np.cos(a.tilt_axis_rad + np.pi / 2), np.sin(a.tilt_axis_rad + np.pi / 2)])
    true = Alignment(truth.directions_rad, truth.to_image)
    ways = {"as said": Alignment(a.directions_rad, a.to_image), "aligned": found.alignment}
    for name, lie in ways.items():
        off = np.degrees((np.asarray(lie.directions_rad) - truth.directions_rad) @ across)
        x, y = left_px(lie, true, points, truth.focus_nm, a.pixel_nm)
        print(f"{name}: {x:.2f} and {y:.2f} pixels rms along x and y, tilts off by {off.std():.3f} deg")
    print(f"{len(points)} points of visible lines; {len(np.unique(found.seen.feature))} features followed")


if __name__ == "__main__":
    main()
