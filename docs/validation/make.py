"""docs/validation.md and its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from validation.check import Check

from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEAD = """# Validation

What the code computes, against formulas, independent integrators and theorems. `make validation` makes this page and
its pictures; `tests/test_validation.py` holds every number below its bound, but for those marked as not met.

| | check | measured | bound | source |
| --- | --- | --- | --- | --- |
"""
_SIZE_IN = (6.7, 2.6)  # 17 cm wide
_DPI = 100


def picture(check: Check) -> bytes:
    """The picture of a check as PNG."""
    return drawn(_figure(check), "png", _DPI)


@styled
def _figure(check: Check) -> Figure:
    figure = open_figure(_SIZE_IN)
    check.draw(figure)
    return figure


def write_page(checks: Sequence[Check], folder: Path) -> Path:
    """Write validation.md and validation/*.png into a folder and return the page's path."""
    pictures = folder / "validation"
    pictures.mkdir(parents=True, exist_ok=True)
    sections = []
    for check in checks:
        (pictures / f"{check.number}.png").write_bytes(picture(check))
        measured, bound = (_number(value, check.unit) for value in (check.measured, check.bound))
        verdict = (
            f"Measured {measured}, bound {bound}{'' if check.passed else ': **not met**'}. Source: {check.source}."
        )
        image = f"![{check.title}](validation/{check.number}.png)"
        sections.append(f"## {check.number} · {check.title}\n\n{check.formula}\n\n{verdict}\n\n{image}\n")
    page = folder / "validation.md"
    page.write_text(_HEAD + "\n".join(map(_row, checks)) + "\n\n" + "\n".join(sections), encoding="utf-8")
    return page


def _row(check: Check) -> str:
    measured = _number(check.measured, check.unit)
    cells = (
        f"[{check.number}](validation/{check.number}.png)",
        check.title,
        measured if check.passed else f"**{measured}**",
        _number(check.bound, check.unit),
        check.source,
    )
    return f"| {' | '.join(cells)} |"


def _number(value: float, unit: str) -> str:
    return f"{value:.2g} {unit}".strip()
