"""The page of a training: how it went, and the card of its weights."""

from __future__ import annotations

import base64
import io
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from veristem.datasets.formats.atomic import atomic_path
from veristem.reports import style
from veristem.reports.figures import WIDTH_IN, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def learning_curve(history: pd.DataFrame, name: str = "contours", example: str = "foil") -> Figure:
    """Loss, and what is found on examples that are not trained on, against steps.

    Parameters
    ----------
    history : DataFrame
        ``step``, ``loss``, ``precision``, ``recall``, ``f_score``.
    name, example : str
        What is found, and in what.
    """
    figure, ((left, right),) = new_figure((WIDTH_IN, 2.8), 2)
    left.plot(history["step"], history["loss"], color=style.METHODS[0], marker=".")
    left.set(xlabel="step", ylabel=f"loss on training {example}s", ylim=(0, None))
    named = (("precision", "precision"), ("recall", "recall"), ("f_score", "F"))
    for (score, words), colour, marker in zip(named, style.METHODS, style.MARKERS):
        right.plot(history["step"], history[score], color=colour, marker=marker, markersize=3, label=words)
    right.set(xlabel="step", ylabel=f"{name} on other {example}s", ylim=(0, 1.02))
    right.legend(loc="lower right")
    return figure


def training_page(
    path: Path,
    history: pd.DataFrame,
    groups: pd.DataFrame,
    card: str,
    command: str,
    *,
    name: str,
    example: str,
    found: str,
    claimed: str,
) -> None:
    """Write the page of a training as one HTML file that needs no other.

    Parameters
    ----------
    path : Path
        File to write.
    history : DataFrame
        As of `learning_curve`.
    groups : DataFrame
        ``group``, ``name``, ``examples``, ``precision``, ``recall``, ``f_score`` of what was not trained on.
    card : str
        Of the weights.
    command : str
        That makes them again.
    name, example : str
        What is found, and in what.
    found, claimed : str
        What recall and precision are shares of, as the end of a sentence.
    """
    from jinja2 import Environment, FunctionLoader

    picture = io.BytesIO()
    if len(history):
        learning_curve(history, name, example).savefig(picture, format="svg")
    folder = resources.files("veristem.reports").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    html = environment.get_template("training.html.jinja").render(
        curve=f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}" if len(history) else "",
        best=None if history.empty else history.loc[history["f_score"].idxmax()],
        groups=list(groups.itertuples()), card=card, command=command, name=name, example=example, found=found,
        claimed=claimed,
    )  # fmt: skip
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")
