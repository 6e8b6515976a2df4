"""Tables of the reference, which follow from the sources, so that they cannot lag behind; the pages include them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from importlib import import_module, resources
from pathlib import Path
from typing import Literal

import typer

from site_pages.pages import save
from site_pages.recipe_keys import GIVEN, sections
from veristem.bench.cli import app
from veristem.bench.metrics import metrics
from veristem.datasets import formats
from veristem.datasets.crystal import load_material, material_names
from veristem.datasets.detectors import DETECTORS
from veristem.datasets.instruments import instrument_names, load_instrument
from veristem.datasets.recipe import Recipe, Study, recipe_names, recipe_text
from veristem.recon.methods import METHODS
from veristem.sim.dispersions import GENERATORS as DISPERSIONS
from veristem.sim.networks import GENERATORS as NETWORKS

API = ("", ".datasets", ".datasets.formats", ".recon", ".recon.particles", ".reports")
_TYPES = {"Path": "path", "str": "text", "int": "whole number", "float": "number", "bool": "flag"}


def write(root: Path, made: Path) -> None:
    """Write all tables into the folder of generated pages."""
    for name, make in TABLES.items():
        save(made / f"tables/{name}.md", make())
    for room in API:
        save(made / f"tables/api{room}.md", api(f"veristem{room}"))


def table(head: tuple[str, ...], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def keys(model, root: str) -> str:
    """The tables of a model, one under the other."""
    head, parts = ("key", "unit", "allowed", "default", "what it is"), []
    for section in sections(model, root):
        where = f"`[{section.path}]`" if section.path else ""
        title = " with ".join(filter(None, (where, section.kind and f"`{section.kind}`")))
        rows = ((f"`{k.path}`", k.unit, k.allowed, _code(k.default), k.meaning) for k in section.keys)
        parts.append(f"## {title or 'The whole'}\n\n{section.about}\n\n{table(head, rows)}")
    return "\n".join(parts)


def _code(default: str) -> str:
    return default if default in ("", GIVEN) else f"`{default}`"


def metric_table() -> str:
    """Every metric with its unit, which way is better, its ends."""
    head = ("metric", "unit", "better", "good", "bad", "of", "what it is", "of nothing")
    rows = (
        (f"`{m.name}`", m.unit or "1", m.better, f"{m.good:g}", f"{m.bad:g}", ", ".join(m.of), m.meaning, m.empty)
        for m in metrics()
    )
    return table(head, rows)


def format_table() -> str:
    """Every format with what it reads and writes."""
    rows = []
    for f in formats.formats():
        about = _first(inspect.getmodule(f.read or f.write))
        options = ", ".join(f"`{o}`" for o in f.options)
        rows.append((f"`{f.suffix}`", _names(f.reads if f.read else ()), _names(f.writes), options, about))
    return table(("suffix", "read as", "written from", "options", "format"), rows)


def _names(types: tuple[type, ...]) -> str:
    return ", ".join(f"`{t.__name__}`" for t in types) or "no"


def _first(thing) -> str:
    """The first paragraph of a docstring."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def method_table() -> str:
    """Every method of ours, then each with its parameters."""
    modules = {name: import_module(target.partition(":")[0]) for name, target in METHODS.items()}
    rows = ((f"[`{name}`](#{name})", _first(m).removeprefix(f"{name}: ")) for name, m in modules.items())
    parts = [
        f"## {name}\n\n```{{eval-rst}}\n.. autofunction:: {m.__name__}.reconstruct\n   :no-index:\n```\n"
        for name, m in modules.items()
    ]
    return table(("method", "what it is"), rows) + "\n" + "\n".join(parts)


def named(kind: Literal["recipe", "study"]) -> str:
    """Recipes or studies that ship, as they are, each under what its first lines say."""
    parts = []
    for name in recipe_names(kind):
        text = recipe_text(name, kind)
        comment = re.match(r"(?:#.*\n)*", text)
        about = " ".join(line.lstrip("# ") for line in (comment[0] if comment else "").splitlines())
        parts.append(f"## {name}\n\n{about}\n\n```toml\n{text.strip()}\n```\n")
    return "\n".join(parts)


