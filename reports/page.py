"""One self-contained HTML page: what was there, how it looked, what was made of it, and which conditions to choose."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from veristem.datasets import Acquisition
from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.geometry import pair_angle_rad
from veristem.datasets.results import SUFFIXES
from veristem.reports import budget, charts, figures, studies, tables
from veristem.reports.particles import ParticleScene
from veristem.reports.pictures import drawn, scene_figures, scene_renders
from veristem.reports.rows import StudyResult, split
from veristem.reports.scenes import MOST_SPHERES, MOST_TUBES, Scene, viewer_html
from veristem.reports.words import label, number, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def write_page(
    path: str | Path,
    *,
    title: str,
    scenes: Sequence[tuple[str, Scene | ParticleScene]] = (),
    table: pd.DataFrame | None = None,
    facts: dict[str, dict[str, str]],
    sentences: Sequence[str] = (),
    command: str = "",
    meanings: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the report of a reconstruction, of a study, or of both, as one HTML file that needs no other.

    Parameters
    ----------
    path : path
        File to write; it appears whole or not at all.
    title : str
        Headline.
    scenes : sequence of (str, Scene or ParticleScene)
        Headings, and the acquisitions and reconstructions to show. Scenes without a heading are what the page is about:
        they stand first and in full. Of several each gets a title by its kind of specimen, its own numbers and its
        ``about`` in words under it. Scenes with a heading are examples and follow the study. Without a truth, neither
        errors nor scores are shown.
    table : DataFrame, optional
        Results of one or more studies (datasets/results.py).
    facts : dict of dict of str
        What was run: groups of names and values; a value of several lines (a recipe) is folded away.
    sentences : sequence of str
        Findings for the headline; what the studies say follows them.
    command : str
        The command that makes this page again.
    meanings : mapping
        What each score means, in a sentence.
    """
    from jinja2 import Environment, FunctionLoader

    results = split(table)
    many = len(results) > 1
    found = [(f"Study {r.name}: " if many else "") + text for r in results for text in studies.findings(r)]
    shown = [_scene(heading, scene, f"scene{i}") for i, (heading, scene) in enumerate(scenes)]
    about = [s for s in shown if not s["heading"]]
    for place, part in enumerate(about):
        part["id"] = f"-{place + 1}" if place else ""
    packs = {f"{s['key']}-{name}": pack for s in shown for name, pack in s.pop("packs").items()}
    folder = resources.files("veristem.reports").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {"number_text": number, "percent": percent}
    html = environment.get_template("page.html.jinja").render(
        title=title, sentences=[*sentences, *found], about=about, examples=[s for s in shown if s["heading"]],
        numbers=about[0]["numbers"] if len(about) == 1 else [] if about else _study_numbers(results),
        studies=[_study(result) for result in results],
        failures=tables.failures(table), runs=0 if table is None else len(table),
        scores=[score for score in (_scores(part, meanings) for part in about) if score["rows"]], meanings=meanings,
        facts=facts, command=command, most_conditions=tables.MOST_CONDITIONS,
        script_data=_script_json({"viewer": viewer_html(), "scenes": packs}) if packs else "",
    )  # fmt: skip
    path = Path(path)
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")


def _scene(heading: str, scene: Scene | ParticleScene, key: str) -> dict:
    """What the template needs of a scene: its pictures as data addresses, its packed 3D scenes, its numbers."""
    vectors = _small(scene)
    pictures = {
        name: _address(figure, "svg" if name in vectors else "png") for name, figure in scene_figures(scene).items()
    }
    renders, packs = scene_renders(scene, truth_too=not heading)
    pictures |= {name: _address(picture) for name, picture in renders.items()}
    of_particles = isinstance(scene, ParticleScene)
    crowded = of_particles and max(len(scene.points.points_nm), scene.truth.inside.sum() if scene.truth else 0)
    return {
        "key": key, "heading": heading, "scene": scene, "pictures": pictures, "packs": packs,
        "of_particles": of_particles, "title": "Particles" if of_particles else "Dislocation lines",
        "numbers": _particle_numbers(scene) if of_particles else _key_numbers(scene),
        "size": [f"{length:g}" for length in scene.size_nm],
        "most_spheres": MOST_SPHERES if crowded > MOST_SPHERES else 0,
        "is_empty": scene.truth is not None and not (
            scene.truth.inside.any() if of_particles else len(scene.truth.network.segments)
        ),
    }  # fmt: skip


def _small(scene: Scene | ParticleScene) -> tuple[str, ...]:
    """The figures of a scene that are smaller as lines than as pixels."""
    if isinstance(scene, ParticleScene):
        few = len(scene.points.points_nm) < MOST_SPHERES
        return ("radial", "calibration", "side", *(("errors",) if few else ()))
    lines = sum(map(len, scene.curves.curves_nm)) + (len(scene.truth.network.segments) if scene.truth else 0)
    return ("depth",) if lines < MOST_TUBES else ()


def _scores(part: dict, meanings: Mapping[str, str]) -> dict:
    """Title, head and rows of the table of scores of a scene, and their tolerance."""
    scene = part["scene"]
    one = part["of_particles"]
    rows = tables.score_rows(scene.scores, meanings, ("",) if one else SUFFIXES)
    head = ["value"] if one else ["all lines", "visible", "visible, ψ > 25°", "visible, ψ ≤ 25°"]
    tolerance = scene.scores.get("tolerance_nm") if one else scene.tolerance_nm
    return {"title": part["title"], "head": head, "rows": rows, "tolerance": tolerance}


