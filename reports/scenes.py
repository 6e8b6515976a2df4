"""3D scenes: lines, reconstructions, particles and images in the foil, as a picture or as a scene to turn.

The beam enters from above: x points right, y towards the reader, z (depth) down, so that a scene seen along the beam
has the handedness of the image.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from veristem.datasets import Acquisition, CurveSet, DislocationNetwork, InputError, LineTruth, ParticleDispersion
from veristem.reports import axes, cameras, style
from veristem.reports.cameras import Camera
from veristem.reports.crystal_axes import add_crystal_axes
from veristem.reports.png import png

MOST_TUBES = 5_000  # vertices; beyond, plain lines keep a page small
MOST_VERTICES = 40_000  # of the lines, or of the spheres, of one object: half a megabyte of a page
MOST_SPHERES = 2_000
_FOIL = "foil"  # name of its edges in a plotter


@dataclass(frozen=True, eq=False)
class Scene:
    """One acquisition, its reconstruction and, when known, its truth.

    Parameters
    ----------
    acquisition : Acquisition
        The images.
    curves : CurveSet
        The reconstruction.
    truth : LineTruth or None
        What is really there.
    errors_nm : tuple of (K,) float or None
        Distance of each vertex of each curve to the nearest true line [nm].
    scores : dict
        Score by name (datasets/results.py); None where a score does not exist.
    method : str
        Name of the method that made the curves.
    about : str
        Conditions and seed in words.
    residuals_px : tuple of (K,) float or None
        Without a truth: distance of each projected vertex to the nearest contour of an image [pixels].
    residuals : list of dict
        The same summed up, one dictionary a view: ``view``, ``rms_px``, ``median_px``, ``within_3px``, ``explained``.
    limit_nm : float or None
        Limit of the root mean square of ``errors_nm``, of 20 nm of line steeper than 25 degrees to the epipolar
        direction, by parallax, as far as it is within the tolerance; a line in the scale of errors [nm].
    cell : str
        Of a run of a study: its name in the table of results.
    registration : registration.Registered or None
        How the views were found to lie, of those taken one after the other.
    missed : (V, Y, X) float or None
        How likely a visible line at each pixel of each view was missed, where the method tells it.

    Raises
    ------
    InputError
        When ``errors_nm`` or ``residuals_px`` does not hold one value a vertex.
    """

    acquisition: Acquisition
    curves: CurveSet
    truth: LineTruth | None = None
    errors_nm: tuple[np.ndarray, ...] | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    method: str = ""
    about: str = ""
    residuals_px: tuple[np.ndarray, ...] | None = None
    residuals: list[dict[str, Any]] = field(default_factory=list)
    limit_nm: float | None = None
    cell: str = ""
    registration: Any = None
    missed: np.ndarray | None = None
    kind: ClassVar[str] = "dislocations"

    def __post_init__(self):
        allowed = [len(c) for c in self.curves.curves_nm]
        for name, values in (("errors_nm", self.errors_nm), ("residuals_px", self.residuals_px)):
            if values is not None and [len(v) for v in values] != allowed:
                raise InputError(f"{name}: one value a vertex of each curve allowed")

    @property
    def tolerance_nm(self) -> float:
        """Distance up to which a line counts as found [nm]; 10 when the scores do not tell."""
        return self.scores.get("tolerance_nm") or 10.0

    @property
    def thickness_nm(self) -> float | None:
        """Of the foil [nm]; None when nothing tells it: then no faces are drawn."""
        return self.acquisition.thickness_nm if self.truth is None else self.truth.thickness_nm

    @property
    def reached_nm(self) -> tuple[float, float]:
        """Least and largest depth of what was found [nm]; 0 and 0 for nothing."""
        depths = np.concatenate([np.zeros(0), *(c[:, 2] for c in self.curves.curves_nm)])
        return (float(depths.min()), float(depths.max())) if len(depths) else (0.0, 0.0)

    @property
    def size_nm(self) -> tuple[float, float, float]:
        """Width, height and thickness of the foil [nm]; without a thickness, what the curves reach."""
        if self.truth is not None:
            return (*self.truth.field_nm, self.truth.thickness_nm)
        deepest = max((float(c[:, 2].max()) for c in self.curves.curves_nm), default=0.0)
        return (*self.acquisition.field_nm, self.acquisition.thickness_nm or max(deepest, 1.0))

    @property
    def knows_thickness(self) -> bool:
        """Whether the foil's thickness is known, or only what the curves reach."""
        return self.truth is not None or self.acquisition.thickness_nm is not None

    @property
    def shade(self) -> style.Shade:
        """Colours of the reconstruction."""
        coloured_by = (self.errors_nm, self.tolerance_nm, self.size_nm[2], self.residuals_px, self.limit_nm)
        return style.shade(self.curves, *coloured_by)


