"""One self-contained HTML page: what was there, how it looked, what was made of it, and which conditions to choose."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from veristem.datasets.formats.atomic import atomic_path
from veristem.datasets.geometry import pair_angle_rad
from veristem.datasets.results import CURVE_SCORES, SUFFIXES
from veristem.reports import charts, figures, scenes, studies, words
from veristem.reports.png import png
from veristem.reports.rows import StudyResult, split
from veristem.reports.scenes import Scene

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def write_page(
    path: str | Path,
    *,
    title: str,
    scene: Scene,
    table: pd.DataFrame | None = None,
    facts: dict[str, dict[str, str]],
    sentences: Sequence[str] = (),
    command: str = "",
    meanings: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write the report of one reconstruction, and of the study around it, as one HTML file that needs no other.

    Parameters
    ----------
    path : path
        File to write; it appears whole or not at all.
    title : str
        Headline.
    scene : Scene
        The acquisition and reconstruction to show; without a truth, neither errors nor scores are shown.
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
    from jinja2 import Environment

    results = split(table)
    found = [text for text in map(studies.best_sentence, results) if text]
    if len(found) > 1:
        found = [f"Study {r.name}: {t}" for r in results if (t := studies.best_sentence(r))]
    pictures, packs = _pictures(scene)
    template = resources.files("veristem.reports").joinpath("templates", "page.html.jinja").read_text(encoding="utf-8")
    html = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template).render(
        title=title, sentences=[*sentences, *found], numbers=_key_numbers(scene), scene=scene, pictures=pictures,
        size=[f"{length:g}" for length in scene.size_nm], has_empty_truth=_is_empty(scene),
        studies=[_study(result) for result in results], f_enough=studies.F_ENOUGH,
        runs=0 if table is None else len(table), failures=_failures(table), scores=_score_rows(scene.scores, meanings),
        facts=facts, command=command,
        script_data=_script_json({"viewer": scenes.viewer_html(), "scenes": packs}),
    )  # fmt: skip
    path = Path(path)
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")


def _pictures(scene: Scene) -> tuple[dict[str, str], dict[str, str]]:
    """Pictures by name as data addresses, and the packed 3D scenes."""
    pictures, packs = {}, {}
    plotters: dict[str, tuple[Any, scenes.Camera]] = {"reconstruction": (scenes.reconstruction_plotter, "edge")}
    if scene.truth is not None:
        plotters["truth"] = (scenes.truth_plotter, "beam")
    for name, (make, second) in plotters.items():
        plotter = make(scene)
        pictures[f"{name}_{second}"] = _address(scenes.picture(plotter, second))
        pictures[name] = _address(scenes.picture(plotter, "tilted"))
        packs[name] = scenes.packed(plotter)
        plotter.close()
    pictures["pair"] = _drawn(figures.stereo_pair(scene.acquisition))
    if figures.pair(scene.acquisition) is not None:
        pictures["anaglyph"] = _drawn(figures.anaglyph(scene.acquisition))
    pictures["plan"] = _drawn(figures.overlay_plan(scene))
    drawn = sum(map(len, scene.curves.curves_nm)) + (len(scene.truth.network.segments) if scene.truth else 0)
    pictures["depth"] = _drawn(figures.overlay_depth(scene), "svg" if drawn < scenes.MOST_TUBES else "png")
    return pictures, packs


def _study(result: StudyResult) -> dict:
    seeds = len(set(result.rows["seed"]))
    return {
        "name": result.name,
        "picture": _drawn(charts.score_curves(result), "svg") if result.axes else None,
        "width": 7 * (2.7 * len(result.axes) + 0.9),  # rem: letters as large as in the text
        "visible": bool(result.suffix),
        "failed": sum(isinstance(e, str) for e in result.rows["error"]),
        "runs": len(result.rows),
        "seeds": f"{seeds} seed" + ("s" if seeds != 1 else ""),
        "axes": [words.label(axis) for axis in result.axes],
    }


def _key_numbers(scene: Scene) -> list[tuple[str, str]]:
    """Values and names of the numbers under the headline; what is not known is left out."""
    numbers = []
    for key, name, unit in (("f_score", "F", ""), ("depth_rmse_nm", "depth RMSE", " nm")):
        seen, plain = scene.scores.get(key + "_visible"), scene.scores.get(key)
        value = plain if seen is None else seen
        if value is not None and np.isfinite(value):
            numbers.append((_number(value) + unit, name + ("" if seen is None else ", visible lines")))
    if scene.truth is not None:
        count, visible = _count_lines(scene)
        numbers.append((str(count), f"line{'s' if count != 1 else ''} in the foil, {visible} visible"))
    count = len(scene.curves.curves_nm)
    numbers.append((str(count), f"curve{'s' if count != 1 else ''} reconstructed"))
    chosen = figures.pair(scene.acquisition)
    if chosen is not None:
        angle = np.degrees(pair_angle_rad(*scene.acquisition.directions_rad[list(chosen)]))
        numbers.append((f"{angle:.3g}°", "stereo angle"))
    if scene.acquisition.electrons_per_pixel is not None:
        dose = float(np.mean(scene.acquisition.electrons_per_pixel))
        numbers.append((f"{dose:,.0f}" if dose >= 10 else f"{dose:.2g}", "electrons per pixel and view"))
    return numbers


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


def _is_empty(scene: Scene) -> bool:
    return scene.truth is not None and not len(scene.truth.network.segments)


def _score_rows(scores: dict[str, float | None], meanings: Mapping[str, str]) -> list[dict]:
    """One row a score: name, what it means, its values over all, visible and steep lines."""
    known = [name for name in CURVE_SCORES if any(name + suffix in scores for suffix in SUFFIXES)]
    rows = [
        {"name": name, "meaning": meanings.get(name, ""), "values": [_number(scores.get(name + s)) for s in SUFFIXES]}
        for name in known
    ]
    used = {name + suffix for name in known for suffix in SUFFIXES} | {"tolerance_nm"}
    others = [name for name in scores if name not in used]
    return rows + [{"name": n, "meaning": "", "values": [_number(scores[n]), "–", "–"]} for n in others]


def _failures(table: pd.DataFrame | None) -> list[dict]:
    if table is None:
        return []
    columns = ("study", "method", "conditions", "seed", "error")
    rows = [dict(zip(columns, values)) for values in zip(*(table[c] for c in columns))]
    return [
        {**row, "conditions": words.conditions_text(json.loads(row["conditions"] or "{}"))}
        for row in rows
        if isinstance(row["error"], str)
    ]


def _number(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}".replace("-", "−")


def _drawn(figure: Figure, kind: str = "png") -> str:
    from PIL import Image

    buffer = io.BytesIO()
    if kind == "svg":
        figure.savefig(buffer, format=kind, metadata={"Date": None})  # the same results give the same page
        return _address(buffer.getvalue(), "svg+xml")
    figure.savefig(buffer, format="png", dpi=200)
    return _address(png(np.asarray(Image.open(buffer).convert("RGB"))))


def _address(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _script_json(data: dict) -> str:
    """JSON that may stand in a script element: no "<" can end it early."""
    return json.dumps(data).replace("<", "\\u003c")
