"""Which angle turns disparity into depth: rim, mean direction or what makes the contrast, over the inner radius."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.append(str(Path(__file__).parents[3] / "tests"))

from validation.depth_scale import angle_deg, foil_with, shift_nm
from veristem.bench.pages.particles import first_peak_nm
from veristem.datasets import ParticleDispersion
from veristem.datasets.geometry import pair_angle_rad
from veristem.datasets.recipe import Recipe, load_recipe
from veristem.datasets.reconstruction import PointSet
from veristem.datasets.specimens import Particles
from veristem.datasets.truth import ParticleTruth
from veristem.recon.methods import run_method
from veristem.recon.particles.pair_correlation import radial_distribution
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.style import METHODS
from veristem.sim.acquire import acquire
from veristem.sim.film import film_of
from veristem.sim.simulate import simulate_recipe

CONE_MRAD = 28.0
INNER_MRAD = (0.0, 3.5, 7.5, 10.5, 14.0, 17.5, 21.0)
THESIS_DEG = 3.0  # taken for the particles of the thesis, whose inner radius was near 14 mrad
# what spheres of gold crystal show between quadrants of 14 to 28 mrad, by multislice, with the error over orientations:
# tests/validation/gold.py, and another one, four crystals with frozen phonons, nine directions a quadrant, centroids
MULTISLICE_DEG = {"ours": (3.00, 0.04), "an independent one": (2.83, 0.10)}
ASSUMED_DEG, _THESIS_NM = (2.0, 2.2, 2.8, 3.0), (6.0, 5.9, 5.6, 5.5)  # its table of first peaks
# spheres that only keep apart have no peak to speak of at this concentration
_ATTRACTIVE = {"generator": "attractive", "attraction_kT": 3.0, "range_nm": 0.4}
NOMINAL = -1.0  # stands for the angle of the mean directions
CENTROID, CONTOUR, ABSORBED = "particles", "particles, at half depth", "particles that absorb"
KIKUCHI, ALONG_G = "along the Kikuchi line", "along g"
_PAIRS = {KIKUCHI: (0, (0, 2)), ALONG_G: (1, (1, 3))}  # axis, and A and C, B and D
_LINES = ((1, 0, 1), (0, 1, 1), (1, 0, -1))  # twice the Burgers vectors, all with |g·b| = 1
_SEEDS = 4


class Scale(NamedTuple):
    """What one specimen shows between two opposite quadrants.

    Angles [deg]: that which turns the disparities found into the true depths, and those of three definitions. likeness:
    correlation of what was matched, median over it. spread_nm: rms of what is left of depth.
    """

    what: str
    inner_mrad: float
    measured: float
    rim: float
    mean: float
    contrast: float
    likeness: float = 1.0
    spread_nm: float = 0.0

    def scale(self, angle: float) -> float:
        """Depth found with an angle [deg], over the true one."""
        return float(np.tan(np.radians(self.measured) / 2) / np.tan(np.radians(angle) / 2))


def recipe_with(name: str, inner_mrad: float, **values) -> Recipe:
    """A recipe with opposite quadrants along x and y."""
    detector = {"kind": "segmented", "inner_mrad": inner_mrad, "outer_mrad": CONE_MRAD}
    ideal = {"microscope.aberrations": "none", "scan.registered": False}
    changed = ideal | {"microscope.convergence_mrad": CONE_MRAD, "microscope.detector": detector}
    return load_recipe(name).with_values(changed | {key.replace("__", "."): value for key, value in values.items()})


def definitions(truth, acquisition, pair: tuple[int, int]) -> tuple[float, float, float]:
    """Angle between rims, nominal mean directions and true directions of the contrast of two views [deg]."""
    nominal, contrast = acquisition.directions_rad, truth.contrast_directions_rad
    rim = 2e-3 * CONE_MRAD
    first, second = pair
    mean, light = (float(np.degrees(pair_angle_rad(d[first], d[second]))) for d in (nominal, contrast))
    return float(np.degrees(rim)), mean, light


def particles(inner_mrad: float, rescattering: bool = True) -> list[Scale]:
    """Spheres apart from each other at all depths: where their images without noise stand.

    By the centroid of all that is dark and, with rescattering, of what is darker than half of the depth.
    """
    side, step, pixel = 160.0, 20.0, 0.4
    shape = (round(side / pixel),) * 2
    values = {"scan__shape": shape, "specimen__field_nm": (side, side), "specimen__rescattering": rescattering}
    recipe = recipe_with("particles-small", inner_mrad, **values)
    at = np.arange(step / 2, side, step)
    x, y = (one.ravel() for one in np.meshgrid(at, at))
    z = np.random.default_rng(0).permutation(np.linspace(20.0, recipe.specimen.thickness_nm - 20.0, len(x)))
    table = recipe.specimen
    assert isinstance(table, Particles)
    box = np.array([side, side, table.thickness_nm])
    spheres = ParticleDispersion(np.stack([x, y, z], axis=1), np.full(len(x), 2.25), box)
    truth, acquisition = acquire(film_of(table, spheres), recipe, np.random.default_rng(0))
    half = int(0.45 * step / pixel)
    offset = (np.arange(-half, half + 1)) * pixel
    places = np.empty((2, 4, len(x), 2))
    for view, expected in enumerate(truth.expected.astype(float)):
        for n, (i, j) in enumerate(np.floor(np.stack([x, y], axis=1) / pixel).astype(int)):
            window = expected[j - half : j + half + 1, i - half : i + half + 1]
            rim = np.concatenate([window[0], window[-1], window[:, 0], window[:, -1]])
            dark = rim.mean() - window
            for how, weight in enumerate((dark, np.maximum(dark - dark.max() / 2, 0.0))):
                places[how, view, n] = [(weight.sum(axis) * offset).sum() / weight.sum() for axis in (0, 1)]
                places[how, view, n] += pixel * (np.array([i, j]) + 0.5) - [x[n], y[n]]
    found = []
    for what, place in zip((CENTROID, CONTOUR) if rescattering else (ABSORBED,), places):
        disparity = place[2, :, 0] - place[0, :, 0]  # of A and C; a film has no direction of its own
        angle, spread = angle_deg(z, disparity)
        found.append(Scale(what, inner_mrad, angle, *definitions(truth, acquisition, (0, 2)), spread_nm=spread))
    return found


def lines(inner_mrad: float, where: str = KIKUCHI, burgers=_LINES) -> list[Scale]:
    """Straight lines that rise through the foil across the epipolar direction: their profiles, shifted to agree."""
    length, width, pixel, face = 320.0, 128.0, 1.0, 15.0
    axis, pair = _PAIRS[where]
    field = (width, length) if axis == 0 else (length, width)
    shape = (round(field[1] / pixel), round(field[0] / pixel))
    recipe = recipe_with("cantor-stereo", inner_mrad, scan__shape=shape, scan__pixel_nm=pixel, specimen__field_nm=field)
    found = []
    for twice_b in burgers:
        foil = foil_with(recipe, axis, face, np.array(twice_b) / 2)
        truth, acquisition = acquire(foil, recipe, np.random.default_rng(0))
        left, right = (view if axis == 0 else view.T for view in truth.expected[list(pair)].astype(float))
        z = face + (recipe.specimen.thickness_nm - 2 * face) * (np.arange(len(left)) + 0.5) / len(left)
        bands = np.array_split(np.arange(len(z)), 32)[2:-2]  # 10 nm long; the ends near the faces left out
        matched = [shift_nm(left[band].mean(axis=0), right[band].mean(axis=0), pixel) for band in bands]
        shifts, alike = np.array(matched).T
        angle, spread = angle_deg(np.array([z[band].mean() for band in bands]), shifts)
        of = definitions(truth, acquisition, pair)
        found.append(Scale(f"lines, {where}", inner_mrad, angle, *of, float(np.median(alike)), spread))
    return found


def first_peaks(assumed_deg=ASSUMED_DEG) -> tuple[float, float, dict[float, float]]:
    """First peak of g(r) of the thesis's film [nm]: of the truth, with the mean direction and with other angles."""
    edges = np.arange(0.0, 12.0, 0.3)
    curves: dict[float, list[np.ndarray]] = {angle: [] for angle in (0.0, NOMINAL, *assumed_deg)}
    for seed in range(_SEEDS):
        recipe = recipe_with("particles", 14.0, recipe__seed=seed, specimen__dispersion=_ATTRACTIVE)
        truth, acquisition, _ = simulate_recipe(recipe)
        assert isinstance(truth, ParticleTruth)
        points = run_method("points-matched", acquisition)
        assert isinstance(points, PointSet)
        nominal = pair_angle_rad(acquisition.directions_rad[0], acquisition.directions_rad[2])
        box = np.array([*acquisition.field_nm, truth.thickness_nm])
        for angle, curve in curves.items():
            places = truth.particles.centers_nm if angle == 0 else points.points_nm
            scale = np.tan(nominal / 2) / np.tan(np.radians(angle) / 2) if angle > 0 else 1.0
            inside = ((places >= 0) & (places <= box)).all(axis=1)
            deep = np.array([1.0, 1.0, scale])
            curve.append(radial_distribution(places[inside] * deep, box * deep, edges))
    middle = (edges[1:] + edges[:-1]) / 2
    peaks = {angle: first_peak_nm(middle, np.mean(curve, axis=0), 4.5) or np.nan for angle, curve in curves.items()}
    return peaks.pop(0.0), peaks.pop(NOMINAL), peaks


