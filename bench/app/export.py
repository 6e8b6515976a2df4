"""To take away: files, figures, settings, and the commands that do the same."""

from __future__ import annotations

from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.window import Window
from veristem.datasets import InputError

_NAMES = {
    "acquisition.h5": "the images", "truth.h5": "the truth", "reconstruction.vtp": "the curves, for ParaView",
    "reconstruction.csv": "the points", "volume.mrc": "the volume", "scene.html": "3D, to turn in any browser",
    "page.html": "the page of this reconstruction", "recipe.toml": "the recipe", "commands.sh": "the commands",
    "settings.toml": "settings: method, parameters, commands, versions",
}  # fmt: skip


def export_panel(window: Window) -> None:
    """Put the panel into the layout."""
    state = window.state
    state.update({"files": [], "commands": ""})

    def listed() -> None:
        """Write commands and settings, and list all files of what is open."""
        if not window.run or not window.path("").is_dir():
            return
        text = "\n".join(window.script) + "\n"
        window.path("commands.sh").write_text(text, encoding="utf-8")
        window.path("settings.toml").write_text(_settings(window), encoding="utf-8")
        paths = sorted(path for path in window.path("").rglob("*") if path.is_file())
        names = [str(path.relative_to(window.path(""))) for path in paths]
        known = [name for name in _NAMES if name in names]
        with state:
            state.commands = text
            state.files = [
                {"name": name, "what": _NAMES.get(name, "a figure"), "href": window.href(name)}
                for name in [*known, *(name for name in names if name not in _NAMES)]
            ]

    window.on("opened", listed)
    window.on("found", listed)
    window.on("volume", listed)

    @state.change("tab")
    def _(tab, **_) -> None:
        if tab == "export":
            listed()

    @window.action("Figures")
    async def figures() -> None:
        if window.found is None:
            raise InputError("no reconstruction found; press Reconstruct first")
        await window.command("report", window.run, "-o", f"{window.run}/page.html", "--format", "png,svg")
        listed()

    with v3.VWindowItem(value="export"), v3.VRow():
        with v3.VCol(cols="12", md="6"):
            v3.VBtn("Make figures and page", click=figures, disabled=("!!busy",), color="primary", classes="mb-2",
                    id="figures")  # fmt: skip
            with (
                v3.VTable(density="compact", id="files"),
                html.Tbody(),
                html.Tr(v_for="file in files", key="file.name"),
            ):
                with html.Td():
                    html.A("{{ file.name }}", href=("file.href",), download=("file.name.split('/').pop()",))
                html.Td("{{ file.what }}")
        with v3.VCol(cols="12", md="6"):
            html.Div("The same without a window, in a terminal:", classes="mb-1")
            html.Pre("{{ commands }}", id="commands", classes="commands")
            v3.VBtn(
                "Copy", click="window.navigator.clipboard.writeText(commands)", variant="outlined", density="compact"
            )


def _settings(window: Window) -> str:
    import tomli_w

    from veristem.bench.study.facts import versions

    state = window.state
    changed = {one["name"]: str(one["value"]) for one in state.parameters if one["value"] != one["default"]}
    told: dict[str, Any] = {
        "opened": state.opened, "method": state.method, "commands": window.script, "parameters": changed,
        "versions": versions(),
    }  # fmt: skip
    return tomli_w.dumps(told)
