"""One self-contained HTML page: what was there, how it looked, what was made of it, and which conditions to choose."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.results import Metric
from veristem.reports import budget, charts, studies, tables
from veristem.reports.pictures import SHOWN, AnyScene, drawn, scene_renders
from veristem.reports.rows import StudyResult, split
from veristem.reports.scenes import viewer_html
from veristem.reports.words import label, number, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def write_page(
    path: str | Path,
    *,
    title: str,
    scenes: Sequence[tuple[str, AnyScene]] = (),
    table: pd.DataFrame | None = None,
    facts: dict[str, dict[str, str]],
    sentences: Sequence[str] = (),
    command: str = "",
    metrics: Sequence[Metric] = (),
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
    metrics : sequence of Metric
        What the scores of scenes mean, in the order in which they are shown.
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
        scores=[score for score in (_scores(part, metrics) for part in about) if score["rows"]],
        meanings={metric.name: metric.meaning for metric in metrics},
        facts=facts, command=command, most_conditions=tables.MOST_CONDITIONS,
        script_data=_script_json({"viewer": viewer_html(), "scenes": packs}) if packs else "",
    )  # fmt: skip
    path = Path(path)
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")


def _scene(heading: str, scene: AnyScene, key: str) -> dict:
    """What the template needs of a scene: its pictures as data addresses, its packed 3D scenes, its numbers."""
    shown = SHOWN[scene.kind]
    vectors = shown.as_lines(scene)
    pictures = {
        name: _address(figure, "svg" if name in vectors else "png") for name, figure in shown.figures_of(scene).items()
    }
    renders, packs = scene_renders(scene, truth_too=not heading)
    pictures |= {name: _address(picture) for name, picture in renders.items()}
    return {
        "key": key, "heading": heading, "scene": scene, "pictures": pictures, "packs": packs, "kind": scene.kind,
        "title": shown.TITLE, "numbers": shown.numbers(scene), "size": [f"{length:g}" for length in scene.size_nm],
        "most_spheres": shown.most_spheres(scene), "is_empty": scene.truth is not None and shown.is_empty(scene),
    }  # fmt: skip


def _scores(part: dict, metrics: Sequence[Metric]) -> dict:
    """Title, head and rows of the table of scores of a scene, and their tolerance."""
    scene, shown = part["scene"], SHOWN[part["kind"]]
    rows = tables.score_rows(scene.scores, {metric.name: metric for metric in metrics}, tuple(shown.COLUMNS))
    tolerance = shown.tolerance_nm(scene)
    return {"title": part["title"], "head": list(shown.COLUMNS.values()), "rows": rows, "tolerance": tolerance}


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


def _address(picture: Figure | bytes, kind: Literal["png", "svg"] = "png") -> str:
    """A picture as a data address."""
    content = picture if isinstance(picture, bytes) else drawn(picture, kind)
    return f"data:image/{'svg+xml' if kind == 'svg' else kind};base64,{base64.b64encode(content).decode()}"


def _script_json(data: dict) -> str:
    """JSON that may stand in a script element: no "<" can end it early."""
    return json.dumps(data).replace("<", "\\u003c")
