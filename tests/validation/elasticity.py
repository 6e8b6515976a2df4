"""Checks of the elastic fields: textbook lines, circuits, the spectral field, both faces relaxed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import j1

from validation.check import Check
from validation.stroh import with_core
from veristem.datasets.crystal import load_material
from veristem.datasets.geometry import rotation_about
from veristem.datasets.network import DislocationNetwork
from veristem.reports.style import METHODS
from veristem.sim.elasticity import segment_distortion, spectral_distortion
from veristem.sim.elasticity.bending import MARGIN, relax
from veristem.sim.elasticity.faces import FaceLoads
from veristem.sim.elasticity.spectral import isotropic_stiffness, projected_distortion, rotated_stiffness

NU, B, FAR = 0.3, 0.25, 2.0e4
CORE, STEP, SHAPE = 3.0, 2.0, (50, 64, 64)
SIZE = STEP * np.array(SHAPE[::-1])
_HIRTH = "Hirth & Lothe, Theory of Dislocations, 1982"


def rms(values) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def polyline(points, burgers, closed: bool = False) -> DislocationNetwork:
    """A line through points."""
    return DislocationNetwork.from_polyline(np.array(points, float), np.array(burgers, float), closed)


def through(low, high, burgers) -> DislocationNetwork:
    """A line between the faces of a foil, continued along their normals."""
    return polyline([(*low[:2], -FAR), low, high, (*high[:2], FAR)], burgers)


def ring(center, radius: float, burgers, count: int = 48) -> DislocationNetwork:
    """A loop about +z."""
    turn = 2 * np.pi * np.arange(count) / count
    points = np.column_stack([np.cos(turn), np.sin(turn), 0 * turn]) * radius + center
    return polyline(points, burgers, closed=True)


def junction() -> DislocationNetwork:
    """Three arms that leave one node for the sides of the box, their Burgers vectors summing to zero."""
    ends = np.array([[64.0, 64, 50], [-3000, 40, 20], [3000, 90, 60], [70, 50, 3000]])
    burgers = np.array([[0.2, 0.1, 0.0], [-0.1, 0.1, 0.2], [-0.1, -0.2, -0.2]])
    return DislocationNetwork(ends, np.array([[0, 1], [0, 2], [0, 3]]), burgers, np.array([False, True, True, True]))


def scenes() -> dict[str, DislocationNetwork]:
    """What a network is made of."""
    found = {"loop": ring((64, 64, 50), 30, [0.1, 0.2, 0.3]), "loop at an edge": ring((6, 64, 95), 20, [0.3, 0.1, 0.1])}
    for degrees in (0, 30, 60, 80):
        half = 50 * np.tan(np.radians(degrees)) * np.array([np.cos(0.3), np.sin(0.3)])
        low, high = (64 - half[0], 64 - half[1], 0.0), (64 + half[0], 64 + half[1], 100.0)
        found[f"line at {degrees}°"] = through(low, high, [0.2, 0.1, 0.15])
    found["line in the foil"] = polyline([(-FAR, 50, 40), (FAR, 50, 40)], [0.2, 0.1, 0.1])
    found["junction"] = junction()
    found["open segment"] = polyline([(30, 50, 40), (90, 70, 60)], [0.2, 0.1, 0.1])
    found["line far away"] = polyline([(-300, 300, -900), (-280, 280, 900)], [0.2, 0, 0.2])
    return found


def distances(network: DislocationNetwork, points: np.ndarray) -> np.ndarray:
    """Distance (N,) of points to the nearest segment."""
    first, second = network.ends_nm()
    best = np.full(len(points), np.inf)
    for a, d in zip(first, second - first):
        share = np.clip((points - a) @ d / (d @ d), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - share[:, None] * d, axis=1))
    return best


def spectral_error(network: DislocationNetwork, shape=SHAPE, step: float = STEP, core: float = CORE) -> float:
    """Difference from the segment sum over its rms, outside four cores; half of the points lie on the box's sides."""
    field = spectral_distortion(network, shape, step, isotropic_stiffness(NU), core)
    size = np.array(shape[::-1])
    voxels = np.random.default_rng(0).integers(0, size, (3000, 3))
    for axis in range(3):
        voxels[500 * axis : 500 * (axis + 1), axis] = (size[axis] - 1) * (np.arange(500) % 2)
    points = (voxels + 0.5) * step
    away = distances(network, points) > 4 * core
    exact = segment_distortion(network, points[away], NU, core)
    found = field[:, :, voxels[away, 2], voxels[away, 1], voxels[away, 0]].transpose(2, 0, 1)
    return rms(found - exact) / rms(exact)