def truth_plotter(scene: Scene):
    """The lines of the truth in their foil, coloured by whether they can be seen."""
    assert scene.truth is not None
    plotter = new_plotter()
    add_network(plotter, scene.truth.network, scene.truth.visible, size_nm=scene.size_nm)
    add_foil(plotter, scene.size_nm)
    return plotter


def reconstruction_plotter(scene: Scene):
    """The reconstruction, coloured, over the truth as thin grey lines when there is one."""
    plotter = new_plotter()
    if scene.truth is not None:
        add_network(plotter, scene.truth.network, size_nm=scene.size_nm, thin=True)
    add_curves(plotter, scene.curves, scene.shade, size_nm=scene.size_nm)
    highest = min((float(c[:, 2].min()) for c in scene.curves.curves_nm), default=0.0)
    add_box(plotter, scene, highest)
    add_crystal_axes(plotter, scene.curves.crystal_from_specimen, scene.size_nm)
    return plotter


def add_box(plotter, scene, highest_nm: float) -> None:
    """The foil of a scene; without a thickness a box that reaches up to what was found, which may lie above z = 0."""
    above = 0.0 if scene.knows_thickness else min(highest_nm, 0.0)
    width, height, deep = scene.size_nm
    add_foil(plotter, (width, height, deep - above), (0.0, 0.0, above))


def add_network(plotter, network: DislocationNetwork, visible=None, *, size_nm, thin: bool = False, color=None) -> int:
    """Add the lines of a network; ``visible`` (M,) bool colours its segments. Returns how many lines were left out."""
    import pyvista as pv

    count = len(network.segments)
    seen = np.ones(count, bool) if visible is None else np.asarray(visible, bool)
    first, second = network.ends_nm()
    left_out = 0
    for mask, colour in ((seen, style.TRUTH if thin else style.VISIBLE), (~seen, style.INVISIBLE)):
        pairs = np.stack([first[mask], second[mask]], axis=1).reshape(-1, 3)
        if len(pairs):
            lines = np.insert(np.arange(len(pairs)).reshape(-1, 2), 0, 2, axis=1)
            mesh = pv.PolyData(pairs, lines=lines.ravel()).clean(tolerance=1e-6, absolute=True)
            left_out += _add_lines(plotter, mesh.strip(), size_nm, thin, color=color or colour)
    return left_out


def add_curves(plotter, curves: CurveSet, shade: style.Shade | None, *, size_nm, color=None) -> int:
    """Add a reconstruction with the colours of its vertices and their scale, or all of it in one colour.

    Returns how many curves were left out.
    """
    import pyvista as pv

    if not curves.curves_nm:
        return 0
    starts = np.cumsum([0, *(len(c) for c in curves.curves_nm)])
    lines = [np.concatenate([[len(c)], s + np.arange(len(c))]) for c, s in zip(curves.curves_nm, starts[:-1])]
    mesh = pv.PolyData(np.concatenate(curves.curves_nm), lines=np.concatenate(lines))
    if shade is None:
        return _add_lines(plotter, mesh, size_nm, False, color=color)
    mesh[shade.label] = np.concatenate(shade.values)
    scale = _scale(shade.label, shade.colours, shade.limits)
    if shade.marked:
        scale["annotations"] = {shade.limit: "limit"}
    return _add_lines(plotter, mesh, size_nm, False, **scale)


def add_particles(plotter, particles: ParticleDispersion, *, color=None) -> int:
    """Add spheres, coloured by depth unless a colour is given. Returns how many, the smallest, were left out."""
    shown = np.argsort(-particles.radii_nm, kind="stable")[:MOST_SPHERES]
    centers, radii = particles.centers_nm[shown], particles.radii_nm[shown]
    depth = (centers[:, 2], "depth z (nm)", "viridis", (0.0, float(particles.box_nm[2])))
    sides = int(np.clip(np.sqrt(MOST_VERTICES / max(len(shown), 1)), 6, 24))
    add_spheres(plotter, centers, radii, depth if color is None else None, sides=sides, color=color)
    return len(particles.radii_nm) - len(shown)