def _study(result: StudyResult) -> dict:
    return {
        "name": result.name,
        "size": result.size_text(),
        "curves": _folded(charts.curve_charts(result)),
        "maps": _folded(charts.map_charts(result)),
        "budget_charts": _folded(budget.budget_charts(result)),
        "budget_tables": budget.budget_tables(result),
        "methods": tables.methods_table(result),
        "table": tables.numbers_table(result),
        "conditions": len(set(result.rows["condition"])),
        "over": result.things,
        "axes": [label(axis) for axis in result.axes],
    }


def _folded(drawn_charts: Iterable[charts.Chart]) -> list[tuple[str, list[dict]]]:
    """Charts that follow each other under one heading, together; no heading where they stand open."""
    return [(fold, [_chart(chart) for chart in group]) for fold, group in groupby(drawn_charts, lambda c: c.fold)]


def _chart(chart: charts.Chart) -> dict:
    width = 7 * float(chart.figure.get_size_inches()[0])  # rem: letters as large as in the text
    return {"address": _address(chart.figure, "svg"), "width": width, "alt": chart.alt, "caption": chart.caption}


def _study_numbers(results: Sequence[StudyResult]) -> list[tuple[str, str]]:
    """Values and names of the numbers under the headline of a study."""
    if not results:
        return []
    rows = [result.rows for result in results]
    values = [{name: set(part[name]) for name in ("condition", "seed", "method")} for part in rows]
    distinct = {name: len(set().union(*(value[name] for value in values))) for name in values[0]}
    counts = {"run": sum(map(len, rows)), **distinct}
    named = [(f"{count:,}", name + ("" if count == 1 else "s")) for name, count in counts.items()]
    return [*named, (f"{sum(result.failed for result in results):,}", "failed")]


def _key_numbers(scene: Scene) -> list[tuple[str, str]]:
    """Values and names of the numbers under the headline; what is not known is left out."""
    numbers = []
    for key, name, unit in (("f_score", "F", ""), ("depth_rmse_nm", "depth RMSE", " nm")):
        seen, plain = scene.scores.get(key + "_visible"), scene.scores.get(key)
        value = plain if seen is None else seen
        if value is not None and np.isfinite(value):
            numbers.append((number(value) + unit, name + ("" if seen is None else ", visible lines")))
    if scene.truth is not None:
        count, visible = _count_lines(scene)
        numbers.append((str(count), f"line{'s' if count != 1 else ''} in the foil, {visible} visible"))
    count = len(scene.curves.curves_nm)
    numbers.append((str(count), f"curve{'s' if count != 1 else ''} reconstructed"))
    chosen = figures.pair(scene.acquisition)
    if chosen is not None:
        angle = np.degrees(pair_angle_rad(*scene.acquisition.directions_rad[list(chosen)]))
        numbers.append((f"{angle:.3g}°", "stereo angle"))
    return numbers + _dose(scene.acquisition)


def _particle_numbers(scene: ParticleScene) -> list[tuple[str, str]]:
    """The same for particles."""
    named = (
        ("f_score", "F", ""), ("depth_rmse_nm", "depth RMSE", " nm"), ("lateral_rmse_nm", "lateral RMSE", " nm"),
    )  # fmt: skip
    known = [(scene.scores.get(key), name, unit) for key, name, unit in named]
    numbers = [(number(v) + unit, name) for v, name, unit in known if v is not None and np.isfinite(v)]
    if scene.truth is not None:
        count = int(scene.truth.inside.sum())
        missed = f", {scene.is_missed.sum():,} missed" if scene.found is not None else ""
        numbers.append((f"{count:,}", f"particle{'s' if count != 1 else ''} in the field{missed}"))
    count = len(scene.points.points_nm)
    false = f", {scene.is_false.sum():,} false" if scene.errors_nm is not None else ""
    numbers.append((f"{count:,}", f"point{'s' if count != 1 else ''} found{false}"))
    views = len(scene.acquisition.views)
    angles = np.hypot(*scene.acquisition.directions_rad.T)
    numbers.append((str(views), f"view{'s' if views != 1 else ''}, inclined up to {1e3 * angles.max():.3g} mrad"))
    return numbers + _dose(scene.acquisition)


def _dose(acquisition: Acquisition) -> list[tuple[str, str]]:
    if acquisition.electrons_per_pixel is None:
        return []
    dose = float(np.mean(acquisition.electrons_per_pixel))
    return [(f"{dose:,.0f}" if dose >= 10 else f"{dose:.2g}", "electrons per pixel and view")]


def _count_lines(scene: Scene) -> tuple[int, int]:
    """Connected pieces of the true network, and those of which some part is visible."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    assert scene.truth is not None
    network, size = scene.truth.network, len(scene.truth.network.nodes_nm)
    if not len(network.segments):
        return 0, 0
    first, second = network.segments.T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(size, size))
    piece = connected_components(graph, directed=False)[1][first]
    return len(np.unique(piece)), len(np.unique(piece[scene.truth.visible]))


def _address(picture: Figure | bytes, kind: Literal["png", "svg"] = "png") -> str:
    """A picture as a data address."""
    content = picture if isinstance(picture, bytes) else drawn(picture, kind)
    return f"data:image/{'svg+xml' if kind == 'svg' else kind};base64,{base64.b64encode(content).decode()}"


def _script_json(data: dict) -> str:
    """JSON that may stand in a script element: no "<" can end it early."""
    return json.dumps(data).replace("<", "\\u003c")
