"""The way in: a path, a list of files, files dropped into the window, or a recipe to simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.crystal import crystal_words
from veristem.bench.app.fields import BELOW, FIELD
from veristem.bench.app.opening import Openers, listing, open_paths, save_uploads, show_made
from veristem.bench.app.window import Window
from veristem.datasets import DislocationNetwork, InputError

_RECIPES = {DislocationNetwork: "demo-foil"}  # to image a network in; particles else
_PARTICLES = "particles-small"
BUTTON: dict[str, Any] = {"size": "small"}
DROPPED = """
const files = Array.from($event.dataTransfer ? $event.dataTransfer.files : $event);
if (files.some(file => file.size > 5e8)) trouble = 'More than 500 MB dropped; open such a file by its path';
else if (files.length) upload = files;
"""


def start_card(window: Window, openers: Openers):
    """Put the way in into the layout; returns what opens paths."""
    from veristem.datasets.recipe import recipe_names

    state = window.state
    state.update({
        "path": "", "upload": None, "browse": False, "simulate_dialog": False,
        "folder": str(Path.home()), "names": [], "recipe": "demo-foil",
        "recipes": recipe_names("recipe"), "seed": "0", "pair_dialog": False, "pair": ["", ""], "pair_angle": "",
        "pair_pixel": "", "pair_tilted": False, "pair_axis": "find", "specimen_dialog": False, "specimen": "",
        "specimen_lines": True, "specimen_material": "",
    })  # fmt: skip

    @window.action("Opening")
    async def opening(paths: list[Path]) -> None:
        await open_paths(window, openers, paths)

    @window.action("Opening")
    async def typed() -> None:
        if not (state.path or "").strip():
            raise InputError("no path found; type that of a file or folder, or browse")
        await open_paths(window, openers, [Path(part).expanduser().absolute() for part in _parts(state.path)])

    @state.change("upload")
    def _(upload, **_) -> None:
        if upload:
            files = upload if isinstance(upload, list) else [upload]
            state.upload = None
            dropped(files)

    @window.action("Opening")
    async def dropped(files) -> None:
        await open_paths(window, openers, save_uploads(window, files))

    @window.action("Listing")
    async def look(folder: str) -> None:
        place = Path(folder).expanduser().absolute()
        with state:
            state.update({"names": await window.aside(listing, place), "folder": str(place), "browse": True})

    window.server.trigger("look")(look)

    @window.server.trigger("picked")
    def picked(path: str) -> None:
        state.browse = False
        state.path = path
        opening([Path(path)])

    @window.action("Simulation")
    async def simulate() -> None:
        state.simulate_dialog = False
        run = window.new_run()
        window.script = []
        seed = str(state.seed).strip()
        await window.command("simulate", state.recipe, "-o", run, "--set", f"recipe.seed={seed}")
        await show_made(window, openers, run)
        state.opened = f"{state.recipe}, seed {seed}"

    # two images of a real pair

    def ask_pair(left: Path, right: Path) -> None:
        with state:
            state.update({"pair": [str(left), str(right)], "pair_dialog": True})

    @window.action("Pair")
    async def make_pair() -> None:
        from veristem.bench.app.scan import _within

        words = ["--pair-angle-deg", state.pair_angle] if state.pair_angle else []
        words += ["--pixel-nm", state.pair_pixel] if state.pair_pixel else []
        words += ["--tilt-axis-deg", state.pair_axis] if state.pair_tilted else []
        images = [_within(window, path) for path in state.pair]
        run = window.new_run()
        out, said = await window.command("convert", *images, f"{run}/acquisition.h5", *words, *crystal_words(state))
        await window.show(run)
        state.update({"pair_dialog": False, "opened": " and ".join(Path(path).name for path in state.pair)})
        state.note = " · ".join([out.partition(": ")[2].strip(), *said])

    # a specimen to image

    def ask_specimen(path: Path, thing) -> None:
        with state:
            lines = isinstance(thing, DislocationNetwork)
            state.update({"specimen": str(path), "specimen_dialog": True, "specimen_lines": lines})
            state.recipe = _RECIPES.get(type(thing), _PARTICLES)

    @window.action("Simulation")
    async def image() -> None:
        run = window.new_run()
        text = await window.aside(
            _recipe_text, state.recipe, Path(state.specimen), state.specimen_lines, state.specimen_material
        )
        (window.folder / run / "recipe.toml").write_text(text, encoding="utf-8")
        state.specimen_dialog = False
        await window.command("simulate", f"{run}/recipe.toml", "-o", run)
        await window.show(run)
        state.opened = f"{Path(state.specimen).name}, imaged"

    openers.pair, openers.specimen = ask_pair, ask_specimen

    with v3.VCard(classes="ma-2", variant="outlined"), v3.VCardText(classes="pa-3"):
        html.Div("1 · Open", classes="text-subtitle-1 mb-2")
        v3.VTextField(v_model="path", label="File or folder", keydown_enter=typed, id="path", **FIELD)
        with html.Div(classes="d-flex mt-2", style="gap: 8px"):
            v3.VBtn("Open", click=typed, disabled=("!!busy",), color="primary", id="open", **BUTTON)
            v3.VBtn(
                "Browse…", click=(look, "[folder]"), disabled=("!!busy",), variant="outlined", id="browse", **BUTTON
            )
            v3.VBtn("Simulate…", click="simulate_dialog = true", variant="outlined", id="simulate", **BUTTON)
        html.Div("or drop files anywhere in this window", classes="text-caption mt-1")
    _dialogs(make_pair, image, look, simulate)
    return opening


def _dialogs(make_pair, image, look, simulate) -> None:
    with v3.VDialog(v_model="browse", max_width=640), v3.VCard(title=("folder",)), v3.VCardText():
        v3.VBtn("Up", click=(look, "[folder + '/..']"), size="small", variant="outlined", prepend_icon="mdi-arrow-up")
        with v3.VList(density="compact", height=420, id="names"):
            v3.VListItem(
                v_for="one in names", key="one.path", title=("one.name",),
                prepend_icon=("one.folder ? 'mdi-folder' : 'mdi-file-outline'",),
                click="one.folder ? trigger('look', [one.path]) : trigger('picked', [one.path])",
            )  # fmt: skip
    with v3.VDialog(v_model="simulate_dialog", max_width=560), v3.VCard(title="Simulate a recipe"), v3.VCardText():
        v3.VSelect(v_model="recipe", items=("recipes",), label="Recipe", **BELOW)
        v3.VTextField(v_model="seed", label="Seed: another specimen for each", **BELOW)
        v3.VBtn("Simulate", click=simulate, disabled=("!!busy",), color="primary", id="simulate-recipe")
    with v3.VDialog(v_model="pair_dialog", max_width=560), v3.VCard(title="A stereo pair"), v3.VCardText():
        html.Div("{{ pair.map(p => p.split('/').pop()).join(' and ') }}: the first is taken with rays from the left.")
        with html.Div(classes="d-flex my-2", style="gap: 8px"):
            v3.VTextField(v_model="pair_angle", label="Angle between the views (°)", id="pair-angle", **FIELD)
            v3.VTextField(v_model="pair_pixel", label="Pixel (nm), if the files do not say", id="pair-pixel", **FIELD)
        v3.VSwitch(v_model="pair_tilted", label="The specimen was tilted between two scans", color="primary",
                   id="pair-tilted", **FIELD)  # fmt: skip
        v3.VTextField(v_if="pair_tilted", v_model="pair_axis", label="Tilt axis from x towards y (°), or find", **FIELD)
        html.Div(
            "Crystal and thickness, as far as they are known, are taken from the panel Crystal.",
            classes="text-caption my-2",
        )
        html.Div("{{ trouble }}", v_if="trouble", classes="text-error")
        v3.VBtn("Use this pair", click=make_pair, disabled=("!!busy",), color="primary", id="use-pair")
    with v3.VDialog(v_model="specimen_dialog", max_width=560), v3.VCard(title="Image this specimen"), v3.VCardText():
        html.Div("{{ specimen.split('/').pop() }}")
        v3.VSelect(v_model="recipe", items=("recipes",), label="with the recipe", **(FIELD | {"classes": "my-2"}))
        v3.VSelect(
            v_if="specimen_lines", v_model="specimen_material", items=("['', ...materials]",),
            label="Material; guessed from the file if none", **BELOW,
        )  # fmt: skip
        html.Div("{{ trouble }}", v_if="trouble", classes="text-error")
        v3.VBtn("Simulate", click=image, disabled=("!!busy",), color="primary", id="image-specimen")


def _parts(text: str) -> list[str]:
    """Paths in a text, one if there is a file of that name, else as a terminal has them."""
    import shlex

    if Path(text.strip()).expanduser().exists():
        return [text.strip()]
    try:
        return shlex.split(text)
    except ValueError:
        return [text.strip()]


def _recipe_text(name: str, file: Path, lines: bool, material: str) -> str:
    """A recipe around a specimen of a file, as text."""
    import tomli_w

    from veristem.bench.pages.demo import network_recipe, particle_recipe
    from veristem.datasets.recipe import load_recipe

    recipe = load_recipe(name)
    made = network_recipe(recipe, file, material or None)[0] if lines else particle_recipe(recipe, file)
    return tomli_w.dumps(made.model_dump(exclude_none=True, mode="json"))