def add_spheres(plotter, centers_nm, radii_nm, shade=None, *, sides: int, color=None) -> None:
    """Add spheres in one colour, or coloured by ``shade``: values (N,), label, colours and limits.

    Each has about ``sides`` squared corners.
    """
    import pyvista as pv

    if not len(centers_nm):
        return
    cloud = pv.PolyData(np.asarray(centers_nm, np.float32))
    cloud["diameter"] = 2 * np.asarray(radii_nm)
    ball = pv.Sphere(theta_resolution=sides, phi_resolution=sides)
    spheres = cloud.glyph(orient=False, scale="diameter", geom=ball, color_mode="scalar")
    assert isinstance(spheres, pv.PolyData)
    how = {"color": color}
    if shade is not None:
        values, label, colours, limits = shade
        spheres[label] = np.repeat(values, ball.n_points).astype(np.float32)
        how = _scale(label, colours, limits)
    plotter.add_mesh(spheres, smooth_shading=True, ambient=0.3, diffuse=0.8, **how)


def add_cubes(plotter, centers_nm, sides_nm, color: str, *, solid: bool) -> None:
    """Add cubes (solid) or their edges alone, to mark places."""
    import pyvista as pv

    if not len(centers_nm):
        return
    cloud = pv.PolyData(np.asarray(centers_nm, np.float32))
    cloud["side"] = np.asarray(sides_nm)
    cube = pv.Cube()
    cubes = cloud.glyph(orient=False, scale="side", geom=cube if solid else cube.extract_feature_edges(30))
    plotter.add_mesh(cubes, color=color, line_width=1.5, ambient=0.4, diffuse=0.7)


