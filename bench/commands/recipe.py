"""Named recipes and studies, to start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from veristem.datasets.errors import InputError


def recipe(
    name: Annotated[Optional[str], typer.Argument(help="a named recipe or study")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option("-o", "--out", help="file to write instead of the terminal")] = None,  # noqa: UP045
    schema: Annotated[bool, typer.Option("--schema", help="print the JSON schema of recipes and studies")] = False,
) -> None:
    """Print a named recipe or study, or the schema, to start from."""
    from veristem.datasets.recipe import Recipe, Study, recipe_names, recipe_text

    if schema:
        text = json.dumps({"recipe": Recipe.model_json_schema(), "study": Study.model_json_schema()}, indent=2) + "\n"
    elif name is None:
        raise InputError("recipe: give a name or --schema; `veristem list recipes` shows the names")
    else:
        text = recipe_text(name, "study" if name in recipe_names("study") else "recipe")
    if out is None:
        typer.echo(text, nl=False)
    else:
        from veristem.datasets.formats.atomic import atomic_path

        with atomic_path(out) as partial:
            partial.write_text(text, encoding="utf-8")
