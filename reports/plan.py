"""The page of a plan: conditions to turn, what they show and what to expect of them. It needs no other file."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from veristem.reports import style
from veristem.reports.figures import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def fronts_figure(
    fronts: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], chosen: tuple[float, float]
) -> Figure:
    """Expected scatter in depth against the dose of all scans: the best set-up of each kind.

    Parameters
    ----------
    fronts : mapping
        By kind of set-up (doses [1/nm²], depth [nm], share found), (D,) each.
    chosen : (float, float)
        Dose and depth of what is recommended.
    """
    from matplotlib.ticker import FuncFormatter

    figure, ((axes,),) = new_figure((5.2, 3.2), 1)
    for (kind, (dose, depth, _)), colour in zip(fronts.items(), style.METHODS):
        axes.plot(dose, depth, color=colour, label=kind)
    axes.plot(*chosen, "o", color="black", label="recommended", zorder=3)
    axes.set(xscale="log", yscale="log", xlabel="dose of all scans (electrons/nm²)", ylabel="scatter in depth (nm)")
    for formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "125" else ""))
    axes.legend(fontsize="small")
    return figure


def plan_page(
    *,
    title: str,
    number: str,
    sentence: str,
    microscope: str,
    method: str,
    things: str,
    f_name: str,
    of_each: str,
    small: str,
    rows: Sequence[Mapping[str, Any]],
    refused: Sequence[tuple[str, str]],
    fronts: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    basis: str,
    command: str,
    session: Mapping[str, Any],
) -> str:
    """The page as HTML.

    Parameters
    ----------
    title, number, sentence, microscope, method, things, f_name, of_each, small, basis, command : str
        In words.
    rows : sequence of mappings
        Set-ups, the best first, as `bench.pages.plan` makes them.
    refused : sequence of (str, str)
        Set-ups that limits exclude, and why.
    fronts : mapping
        As of `fronts_figure`.
    session : mapping
        What the sliders need: signals of the discs that were imaged, and the model.
    """
    from jinja2 import Environment, FunctionLoader

    picture = io.BytesIO()
    best = rows[0]
    fronts_figure(fronts, (best["dose_per_nm2"], best["depth_nm"][0])).savefig(picture, format="svg")
    folder = resources.files("veristem.reports").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    texts = list(dict.fromkeys(text for row in rows for text in row["warnings"]))
    marks = {text: chr(ord("a") + n) for n, text in enumerate(texts)}
    data = json.dumps(session, separators=(",", ":")).replace("<", "\\u003c")
    return environment.get_template("plan.html.jinja").render(
        title=title, number=number, sentence=sentence, microscope=microscope, method=method,
        things=things, f_name=f_name, of_each=of_each, small=small, rows=rows, refused=refused,
        marks=marks,
        basis=basis, command=command, session=session, data=data,
        fronts=f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}",
    )  # fmt: skip