def straight_lines() -> Check:
    """Check 4: a long segment is the straight screw and edge of the textbooks."""
    points = np.random.default_rng(0).uniform(-50, 50, (2000, 3))
    points = points[np.hypot(points[:, 0], points[:, 1]) > 5]
    x, y = points[:, 0], points[:, 1]
    r2 = x**2 + y**2
    screw, edge = np.zeros((2, len(points), 3, 3))
    screw[:, 2, 0], screw[:, 2, 1] = -B / (2 * np.pi) * y / r2, B / (2 * np.pi) * x / r2
    common = B / (4 * np.pi * (1 - NU) * r2**2)
    edge[:, 0, 0] = -common * y * ((3 - 2 * NU) * x**2 + (1 - 2 * NU) * y**2)
    edge[:, 0, 1] = common * x * ((3 - 2 * NU) * x**2 + (1 - 2 * NU) * y**2)
    edge[:, 1, 0] = -common * x * ((1 - 2 * NU) * x**2 + (3 - 2 * NU) * y**2)
    edge[:, 1, 1] = common * y * ((1 + 2 * NU) * x**2 - (1 - 2 * NU) * y**2)
    worst, shown = 0.0, {}
    for name, burgers, exact in (("screw, U_zy", [0, 0, B], screw), ("edge, U_xy", [B, 0, 0], edge)):
        line = polyline([(0, 0, -1e7), (0, 0, 1e7)], burgers)
        found = segment_distortion(line, points, NU, 1e-4)
        worst = max(worst, np.abs(found - exact).max() / np.abs(exact).max())
        shown[name] = (exact[..., -1, 1] if "screw" in name else exact[..., 0, 1], _entry(found, name))
    return Check(
        "4a",
        "Straight lines",
        "U_zy = bx/2πr²; the edge's gradients involve ν; a → 0",
        f"{_HIRTH}, chapter 3",
        float(worst),
        1e-6,
        "",
        partial(_draw_scatter, shown=shown),
    )


def _entry(found, name):
    return found[:, 2, 1] if "screw" in name else found[:, 0, 1]


def burgers_circuit() -> Check:
    """Check 4: a right-handed circuit about the line sums U dl to b."""
    turn = 2 * np.pi * (np.arange(2000) + 0.5) / 2000
    sizes, errors = np.array([2.0, 5.0, 12.0, 25.0]), []
    burgers = np.array([0.1, -0.2, 0.3])
    for radius in sizes:
        circuit = np.column_stack([30 + radius * np.sin(turn), 0 * turn, radius * np.cos(turn)])
        along = np.column_stack([radius * np.cos(turn), 0 * turn, -radius * np.sin(turn)]) * (turn[1] - turn[0])
        field = segment_distortion(ring((0, 0, 0), 30.0, burgers, 64), circuit, NU, 1e-3)
        errors.append(np.abs(np.einsum("nij,nj->i", field, along) - burgers).max())
    return Check(
        "4b",
        "Burgers circuit about a loop",
        "∮ U dl = b",
        f"{_HIRTH}, chapter 1",
        float(np.max(errors) / np.linalg.norm(burgers)),
        1e-6,
        "b",
        partial(_draw_powers, x=sizes, curves={"error": np.array(errors)}, xlabel="radius of the circuit (nm)"),
    )