def assumptions(at: dict[str, dict[float, Scale]]) -> str:
    """Rows of what depth found over true depth each assumed angle gives, for quadrants of 14 to 28 mrad.

    A row for each way of knowing the true angle, a column for each angle assumed, the interval that of the former.
    """
    known = {
        "our images, centroid": (at[CENTROID][14.0].measured, 0.0),
        "our images, half depth": (at[CONTOUR][14.0].measured, 0.0),
        **{f"multislice, {whose}, centroid": value for whose, value in MULTISLICE_DEG.items()},
        "particles that absorb": (at[ABSORBED][14.0].measured, 0.0),
    }
    assumed = (at[CENTROID][14.0].mean, THESIS_DEG, at[CENTROID][14.0].rim)
    rows = []
    for how, (angle, error) in known.items():
        cells = [f"{angle / a:.2f}" + (f" ± {error / a:.2f}" if error else "") for a in assumed]
        rows.append(f"| {how} | {angle:.2f}" + (f" ± {error:.2f}" if error else "") + f" | {' | '.join(cells)} |")
    head = " | ".join(f"{name}, {a:.3g}°" for name, a in zip(("mean direction", "the thesis", "rim to rim"), assumed))
    return "\n".join([f"| the true angle, by | ° | {head} |", "| --- | --- | --- | --- | --- |", *rows])