def add_images(plotter, acquisition: Acquisition, depth_nm: float) -> None:
    """Add the views as planes at a depth [nm], side by side along x."""
    import pyvista as pv

    width, height = acquisition.field_nm
    low, high = np.percentile(acquisition.views, [0.5, 99.5])
    for i, view in enumerate(acquisition.views):
        grey = (255 * np.clip((view - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)
        center = (width * (0.5 + 1.1 * i), height / 2, depth_nm)
        plane = pv.Plane(
            center=center, direction=(0, 0, 1), i_size=width, j_size=height, i_resolution=1, j_resolution=1
        )
        # texture rows run up, image rows run down the same y as the plane
        plotter.add_mesh(plane, texture=pv.Texture(np.repeat(grey[::-1, :, None], 3, axis=2)), lighting=False)


def add_foil(plotter, size_nm, origin_nm=(0.0, 0.0, 0.0)) -> None:
    """Add the edges of the foil, which get axes in nm in a picture, on a page and in a window."""
    import pyvista as pv

    bounds = np.stack([origin_nm, np.add(origin_nm, size_nm)], axis=1).ravel()
    plotter.add_mesh(pv.Box(bounds).extract_all_edges(), color=style.FOIL, line_width=3, name=_FOIL)


def aim(plotter, camera: Camera) -> None:
    """Turn a plotter to one of the named cameras, all of the foil in sight; the straight ones without perspective."""
    cameras.aim(plotter, camera, foil_nm(plotter))


def foil_nm(plotter) -> np.ndarray | None:
    """Lower and upper corner (2, 3) of the foil of a plotter [nm]; None without one."""
    return np.reshape(plotter.actors[_FOIL].bounds, (3, 2)).T if _FOIL in plotter.actors else None


def bar_of(plotter) -> axes.Bar | None:
    """The scale of the colours of a plotter; None where it has none."""
    for actor in plotter.actors.values():
        mapper = getattr(actor, "mapper", None)
        if mapper is not None and mapper.scalar_visibility and mapper.array_name:
            low, high = mapper.scalar_range
            marks = mapper.lookup_table.annotations
            return axes.Bar(
                mapper.array_name, np.asarray(mapper.lookup_table.values)[:, :3], (low, high), next(iter(marks), None)
            )
    return None


def picture(plotter, camera: Camera = "tilted", legend: list[tuple[str, str]] | None = None) -> bytes:
    """A plotter as PNG, the whole box with its ticks; only the tilted camera shows the scale of colours."""
    return png(pixels_of(plotter, camera, legend))


def pixels_of(
    plotter, camera: Camera = "tilted", legend: list[tuple[str, str]] | None = None, density: float = 1.0
) -> np.ndarray:
    """The pixels (Y, X, 3) uint8 of `picture`; letters grow with ``density``."""
    aim(plotter, camera)
    plotter.render_window.Render()  # a screenshot alone would show the first camera again
    pixels = np.asarray(plotter.screenshot(return_img=True))[..., :3]
    foil = foil_nm(plotter)
    if foil is None:
        foil = np.reshape(plotter.bounds, (3, 2)).T
    bar = bar_of(plotter) if camera == "tilted" else None
    larger = 1.0 if camera == "tilted" else 1.4  # a page shows the straight ones smaller
    return axes.lettered(
        pixels, foil[0], foil[1], lambda points: cameras.project(plotter, points), bar, legend, larger, density
    )


def packed(plotter) -> dict[str, Any]:
    """A plotter as what the viewer of a page reads (``viewer_html``): the scene in base64, its box and its scale."""
    # without this the exporter's server loads trame-vtklocal, which downloads a viewer that nothing here uses
    sys.modules.setdefault("trame.widgets.vtklocal", None)  # type: ignore[arg-type]
    aim(plotter, "tilted")
    foil, bar = foil_nm(plotter), bar_of(plotter)
    lines = None if foil is None else plotter.actors[_FOIL].prop
    if lines is not None:
        before, lines.line_width = lines.line_width, 1.5  # of a browser's pixels, half as many as a picture's
    scene = base64.b64encode(plotter.trame.export_vtksz(filename=None)).decode()
    if lines is not None:
        lines.line_width = before
    return {
        "base64Str": scene,
        "box": None if foil is None else foil.tolist(),
        "bar": None if bar is None else bar.for_script(),
    }


def viewer_html(scene: dict[str, Any] | None = None) -> str:
    """The page that shows a packed scene, itself empty unless one is given; one copy serves all scenes of a report."""
    from trame_vtk.tools.vtksz2html import HTML_VIEWER_PATH

    page = Path(HTML_VIEWER_PATH).read_text(encoding="utf-8")
    page = re.sub(r"https://kitware\.github\.io/vtk-js/icon/[^`\"']*", "data:,", page)  # it would fetch its icons
    turn = resources.files("veristem.reports").joinpath("templates/turn.js").read_text(encoding="utf-8")
    data = "" if scene is None else f"window.packed = {json.dumps(scene)};".replace("<", "\\u003c")
    before, after = page.rsplit("</body>", 1)
    return f"{before}<script>{data}{turn}</script></body>{after}"


def new_plotter(off_screen: bool = True):
    """An empty white scene."""
    import pyvista as pv

    with pv.vtk_verbosity("off"):  # without a display VTK says so before it goes on without
        plotter = pv.Plotter(off_screen=off_screen, window_size=[1400, 900])
        plotter.set_background("white")  # type: ignore[arg-type]
        plotter.enable_anti_aliasing("ssaa")
    return plotter


def _scale(label: str, colours, limits: tuple[float, float]) -> dict[str, Any]:
    """How a mesh is coloured by its values; the scale is drawn with the letters of a picture."""
    return {"scalars": label, "cmap": colours, "clim": limits, "show_scalar_bar": False}


def _add_lines(plotter, mesh, size_nm, thin: bool, **colour) -> int:
    mesh, left_out = _thinned(mesh)
    if mesh.n_points > MOST_TUBES:
        plotter.add_mesh(mesh, line_width=1 if thin else 3, **colour)
    else:
        radius = float(np.linalg.norm(size_nm)) * (0.0016 if thin else 0.004)
        tubes = mesh.tube(
            radius=radius, n_sides=12 if mesh.n_points < MOST_TUBES // 4 and not thin else 6, capping=True
        )
        plotter.add_mesh(tubes, smooth_shading=True, ambient=0.45, diffuse=0.65, **colour)
    return left_out


def _thinned(mesh):
    """The polylines of a mesh in float32 and with at most MOST_VERTICES, and how many of them were left out.

    Each keeps its ends and every k-th vertex between them; where even the ends are too many, the longest are kept.
    """
    import pyvista as pv
    from vtkmodules.util.numpy_support import vtk_to_numpy

    offsets = vtk_to_numpy(mesh.GetLines().GetOffsetsArray())
    counts, index = np.diff(offsets), vtk_to_numpy(mesh.GetLines().GetConnectivityArray())
    line = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(index)) - np.repeat(offsets[:-1], counts)
    last, step, keep = rank == counts[line] - 1, 1, np.ones(len(index), bool)
    while keep.sum() > MOST_VERTICES and step < counts.max():
        step += 1
        keep = last | (rank % step == 0)
    size = np.bincount(line[keep], minlength=len(counts))
    if keep.sum() > MOST_VERTICES:
        steps = np.linalg.norm(np.diff(mesh.points[index], axis=0), axis=1)
        length = np.bincount(line[1:], np.where(rank[1:] > 0, steps, 0.0), minlength=len(counts))
        longest = np.argsort(-length, kind="stable")
        size[longest[np.cumsum(size[longest]) > MOST_VERTICES]] = 0
        keep &= size[line] > 0
    kept = index[keep]
    size = size[size > 0]
    ends = np.cumsum(size)
    lines = np.insert(np.arange(len(kept)), ends - size, size)
    thinned = pv.PolyData(mesh.points[kept].astype(np.float32), lines=lines)
    for name, values in mesh.point_data.items():
        thinned[name] = values[kept].astype(np.float32)
    return thinned, len(counts) - len(size)
