"""Measure the checks of tests/validation and write docs/validation.md and its pictures; 1 when a bound is not met.

python docs/validation/make.py [-o docs] [--only 1 9]

With --only what the page says of the other checks stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from validation import CHECKS
from validation.check import Check
from veristem.reports.figures import open_figure, styled
from veristem.reports.pictures import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEAD = """# Validation

What the code computes, against formulas, independent integrators and theorems. `make validation` makes this page and
its pictures, and fails where a bound is not met; `tests/test_validation.py` holds the numbers that take a few seconds.

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
    """Write validation.md and validation/*.png into a folder and return the page's path; other checks on it stay."""
    page, pictures = folder / "validation.md", folder / "validation"
    pictures.mkdir(parents=True, exist_ok=True)
    parts = _known(page)
    for check in checks:
        (pictures / f"{check.number}.png").write_bytes(picture(check))
        measured, bound = (_number(value, check.unit) for value in (check.measured, check.bound))
        verdict = (
            f"Measured {measured}, bound {bound}{'' if check.passed else ': **not met**'}. Source: {check.source}."
        )
        image = f"![{check.title}](validation/{check.number}.png)"
        section = f"## {check.number} · {check.title}\n\n{check.formula}\n\n{verdict}\n\n{image}\n"
        parts[check.number] = _row(check), section
    rows, sections = zip(*(parts[number] for number in CHECKS if number in parts))
    page.write_text(_HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections), encoding="utf-8")
    return page


def _known(page: Path) -> dict[str, tuple[str, str]]:
    """Row and section of every check on a page, by number; none without a page."""
    if not page.exists():
        return {}
    head, *found = page.read_text("utf-8").split("\n## ")
    rows = {line[3 : line.index("]")]: line for line in head.splitlines() if line.startswith("| [")}
    sections = {part.split(" ", 1)[0]: f"## {part.rstrip()}\n" for part in found}
    return {number: (row, sections[number]) for number, row in rows.items()}


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


def main() -> int:
    """Write the page; 1 when a bound is not met, 2 when no check has such a number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parents[1], help="folder of validation.md")
    parser.add_argument("--only", nargs="+", default=[], metavar="N", help="numbers of checks, such as 1 9")
    options = parser.parse_args()
    chosen = [n for n in CHECKS if not options.only or {n, n.rstrip("abcd")} & set(options.only)]
    if not chosen:
        print(f"--only: {' '.join(options.only)} found, allowed are {' '.join(CHECKS)}", file=sys.stderr)
        return 2
    checks = []
    for number in chosen:
        checks.append(CHECKS[number]())
        print(f"{number:>3} {checks[-1].measured:.3g} < {checks[-1].bound:.3g} {checks[-1].title}")
    print(write_page(checks, options.out))
    return int(not all(check.passed for check in checks))


if __name__ == "__main__":
    sys.exit(main())
