"""Before a session: which set-up, current and dwell to choose for a foil, and what to expect of them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.fields import FIELD, Field, as_words, numbers, typed
from veristem.bench.app.jobs import command_text
from veristem.bench.app.opening import Openers, show_made
from veristem.bench.app.window import Window
from veristem.datasets import InputError

FOIL = {  # keys of a recipe's specimen, which stay as they are unless something else is typed
    "plan_zone": Field("zone_axis", "Zone axis u v w", 3),
    "plan_g": Field("g", "Reflection g h k l", 3),
    "plan_thickness": Field("thickness_nm", "Foil thickness (nm)"),
    "plan_density": Field("network.density_per_m2", "Length of lines per volume (m⁻²)"),
}
LIMITS = {
    "plan_dose": Field("dose_per_nm2", "At most: dose of all scans (electrons/nm²)"),
    "plan_time": Field("time_s", "At most: time of all scans (s)"),
    "plan_data": Field("data_GB", "At most: data (GB)"),
    "plan_drift": Field("drift_nm_per_s", "Drift of the specimen (nm/s)"),
    "plan_depth": Field("depth_nm", "Wish: scatter of depths (nm)"),
    "plan_share": Field("completeness", "Wish: share of line found, 0 to 1"),
}
_FILES = {
    ".html": "the page", ".md": "the sheet for the session", ".json": "the table for scripts",
    ".toml": "recipe of a recommended set-up",
}  # fmt: skip
_NUMBERS = ("current_nA", "dwell_us", "dose_per_nm2", "time_s")
_COLUMNS = (
    "Recommended set-up", "Current (nA)", "Dwell (µs)", "Dose (1/nm²)", "Time (s)", "Line found", "Depth scatter (nm)",
    "",
)  # fmt: skip


def plan_words(state) -> list[str]:
    """What was asked, as words of `veristem plan`.

    Raises
    ------
    InputError
        For a recipe that cannot be read, or what is no number.
    """
    recipe = _place(state.plan_recipe, "recipe")
    words = [recipe, "--microscope", _place(state.plan_microscope, "microscope"), "--method", state.plan_method]
    usual = foil_of(recipe)
    changed = {name: text for name in usual if (text := str(state[name] or "").strip()) not in ("", usual[name])}
    for name, text in changed.items():
        if name in FOIL:
            found = numbers(text, FOIL[name].label, FOIL[name].count)
            text = f"[{', '.join(f'{one:.12g}' for one in found)}]" if FOIL[name].count > 1 else f"{found:.12g}"
        words += ["--set", f"specimen.{FOIL[name].option if name in FOIL else 'material'}={text}"]
    words += [word for kind in state.plan_setups or [] for word in ("--setup", kind)]
    return words + as_words(typed(state, LIMITS))


def foil_of(recipe: str) -> dict[str, str]:
    """What a recipe says of its foil, by the fields that show it.

    Raises
    ------
    InputError
        When there is no such one, or it is of particles.
    """
    from veristem.datasets.recipe import load_recipe
    from veristem.datasets.specimens import Dislocations

    specimen = load_recipe(recipe).specimen
    if not isinstance(specimen, Dislocations):
        raise InputError(f"recipe: {recipe[:60]!r} found, which is of particles; one of dislocations allowed")
    density = getattr(specimen.network, "density_per_m2", None)
    return {
        "plan_material": specimen.material,
        "plan_zone": " ".join(f"{one:g}" for one in specimen.zone_axis),
        "plan_g": " ".join(f"{one:g}" for one in specimen.g),
        "plan_thickness": f"{specimen.thickness_nm:g}",
        "plan_density": "" if density is None else f"{density:.6g}",
    }


def rows_of(table: dict[str, Any], most: int) -> list[list[str]]:
    """The recommended set-ups of a plan's table as a person reads them, at most so many."""

    def three(values, digits: str) -> str:
        value, low, high = (format(one, digits) for one in values)
        return f"{value} ({low}–{high})"

    return [
        [
            one["setup"], *(f"{float(format(one[key], '.3g')):g}" for key in _NUMBERS),
            three(one["recall"], ".2f"), three(one["depth_nm"], ".2g"),
        ]
        for one in table["options"][: max(1, table["chosen"])][:most]
    ]  # fmt: skip