def far_field() -> Check:
    """Check 4: the far field of a loop falls with the cube of the distance."""
    r = np.geomspace(50, 8e4, 20)
    loop = ring((0, 0, 0), 10.0, [0.1, 0.2, 0.3], 64)
    size = np.linalg.norm(segment_distortion(loop, r[:, None] * [0.3, 0.5, 0.81], NU, 0.3), axis=(1, 2))
    power = -np.log(size[-1] / size[-2]) / np.log(r[-1] / r[-2])
    return Check(
        "4c",
        "Far field of a loop",
        "U falls as 1/r³: the exponent between the last two distances, less 3",
        _HIRTH,
        float(abs(power - 3)),
        1e-6,
        "",
        partial(_draw_powers, x=r, curves={"|U|": size, "1/r³": size[-1] * (r / r[-1]) ** -3}, xlabel="distance (nm)"),
    )


def spectral_against_segments() -> Check:
    """Check 5: the spectral field is the segment sum with the same core."""
    errors = {name: spectral_error(network) for name, network in scenes().items()}
    return Check(
        "5a",
        "Spectral field against the segment sum",
        "rms difference over rms, the same core, outside 4a, sides of the box included",
        "Cai et al., J. Mech. Phys. Solids 54 (2006) 561; Bertin & Cai, Comput. Phys. Commun. 224 (2018) 200",
        max(errors.values()),
        0.01,
        "rms",
        partial(_draw_bars, errors=errors),
    )


def rotated_scene() -> Check:
    """Check 5: the field of a scene turned with its crystal is the field turned."""
    copper = load_material("Cu").stiffness_gpa
    tilt = rotation_about([1, 2, 3], 0.7)
    stiffness = rotated_stiffness(copper, tilt)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    network = DislocationNetwork.union([junction(), ring((50, 70, 40), 20, [0.1, 0.2, 0.2])])
    middle = SIZE / 2
    turned = network.rotated(turn, middle, middle)
    before = spectral_distortion(network, SHAPE, STEP, stiffness, CORE)
    after = spectral_distortion(turned, SHAPE, STEP, rotated_stiffness(stiffness, turn), CORE)
    back = np.einsum("ai,bj,abzyx->ijzyx", turn, turn, np.rot90(after, 1, axes=(3, 4)))
    errors = {"quarter turn, Cu": rms(back - before) / rms(before)}
    return Check(
        "5b",
        "A scene turned with its crystal",
        "U'(Rx) = R U(x) Rᵀ, stiffness of copper in a general orientation",
        "symmetry",
        errors["quarter turn, Cu"],
        0.01,
        "rms",
        partial(_draw_planes, before=before[2, 1, 25], after=back[2, 1, 25]),
    )


def anisotropic_line() -> Check:
    """Check 5: straight lines in anisotropic crystals against the sextic theory."""
    errors = {}
    points = STEP * (np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)[..., ::-1] + 0.5)
    for name in ("Cu", "gamma-TiAl"):
        for degrees in (0, 50, 80):
            crystal = rotation_about([1, 2, 3], 0.7 + degrees)
            stiffness = rotated_stiffness(load_material(name).stiffness_gpa, crystal)
            angle = np.radians(degrees)
            t = np.array([np.sin(angle) * np.cos(0.3), np.sin(angle) * np.sin(0.3), np.cos(angle)])
            burgers = np.array([0.2, 0.1, 0.15])
            middle = SIZE / 2
            network = polyline([middle - FAR * t, middle + FAR * t], burgers)
            away = distances(network, points.reshape(-1, 3)) > 4 * CORE
            exact = with_core(burgers, t, stiffness, points.reshape(-1, 3)[away] - middle, CORE)
            found = spectral_distortion(network, SHAPE, STEP, stiffness, CORE).reshape(3, 3, -1)[:, :, away]
            errors[f"{name}, {degrees}°"] = rms(found - np.moveaxis(exact, 0, -1)) / rms(exact)
    return Check(
        "5c",
        "Straight lines in anisotropic crystals",
        "spectral field against Stroh's sextic theory with the same core, rms difference over rms outside 4a",
        "Stroh, Philos. Mag. 3 (1958) 625",
        max(errors.values()),
        0.01,
        "rms",
        partial(_draw_bars, errors=errors),
    )