@styled
def figure(scales: list[Scale]):
    """Depth found over true depth, against the inner radius, with three angles; centroids of particles, and lines."""
    drawing = open_figure((6.7, 2.9))
    axes = drawing.subplots(1, 2, sharey=True)
    for ax, letter, what in zip(axes, "ab", (CENTROID, f"lines, {KIKUCHI}")):
        of = [s for s in scales if s.what == what]
        inner = sorted({s.inner_mrad for s in of})
        for name, colour, marker in zip(_NAMES, (METHODS[1], METHODS[0], METHODS[2]), "so^"):
            values = [[s.scale(getattr(s, name)) for s in of if s.inner_mrad == at] for at in inner]
            ax.plot(inner, [np.mean(v) for v in values], marker, ls="-", lw=1, ms=4, color=colour, label=_NAMES[name])
            for at, v in zip(inner, values):
                ax.plot([at, at], [min(v), max(v)], "-", lw=2.5, color=colour, alpha=0.5)
        if what == CENTROID:
            (taken,) = (s for s in of if s.inner_mrad == 14.0)
            ax.plot(14.0, taken.scale(THESIS_DEG), "*", ms=9, color=METHODS[6], label=f"{THESIS_DEG:g}°, the thesis")
        ax.axhline(1, color="0.5", lw=0.8, ls=(0, (4, 3)), zorder=0)
        ax.set(xlabel="inner radius of the quadrants (mrad)", ylim=(0.4, 1.8))
        ax.set_title(f"{letter}  {what}", loc="left")
    axes[0].set_ylabel("depth found / true depth")
    axes[0].legend(loc="upper right")
    return drawing


def write_study(folder: Path) -> Path:
    """Write angles.png and README.md into a folder and return the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    scales = [
        s for inner in INNER_MRAD for s in (*particles(inner), *particles(inner, rescattering=False), *lines(inner))
    ]
    (across,) = lines(14.0, ALONG_G, _LINES[:1])
    (folder / "angles.png").write_bytes(drawn(figure(scales), "png", 200))
    table = []
    for what in dict.fromkeys(s.what for s in scales):
        for inner in INNER_MRAD:
            of = [s for s in scales if s.what == what and s.inner_mrad == inner]
            angles = " | ".join(f"{np.mean([getattr(s, k) for s in of]):.2f}" for k in ("measured", "mean", "contrast"))
            shares = " | ".join(f"{np.mean([s.scale(getattr(s, k)) for s in of]):.3f}" for k in _NAMES)
            table.append(f"| {what} | {inner:g} | {angles} | {shares} | {np.mean([s.spread_nm for s in of]):.2g} |")
    true, nominal, peaks = first_peaks()
    at = {what: {s.inner_mrad: s for s in scales if s.what == what} for what in (CENTROID, CONTOUR, ABSORBED)}
    seen = [at[CENTROID][14.0].measured, at[CONTOUR][14.0].measured]
    seen += [angle + sign * error for angle, error in MULTISLICE_DEG.values() for sign in (-1, 1)]
    alike = [s.likeness for s in scales if s.what.startswith("lines")]
    text = _README.format(
        table="\n".join(table),
        thesis=THESIS_DEG,
        assumptions=assumptions(at),
        first=at[CENTROID][21.0].measured / at[CENTROID][0.0].measured,
        second=at[ABSORBED][21.0].measured / at[ABSORBED][0.0].measured,
        low_scale=min(seen) / THESIS_DEG,
        high_scale=max(seen) / THESIS_DEG,
        low_mean=min(seen) / at[CENTROID][14.0].mean,
        high_mean=max(seen) / at[CENTROID][14.0].mean,
        absorbed=at[ABSORBED][14.0].measured,
        measured=at[CENTROID][14.0].measured,
        contour=at[CONTOUR][14.0].measured,
        low=min(alike),
        across=across.likeness,
        head=" | ".join(f"{angle:g}°" for angle in peaks),
        dashes=" | ".join("---" for _ in peaks),
        ours=" | ".join(f"{peak:.2f}" for peak in peaks.values()),
        theirs=" | ".join(f"{peak:g}" for peak in _THESIS_NM),
        true=true,
        nominal=nominal,
        seeds=_SEEDS,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder / "README.md"


_NAMES = {"rim": "rim to rim", "mean": "mean direction", "contrast": "direction of the contrast"}

_README = """# Which angle turns disparity into depth?