def planner_panel(window: Window, openers: Openers) -> None:
    """Put the panel into the layout."""
    from veristem.bench.plan.model import methods
    from veristem.bench.plan.setups import KINDS
    from veristem.datasets.instruments import instrument_names
    from veristem.datasets.recipe import load_recipe, recipe_names

    state = window.state
    foils = [name for name in recipe_names("recipe") if load_recipe(name).specimen.kind == "dislocations"]
    state.update({
        "plan_recipe": "cantor-stereo", "plan_recipes": foils, "plan_microscope": "themis-4d",
        "plan_microscopes": instrument_names(), "plan_method": "stereo-learned", "plan_methods": list(methods()),
        "plan_kinds": [{"title": title, "value": kind} for kind, title in KINDS.items()], "plan_setups": [],
        "plan_rows": [], "plan_src": "", "plan_files": [], "plan_command": "", **dict.fromkeys(LIMITS, ""),
        **foil_of("cantor-stereo"),
    })  # fmt: skip

    @state.change("plan_recipe")
    def _(plan_recipe, **_) -> None:
        with suppress(InputError):  # it may not be typed to its end; the button tells what is wrong
            state.update(foil_of(_place(plan_recipe, "recipe")))

    @window.action("Plan")
    async def plan() -> None:
        words = ["plan", *plan_words(state)]
        state.update({"plan_rows": [], "plan_src": "", "plan_files": [], "plan_command": ""})
        place = window.new_folder("plan")
        words += ["-o", place]
        await window.job.run(words, window.say)
        names = sorted(path.name for path in (window.folder / place).iterdir())
        recipes = [name for name in names if name.endswith(".toml")]
        rows = rows_of(json.loads((window.folder / place / "plan.json").read_text(encoding="utf-8")), len(recipes))
        with state:
            state.update({
                "plan_rows": [[*row, f"{place}/{recipe}"] for row, recipe in zip(rows, recipes)],
                "plan_src": window.href("plan.html", place), "plan_command": command_text(words),
                "plan_files": [
                    {"name": name, "what": _FILES[Path(name).suffix], "href": window.href(name, place)}
                    for name in names if Path(name).suffix in _FILES
                ],
            })  # fmt: skip

    @window.action("Simulation")
    async def image(recipe: str) -> None:
        if recipe not in [row[-1] for row in state.plan_rows]:
            raise InputError("no such recipe found; plan first")
        run = window.new_run()
        await window.command("simulate", recipe, "-o", run)
        await show_made(window, openers, run)
        state.opened = recipe

    with v3.VWindowItem(value="plan"):
        html.Div(
            "Before a session: what to choose for a foil, and what to expect of it. With a wish, the least dose that "
            "meets it is sought, else the least error in depth that the limits allow.",
            classes="mb-2",
        )
        with html.Div(classes="fields mb-2"):
            v3.VCombobox(v_model="plan_microscope", items=("plan_microscopes",), label="Microscope or .toml", **FIELD)
            v3.VCombobox(v_model="plan_recipe", items=("plan_recipes",), label="Foil, scan: recipe or .toml", **FIELD)
            v3.VSelect(v_model="plan_material", items=("materials",), label="Material of the foil", **FIELD)
            for name, field in FOIL.items():
                v3.VTextField(v_model=name, label=field.label, **FIELD)
            v3.VSelect(v_model="plan_method", items=("plan_methods",), label="Method that will reconstruct", **FIELD)
            v3.VSelect(
                v_model="plan_setups", items=("plan_kinds",), label="Set-ups; all if none", multiple=True, **FIELD
            )
            for name, field in LIMITS.items():
                v3.VTextField(v_model=name, label=field.label, id=name.replace("_", "-"), **FIELD)
        v3.VBtn("Plan", click=plan, disabled=("!!busy",), color="primary", id="plan")
        with html.Div(v_if="plan_src", classes="mt-3"):
            with v3.VTable(density="compact", id="plan-rows"):
                with html.Thead(), html.Tr():
                    for name in _COLUMNS:
                        html.Th(name)
                with html.Tbody(), html.Tr(v_for="(row, i) in plan_rows", key="i"):
                    html.Td("{{ cell }}", v_for="(cell, k) in row.slice(0, -1)", key="k")
                    with html.Td():
                        v3.VBtn("Simulate", click=(image, "[row[row.length - 1]]"), disabled=("!!busy",),
                                variant="outlined", density="compact")  # fmt: skip
            with html.Div(classes="my-2", id="plan-files"), html.Span(v_for="file in plan_files", key="file.name",
                                                                      classes="mr-4"):  # fmt: skip
                html.A("{{ file.name }}", href=("file.href",), download=("file.name",), title=("file.what",))
            html.Pre("{{ plan_command }}", id="plan-command", classes="commands mb-2")
            html.Iframe(src=("plan_src",), classes="scene", sandbox="allow-scripts", title="the plan", id="plan-page")


def _place(text: Any, what: str) -> str:
    """A name, or the path of a file from anywhere."""
    found = str(text or "").strip()
    if not found:
        raise InputError(f"{what}: none found; choose one")
    path = Path(found).expanduser()
    return str(path.absolute()) if path.suffix == ".toml" else found