def tractions(distortion: np.ndarray) -> np.ndarray:
    """Stress sigma_iz (3, ...) over the shear modulus, from U_ij (3, 3, ...)."""
    trace = distortion[0, 0] + distortion[1, 1] + distortion[2, 2]
    along = 2 * NU / (1 - 2 * NU) * trace + 2 * distortion[2, 2]
    return np.stack([distortion[0, 2] + distortion[2, 0], distortion[1, 2] + distortion[2, 1], along])


def freed(network, vector, thickness: float, pixels: int, depths, step: float = 2.0, core=((CORE, 1.0),)):
    """g_i U_ij (3, nz, ny, nx) of what frees the faces of a foil, whose field has its corner at the origin."""
    low = np.full(3, -8 * step)
    wide = pixels + 2 * MARGIN
    faces = FaceLoads(np.full(2, -MARGIN * step), (wide, wide), step, thickness, NU)
    box = (round(thickness / step) + 16, pixels + 16, pixels + 16)
    projected_distortion(network, [], low, box, (step,) * 3, isotropic_stiffness(NU), core, faces)
    field = np.zeros((3, len(depths), pixels, pixels), np.float32)
    relax(field, vector, network, faces, (0.0, 0.0), depths)
    return field


def free_faces() -> Check:
    """Check 17: the traction that is left on both faces."""
    thickness, pixels, core = 100.0, 64, CORE
    lines = [
        through((40, 50, 0), (90, 80, thickness), [0.2, 0.1, 0.15]),
        through((100, 20, 0), (30, 110, thickness), [0.1, -0.2, 0.1]),
        ring((60, 60, 30), 20, [0.1, 0.2, 0.3]),
    ]
    network = DislocationNetwork.union(lines)
    added = np.array([freed(network, vector, thickness, pixels, [0.0, thickness]) for vector in np.eye(3)])
    at = (np.arange(pixels) + 0.5) * 2.0
    x, y = np.meshgrid(at, at)
    left, whole, maps = [], [], []
    for face, depth in enumerate((0.0, thickness)):
        points = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, depth)])
        bulk = tractions(np.moveaxis(segment_distortion(network, points, NU, core), 0, -1))
        rest = bulk + tractions(added[:, :, face]).reshape(3, -1)
        exits = np.array([n.nodes_nm[1 + face] for n in lines[:2]])
        away = np.linalg.norm(points[:, None] - exits, axis=2).min(axis=1) > 4 * core
        left.append(rest[:, away])
        whole.append(bulk[:, away])
        maps += [bulk[2].reshape(x.shape), rest[2].reshape(x.shape)]
    return Check(
        "17a",
        "Traction on the faces of a foil",
        "σ_iz of the segment sum plus the relaxation, over σ_iz of the segment sum, rms beyond 4a from an exit",
        "Weinberger et al., Modelling Simul. Mater. Sci. Eng. 17 (2009) 075007",
        rms(np.concatenate(left, axis=1)) / rms(np.concatenate(whole, axis=1)),
        0.01,
        "rms",
        partial(_draw_faces, maps=maps, size=2.0 * pixels),
    )


