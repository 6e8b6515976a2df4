"""When are two beams enough? The image of one line by two beams and by systematic rows, over the convergence."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

from veristem.datasets import DislocationNetwork, load_material
from veristem.datasets.crystal import electron_wavelength_nm
from veristem.datasets.geometry import Region
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn
from veristem.reports.style import METHODS
from veristem.sim.contrast import Extinction, Row
from veristem.sim.elasticity.segment import segment_distortion
from veristem.sim.images import counted
from veristem.sim.rays import Illumination, bundles, row_orders

CASES = {"gamma-TiAl 002": ("gamma-TiAl", (0, 0, 2), 0.283), "Cu 111": ("Cu", (1, 1, 1), 0.256)}  # |b| in nm
BEAMS = (2, 3, 5, 7)
ALPHAS_MRAD = (1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 30.0, 45.0, 60.0, 91.0)
DEPTHS_NM = (50.0, 100.0, 150.0)
TILT_DEG = 0.14
_ENERGY_KEV, _THICKNESS_NM, _SLICE_NM = 200.0, 200.0, 2.0
_X = np.arange(-60.0, 60.25, 0.5)  # nm
_SHEAR_NM = (0.5, np.inf)  # along y nothing changes
_PIXEL = 5  # of these a pixel of 2.5 nm has
_ENOUGH = 0.1  # relative difference in contrast and in width
_WIDE_MRAD = 45.0
_ENOUGH_NM = 0.5  # difference in position


class Line(NamedTuple):
    """What an image shows of a line: contrast, rms width and centroid of its square [nm], background."""

    contrast: float
    width_nm: float
    position_nm: float
    background: float


def profiles(case: str, beams: int, alpha_mrad: float, depths_nm=DEPTHS_NM, tilt_deg: float = TILT_DEG) -> np.ndarray:
    """Share of the electrons in the direct disc (depths, x), across a mixed line along y with g·b = 1 at each depth.

    Rays go through x + (z - t/2) tan(theta); the last x is the perfect crystal.
    """
    name, hkl, burgers_nm = CASES[case]
    material = load_material(name)
    g = float(np.linalg.norm(material.reciprocal_per_nm(hkl)))
    xi, xi_abs, losses, _ = material.extinction_distances_nm(hkl, _ENERGY_KEV)
    crystal = Extinction(xi, xi_abs, losses)
    if beams > 2:
        crystal = Row.of_material(material, hkl, _ENERGY_KEV, tuple(int(n) for n in row_orders(beams)))
    alpha = 1e-3 * alpha_mrad
    z = (np.arange(round(_THICKNESS_NM / _SLICE_NM)) + 0.5) * _SLICE_NM
    reach = np.ceil(np.tan(alpha) * _THICKNESS_NM / 2) + 1
    wide = np.arange(_X[0] - reach, _X[-1] + reach + 0.25, 0.5)
    b = np.array([1 / g, np.sqrt(burgers_nm**2 - 1 / g**2), 0.0])
    fields = []
    for depth in depths_nm:
        line = DislocationNetwork.from_polyline(np.array([[0.0, -2e4, depth], [0.0, 2e4, depth]]), b)
        points = np.zeros((len(z), len(wide), 3))
        points[..., 0], points[..., 2] = wide + 0.05, z[:, None]  # no column hits the core
        strain = segment_distortion(line, points.reshape(-1, 3), material.poisson_ratio, 0.3)[:, 0]
        fields.append([g * strain[:, axis].reshape(points.shape[:2]) for axis in (0, 2)])
    wavelength = float(electron_wavelength_nm(_ENERGY_KEV))
    s0 = g * np.sin(np.radians(tilt_deg))
    total = np.zeros((len(depths_nm), len(_X) + 1))
    light = Illumination(alpha, np.array([g, 0.0]), wavelength, s0, _THICKNESS_NM, beams)
    for part in bundles([Region((0.0, 0.0), alpha)], light, _SHEAR_NM):
        tan = np.tan(part.theta_rad[0])
        beta = np.zeros((len(z), *total.shape), np.float32)
        for i, (along_x, along_z) in enumerate(fields):
            for row, field, depth in zip(beta[:, i], along_z + tan * along_x, z):
                row[:-1] = np.interp(_X + (depth - _THICKNESS_NM / 2) * tan, wide, field)
        total += counted(part, part.sign * beta, _SLICE_NM, crystal)[0]
    return total


def measured(intensity: np.ndarray) -> Line:
    """What pixels of 2.5 nm see of one of the `profiles`."""
    away = uniform_filter1d(intensity[:-1] / intensity[-1] - 1, _PIXEL)
    weight = away**2 / (away**2).sum()
    centroid = float(_X @ weight)
    width = float(np.sqrt((_X - centroid) ** 2 @ weight))
    return Line(float(np.abs(away).max()), width, centroid, float(intensity[-1]))


def compared(alphas=ALPHAS_MRAD, depths=DEPTHS_NM, cases=tuple(CASES), beams=BEAMS, tilt_deg: float = TILT_DEG):
    """{case: (alphas, beams, depths, 4) `Line`}."""
    return {
        case: np.array(
            [[[measured(one) for one in profiles(case, n, alpha, depths, tilt_deg)] for n in beams] for alpha in alphas]
        )
        for case in cases
    }


def differences(lines: np.ndarray, first: int = 0, second: int = -1) -> np.ndarray:
    """(alphas, 3): relative in contrast and width, in nm in position, of two numbers of beams; the worst depth."""
    one, other = lines[:, first], lines[:, second]
    relative = np.abs(one[..., :2] / other[..., :2] - 1)
    return np.concatenate([relative, np.abs(one - other)[..., 2:3]], axis=-1).max(axis=1)


def enough(lines: np.ndarray, alphas=ALPHAS_MRAD) -> list[float]:
    """The convergences at which two beams differ from the largest row by no more than is allowed."""
    bounds = np.array([_ENOUGH, _ENOUGH, _ENOUGH_NM])
    return [alpha for alpha, found in zip(alphas, differences(lines)) if np.all(found <= bounds)]


def _told(off: np.ndarray) -> tuple[str, str, str]:
    return f"{off[0]:.0%} in contrast", f"{off[1]:.0%} in width", f"{off[2]:.1f} nm in position"


@styled
def figure(found: dict[str, np.ndarray]):
    """Contrast, width and position over alpha at mid-depth, one column a crystal."""
    drawing = open_figure((6.7, 5.4))
    axes = drawing.subplots(3, len(found), sharex=True, sharey="row", squeeze=False)
    middle = len(DEPTHS_NM) // 2
    for column, (case, lines) in zip(axes.T, found.items()):
        for ax, what in zip(column, ("contrast of the line", "width (nm)", "position (nm)")):
            value = ("contrast of the line", "width (nm)", "position (nm)").index(what)
            for n, colour, mark in zip(BEAMS, METHODS, "os^v"):
                name = "two beams" if n == 2 else f"row of {n}"
                how = {"color": colour, "marker": mark, "ms": 3.5, "lw": 1.1, "mfc": "none", "label": name}
                ax.semilogx(ALPHAS_MRAD, lines[:, BEAMS.index(n), middle, value], **how)
        column[0].set_title(case)
        column[-1].set(xlabel="convergence semi-angle (mrad)", xticks=(1, 2, 5, 10, 20, 50))
        column[-1].set_xticklabels(["1", "2", "5", "10", "20", "50"])
        column[-1].minorticks_off()
    for ax, label in zip(axes[:, 0], ("contrast of the line", "width (nm)", "position (nm)")):
        ax.set_ylabel(label)
    axes[0, -1].legend()
    return drawing


def costs(case: str = "Cu 111", alpha_mrad: float = 12.0) -> list[float]:
    """Time of profiles by each number of beams over that by two."""
    took = []
    for n in BEAMS:
        profiles(case, n, alpha_mrad)
        start = time.perf_counter()
        profiles(case, n, alpha_mrad)
        took.append(time.perf_counter() - start)
    return [one / took[0] for one in took]


def write_study(folder: Path) -> Path:
    """Write beams.png and README.md into a folder and return the latter's path."""
    found, exact = compared(), compared(tilt_deg=0.0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "beams.png").write_bytes(drawn(figure(found), "png", 200))
    rows, sentences = [], []
    middle = len(DEPTHS_NM) // 2
    for case, lines in found.items():
        converged = differences(lines, BEAMS.index(5))
        for alpha, line, off, seven in zip(ALPHAS_MRAD, lines, differences(lines), converged):
            contrasts = " | ".join(f"{value:.2f}" for value in line[:, middle, 0])
            background = " / ".join(f"{line[n, middle, 3]:.2f}" for n in (0, -1))
            rows.append(
                f"| {case} | {alpha:g} | {contrasts} | {off[0]:.0%}, {off[1]:.0%}, {off[2]:.1f} nm "
                f"| {seven[0]:.0%}, {seven[1]:.0%}, {seven[2]:.1f} nm | {background} |"
            )
        for tilt, some in ((TILT_DEG, lines), (0.0, exact[case])):
            good = ", ".join(f"{a:g}" for a in enough(some))
            off = differences(some)
            wide = np.array(ALPHAS_MRAD) >= _WIDE_MRAD
            below, above = (", ".join(_told(off[part].max(axis=0))) for part in (~wide, wide))
            sentences.append(
                f"- {case}, {tilt:g}° from the Bragg condition: {f'at {good} mrad' if good else 'nowhere'}. At worst "
                f"{below} below {_WIDE_MRAD:g} mrad, {above} from there on."
            )
    text = _README.format(
        table="\n".join(rows),
        sentences="\n".join(sentences),
        enough=f"{_ENOUGH:.0%}",
        near=_ENOUGH_NM,
        cost=", ".join(f"{ratio:.1f}" for ratio in costs()[1:]),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder / "README.md"


_README = """# When are two beams enough?

```
python reports/published/beams/make.py
```

![Contrast, width and position of a line by two beams and by rows of three, five and seven](beams.png)

One straight mixed line along y with g·b = 1, g along x, in 200 nm at 200 kV; bright field of the whole direct disc,
cone and detector of α, pixels of 2.5 nm; 0.14° from the Bragg condition, the default of recipes. Two beams are both
ends of a two-beam case (docs/conventions.md); a row is centred on the direct beam. The line is at a depth of 100 nm in
the figure, in the contrasts and in the levels of the background; differences are the worst of 50, 100 and 150 nm.
Contrast: the largest |I/background − 1|; width: rms of its square about its centroid, the position.

**Within {enough} in contrast and in width and {near:g} nm in position of seven beams:**

{sentences}

**Default.** A row of 5 beams, of 7 for cones below 20 mrad. Two beams, which `--set specimen.beams=2` takes, make a
line a fifth to a quarter too faint in cones of 91 and 130 mrad, and show another image below 45 mrad.

| crystal | α, mrad | contrast: 2 beams | 3 | 5 | 7 | 2 from 7: contrast, width, position | 5 from 7 | level 2 / 7 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{table}

A profile by 3, 5 and 7 beams takes {cost} times as long as by two (Cu, 12 mrad).

Limits. Reflections off the row are left out: they are weak when the foil is tilted far from a zone axis, and a cone
that covers other Bragg lines (α well above the Bragg angle) excites them whatever the tilt. Columns along each ray:
that a ray of 60 mrad crosses 12 nm of the foil sideways is followed; that beams of a row part by nλg t within the foil,
2 to 3 nm for n = 1 and three times that for n = 3, is not. ξ/ξ' is that of the first order throughout.
"""


def main() -> None:
    """Write the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, help="folder of README.md")
    print(write_study(parser.parse_args().out))


if __name__ == "__main__":
    main()