def microscopes() -> str:
    """Every microscope, as its file has it."""
    parts = []
    for name in instrument_names():
        text = resources.files("veristem.datasets").joinpath("microscopes", f"{name}.toml").read_text(encoding="utf-8")
        parts.append(f"## {name}\n\n{load_instrument(name).title}\n\n```toml\n{text.strip()}\n```\n")
    return "\n".join(parts)


def materials() -> str:
    """Every material with its cell."""
    head = ("material", "structure", "a [nm]", "c [nm]", "shortest b [nm]", "g", "ξ at 200 keV [nm]")
    rows = []
    for m in map(load_material, material_names()):
        c = "" if m.c_nm == m.a_nm else f"{m.c_nm:.5g}"
        xi = m.extinction_distances_nm(m.g, 200.0)[0]
        g = " ".join(f"{i:g}" for i in m.g)
        rows.append((m.name, m.structure, f"{m.a_nm:.5g}", c, f"{m.shortest_burgers_nm:.4g}", g, f"{xi:.4g}"))
    return table(head, rows)


def detectors() -> str:
    """Every detector with what it is."""
    return table(("kind", "what it is"), ((f"`{name}`", _first(d)) for name, d in sorted(DETECTORS.items())))


def specimens() -> str:
    """Every generator with what it makes."""
    kinds = (("dislocations", "networks", NETWORKS), ("particles", "dispersions", DISPERSIONS))
    return table(
        ("kind", "generator", "what it makes"),
        (
            (kind, f"`{name}`", _first(import_module(f"veristem.sim.{package}.{name}")))
            for kind, package, names in kinds
            for name in names
        ),
    )


def commands() -> str:
    """Every command with its arguments and options, as the program itself knows them."""
    parts = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        for sub, one in (getattr(command, "commands", None) or {"": command}).items():
            parts.append(_command(f"veristem {name} {sub}".strip(), one))
    return "\n".join(parts)


def _command(name: str, command) -> str:
    rows = []
    for option in command.params:
        names = ", ".join([*option.opts, *option.secondary_opts])
        names = names.upper() if option.param_type_name == "argument" else names
        plain = option.default is None or option.default is False or callable(option.default)
        default = GIVEN if option.required else "" if plain else str(option.default)
        rows.append((f"`{names}`", _type(option), _code(default), option.help or ""))
    text, _, example = inspect.cleandoc(command.help or "").partition("Example:")
    shown = f"```sh\n{' '.join(example.split())}\n```\n\n" if example else ""
    text = text.strip().replace("*", "\\*")
    return f"## {name}\n\n{text}\n\n{shown}{table(('option', 'type', 'default', 'what it is'), rows)}"


def _type(option) -> str:
    annotation = option.type_descriptor.annotation
    inner = getattr(annotation, "__args__", ())
    word = _TYPES.get((inner[0] if inner else annotation).__name__, "text")
    if len(inner) > 1:
        return f"{len(inner)} {word}s"
    return f"{word}, repeatable" if option.multiple else word


def api(module: str) -> str:
    """What a package offers, from docstrings."""
    found, parts = import_module(module), []
    for name in sorted(found.__all__, key=str.lower):
        is_class = inspect.isclass(getattr(found, name))
        members = "   :members:\n" if is_class else ""
        parts.append(f".. {'autoclass' if is_class else 'autofunction'}:: {module}.{name}\n{members}\n")
    return f"```{{eval-rst}}\n{''.join(parts)}```\n"


TABLES: dict[str, Callable[[], str]] = {
    "recipe": lambda: keys(Recipe, ""),
    "study": lambda: keys(Study, "study"),
    "metrics": metric_table,
    "formats": format_table,
    "methods": method_table,
    "recipes": lambda: named("recipe"),
    "studies": lambda: named("study"),
    "materials": materials,
    "microscopes": microscopes,
    "detectors": detectors,
    "specimens": specimens,
    "commands": commands,
}
