"""Notebooks of the tutorials: what is run when the site is built is what is in them, and a reader sees its pictures."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

_FIGURE = "figure"  # names of figures made without pyplot, which a notebook shows only where a cell ends with one


def check(sources: Path, made: Path) -> None:
    """Tell Sphinx, whose build then fails, of every tutorial without such a notebook."""
    from sphinx.util import logging  # pyright: ignore[reportMissingImports]  # of the extra docs

    for source in sorted(sources.glob("[0-9]*.py")):
        for fault in faults(source, made / f"{source.stem}.ipynb"):
            logging.getLogger(__name__).warning("%s: %s", source.name, fault)


def faults(source: Path, notebook: Path) -> Iterator[str]:
    """What is wrong with the notebook of a tutorial."""
    if not notebook.is_file():
        yield "no notebook found"
        return
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    code = [text for text in code if not text.startswith("%")]
    wanted = ast.parse(source.read_text("utf-8"))
    if ast.dump(ast.parse("\n".join(code))) != ast.dump(ast.Module(wanted.body[1:], [])):  # the first is its text
        yield "the notebook holds other code"
    for text in code:
        lines = ast.parse(text).body
        made = [name.id for one in lines if isinstance(one, ast.Assign) for name in one.targets if _is_figure(name)]
        last = lines[-1].value if isinstance(lines[-1], ast.Expr) else None
        if made and not (isinstance(last, ast.Name) and last.id == made[-1]):
            yield f"a notebook does not show `{made[-1]}`; end its cell with it"
    if any("__file__" in text for text in code):
        yield "`__file__` found, which a notebook has not"


def _is_figure(node: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and node.id.startswith(_FIGURE)
