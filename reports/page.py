"""One self-contained HTML page: what was there, how it looked, what was made of it, and which conditions to choose."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.results import Metric
from veristem.reports import budget, charts, hero, tables
from veristem.reports.pictures import SHOWN, AnyScene, drawn, scene_renders
from veristem.reports.png import png
from veristem.reports.rows import StudyResult, split
from veristem.reports.runs import runs_table
from veristem.reports.scenes import viewer_html
from veristem.reports.words import box_words, label, number, percent

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup
    from matplotlib.figure import Figure

_NOTHING = "There is nothing here to tell of."


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
    commands: Mapping[str, str] | None = None,
    saved_recipes: Collection[str] = (),
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
        they stand first and in full. Of several each gets a title by its kind of specimen and its own numbers. Scenes
        with a heading are examples and follow the study, whose page the first of them opens. Without a truth, neither
        errors nor scores are shown.
    table : DataFrame, optional
        Results of one or more studies (datasets/results.py).
    facts : dict of dict of str
        What was run: groups of names and values; a value of several lines (a recipe) is folded away.
    sentences : sequence of str
        Findings, of which the first, one a scene, are the headline; what the studies say follows them.
    command : str
        The command that makes this page again.
    metrics : sequence of Metric
        What the scores of scenes mean, in the order in which they are shown.
    commands : dict of str, optional
        By cell of the table: the commands that make a run again.
    saved_recipes : collection of str
        Studies whose commands take a recipe.toml, to be saved from ``facts`` first.
    """
    from jinja2 import Environment, FunctionLoader

    results = split(table)
    shown = [_scene(heading, scene, f"scene{i}") for i, (heading, scene) in enumerate(scenes)]
    about, examples = ([s for s in shown if bool(s["heading"]) == named] for named in (False, True))
    for place, part in enumerate(about):
        part["id"] = f"-{place + 1}" if place else ""
    for place, part in enumerate(examples, 1):
        part["anchor"] = f"run-{place}"
    packs = {f"{s['key']}-{name}": pack for s in shown for name, pack in s.pop("packs").items()}
    of_cells = {s["scene"].cell: s for s in examples if s["scene"].cell}
    folder = resources.files("veristem.reports").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {"number_text": number, "percent": percent, "contents": contents}
    opens = results and not about  # with what a study says
    html = environment.get_template("page.html.jinja").render(
        title=title, sentences=[*sentences, *(hero.opening(results) if results else [])] or [_NOTHING],
        about=about, examples=examples,
        numbers=about[0]["numbers"] if len(about) == 1 else [] if about else _study_numbers(results),
        chief=hero.chief_number(results[0]) if opens and len(results) == 1 else None,
        hero_chart=_hero_chart(results[0]) if opens and not examples else None,
        studies=[_study(result, commands or {}, of_cells, saved_recipes) for result in results],
        failures=tables.failures(table), runs=0 if table is None else len(table),
        scores=[score for score in (_scores(part, metrics) for part in about) if score["rows"]],
        meanings={metric.name: metric.meaning for metric in metrics},
        facts=facts, command=command, most_conditions=tables.MOST_CONDITIONS,
        script_data=_script_json({"viewer": viewer_html(), "scenes": packs}) if packs else "",
    )  # fmt: skip
    path = Path(path)
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")


def contents(body: str) -> list[tuple[str, Markup]]:
    """Anchors and headings of the sections of a page."""
    from markupsafe import Markup

    found = re.findall(r'<section[^>]* id="([^"]+)"[^>]*>\s*<h2[^>]*>(.*?)</h2>', body, re.DOTALL)
    return [(anchor, Markup(heading)) for anchor, heading in found]


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
        "title": shown.TITLE, "numbers": shown.numbers(scene), "alts": shown.alts(scene),
        "box": box_words(scene, "film" if scene.kind == "particles" else "foil"),
        "most_spheres": shown.most_spheres(scene), "is_empty": scene.truth is not None and shown.is_empty(scene),
        **shown.words(scene),
    }  # fmt: skip


def _scores(part: dict, metrics: Sequence[Metric]) -> dict:
    """Title, head and rows of the table of scores of a scene, and their tolerance."""
    scene, shown = part["scene"], SHOWN[part["kind"]]
    rows = tables.score_rows(scene.scores, {metric.name: metric for metric in metrics}, tuple(shown.COLUMNS))
    tolerance = shown.tolerance_nm(scene)
    return {"title": part["title"], "head": list(shown.COLUMNS.values()), "rows": rows, "tolerance": tolerance}


def _study(result: StudyResult, commands: Mapping[str, str], examples: Mapping[str, dict], saved) -> dict:
    thumbnails = {cell: _thumbnail(part) for cell, part in examples.items()}
    seeds = len(set(result.rows["seed"]))
    return {
        "name": result.name,
        "size": result.size_text(),
        "means": "Means over seeds with 95 % intervals (Student's t)"
        if seeds > 1
        else "Of one seed, so without intervals",
        "curves": _folded(charts.curve_charts(result)),
        "maps": _folded(charts.map_charts(result)),
        "budget_charts": _folded(budget.budget_charts(result)),
        "budget_tables": budget.budget_tables(result),
        "methods": tables.methods_table(result),
        "table": tables.numbers_table(result) if len(result.rows) else None,
        "conditions": len(set(result.rows["condition"])),
        "over": result.things,
        "axes": [label(axis) for axis in result.axes],
        "runs": runs_table(result, commands, thumbnails),
        "run_count": len(result.rows),
        "saved_recipe": result.name in saved,
    }


def _thumbnail(example: dict) -> dict[str, str]:
    """A small picture of an example, and where on the page it is shown in full."""
    from PIL import Image

    content = base64.b64decode(example["pictures"]["plan"].partition(",")[2])
    image = Image.open(io.BytesIO(content)).convert("RGB")
    image.thumbnail((240, 160))
    alt = f"{example['heading']}: {example['alts']['plan']}"
    return {"anchor": example["anchor"], "address": _address(png(np.asarray(image))), "alt": alt}


def _hero_chart(result: StudyResult) -> dict | None:
    chart = hero.chief_chart(result)
    return None if chart is None else _chart(chart)


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