def screw_through_a_plate() -> Check:
    """Check 17: a screw normal to a plate with free faces."""
    thickness, pixels = 100.0, 64
    line = polyline([(64, 64, -FAR), (64, 64, FAR)], [0, 0, B])
    depths = np.array([2.0, 12.0, 25.0, 48.0])
    row = freed(line, [1.0, 0, 0], thickness, pixels, depths)
    wave = np.linspace(1e-6, 4, 40000)
    y = (np.arange(pixels) + 0.5) * 2.0 - 64
    column = pixels // 2  # x = 1 nm beside the line
    r = np.hypot(y, 1.0)
    beside = np.abs(y) > 12
    errors, shown = [], {}
    for n, depth in enumerate(depths):
        growth = np.cosh(wave * (depth - thickness / 2)) / np.cosh(wave * thickness / 2)
        exact = np.array([np.trapezoid(growth * j1(wave * radius), wave) for radius in r]) * B / (2 * np.pi) * y / r
        found = row[2, n, :, column]
        errors.append(((found - exact) * 2 * np.pi * r / B)[beside])
        shown[f"{depth:g} nm"] = (1e3 * found, 1e3 * exact)
    return Check(
        "17b",
        "A screw through a plate",
        "U_θz = −(b/2π) ∫ cosh k(z − t/2)/cosh(kt/2) J₁(kr) dk; difference over the line's own b/2πr, beyond 4a",
        "Eshelby & Stroh, Philos. Mag. 42 (1951) 1401",
        rms(errors),
        0.01,
        "rms",
        partial(_draw_plate, y=y, shown=shown),
    )


def _draw_scatter(figure, shown):
    for ax, (name, (exact, found)) in zip(figure.subplots(1, 2), shown.items()):
        ax.plot(1e3 * exact, 1e3 * found, ".", color=METHODS[0], ms=2)
        ax.set(title=name, xlabel="textbook (10⁻³)", ylabel="segment (10⁻³)")


def _draw_powers(figure, x, curves, xlabel):
    ax = figure.subplots()
    for colour, style, (name, values) in zip(METHODS, ("o-", "--"), curves.items()):
        ax.loglog(x, values, style, color=colour, ms=3, lw=1, label=name)
    ax.set(xlabel=xlabel)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_bars(figure, errors):
    ax = figure.subplots()
    ax.barh(list(errors), [100 * e for e in errors.values()], color=METHODS[0])
    ax.axvline(1, color="0.3", ls="--", lw=1)
    ax.set(xlabel="rms difference (%)")
    ax.invert_yaxis()


def _draw_planes(figure, before, after):
    top = np.quantile(np.abs(before), 0.99)
    for ax, name, values in zip(figure.subplots(1, 2), ("U_zy", "turned, and turned back"), (before, after)):
        image = ax.imshow(1e3 * values, cmap="PuOr", vmin=-1e3 * top, vmax=1e3 * top, extent=(0, SIZE[0], SIZE[1], 0))
        ax.set(title=name, xlabel="x (nm)", ylabel="y (nm)")
        figure.colorbar(image, ax=ax, label="10⁻³")


def _draw_faces(figure, maps, size):
    top = 1e3 * np.quantile(np.abs(maps[0]), 0.98)
    names = ("entrance, unrelaxed", "relaxed", "exit, unrelaxed", "relaxed")
    axes = figure.subplots(1, 4, sharey=True)
    for ax, name, values in zip(axes, names, maps):
        image = ax.imshow(1e3 * values, cmap="PuOr", vmin=-top, vmax=top, extent=(0, size, size, 0))
        ax.set(title=name, xlabel="x (nm)")
    axes[0].set(ylabel="y (nm)")
    figure.colorbar(image, ax=axes, label="σ_zz/μ (10⁻³)")


def _draw_plate(figure, y, shown):
    ax = figure.subplots()
    for colour, (name, (found, exact)) in zip(METHODS, shown.items()):
        ax.plot(y, found, color=colour, lw=1.2, label=f"z = {name}")
        ax.plot(y[::3], exact[::3], "o", color=colour, ms=3, mfc="none")
    ax.set(xlabel="y from the line (nm)", ylabel="relaxation, U_xz (10⁻³)")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="dots: formula")


CHECKS: dict[str, Callable[[], Check]] = {
    "4a": straight_lines,
    "4b": burgers_circuit,
    "4c": far_field,
    "5a": spectral_against_segments,
    "5b": rotated_scene,
    "5c": anisotropic_line,
    "17a": free_faces,
    "17b": screw_through_a_plate,
}