```
python reports/published/angles/make.py
```

![Depth found over true depth, against the inner radius of the quadrants](angles.png)

Opposite quadrants of an annulus from the inner radius to the rim of a cone of 28 mrad; images without noise.
Particles: 64 gold spheres of 4.5 nm at depths from 20 to 158 nm in ice, centroids. Lines: CoCrFeMnNi, g = 002, a foil
of 200 nm with both faces free, three straight lines with |g·b| = 1 that rise from face to face across the epipolar
direction; profiles over 10 nm of line are shifted until their correlation is highest. The angle measured is that of the
slope of disparity over true depth. Bars: the three lines.

| what | inner mrad | measured ° | mean ° | contrast ° | scale, rim | scale, mean | scale, contrast | left nm |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{table}

Measured: the angle of the slope. Mean, contrast: the angle between mean directions, and between those of what makes the
contrast; rim to rim is 3.21° always. Scale: depth found over true depth with each. Left: rms of depth that the straight
line leaves over.

**Particles scatter into the cone.** What a quadrant gets back comes from all directions, so that its contrast is that
of steeper rays than the mean: {measured:.2f}° by the centroid of all that is dark, {contour:.2f}° where the image is
darker than half of its depth, {absorbed:.2f}° (the mean direction) if particles only absorbed. Depth found over true
depth, quadrants of 14 to 28 mrad, spheres of 4.5 nm:

{assumptions}

**The thesis's choice.** With {thesis:g}° for its particles (inner radius near 14 mrad) depths come out at
{low_scale:.2f} to {high_scale:.2f} of the truth, by how places are measured and by which calculation; with the mean
direction at {low_mean:.2f} to {high_mean:.2f}. Only particles that absorb and scatter nothing into the cone would make
{thesis:g}° 25 % wrong.

**What would settle it.** The same particles at two inner radii, no model of gold needed: from 0 to 21 mrad their
disparities (centroids) grow by a factor of {first:.2f} here, and of {second:.2f} if particles only absorb, whatever
their depths. Or particles on both faces of a film of known thickness; or the same field tilted by a known angle.

**Quadrants along g are no pair for lines.** There the two profiles of a line correlate by {across:.2f} only (those
along the Kikuchi line by at least {low:.2f}; medians over the line): one quadrant sees it far from the Bragg condition.
No depth scale exists.

**First peak of g(r)** (question T20; recipe `particles` with spheres that attract each other by 3 kT over 0.4
nm, `points-matched`, mean of {seeds} seeds, bins of 0.3 nm). Truth {true:.2f} nm; with the mean direction
{nominal:.2f} nm.

| assumed angle | {head} |
| --- | {dashes} |
| ours, nm | {ours} |
| the thesis, nm | {theirs} |

**What changed, and why.** Lines are imaged by a row of five beams, with what phonons bring back, where they were two
beams at the Bragg condition: what scales their depths right lies above the mean direction from 10.5 mrad on, by 12 %
for quadrants of 14 to 28 mrad (3 % before), and below it for wider ones. Particles scatter into the cone, where they
only absorbed for g(r): its first peak falls from 6.00 to 5.83 nm as the assumed angle rises from 2° to 3°, 5.88 nm
being true; the thesis's falls from 6 to 5.5 nm. Against truth the peak says little about the angle: it moves by 3 %
while the depth scale moves by half.
"""


def main() -> None:
    """Write the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, help="folder of README.md")
    print(write_study(parser.parse_args().out))


if __name__ == "__main__":
    main()
