"""The method: which, with which parameters, its run, its stop, and what came out."""

from __future__ import annotations

from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.fields import BELOW, FIELD
from veristem.bench.app.window import Window
from veristem.datasets import InputError
from veristem.datasets.kinds import KINDS
from veristem.recon.methods import CONTOURS

_OWN = "the method's own"


def method_card(window: Window) -> Any:
    """Put the method into the layout; returns what shows curves or points of a file."""
    state = window.state
    state.update({
        "methods": [], "method": "", "parameters": [], "makes_volume": False, "stages": [], "method_contours": _OWN,
        "contour_ways": [_OWN, *CONTOURS],
        "sentence": "", "numbers": [], "scores": [], "scene": "",
    })  # fmt: skip

    async def opened() -> None:
        from veristem.recon.methods import methods_of

        acquisition = window.acquisition
        names = [] if acquisition is None else await window.aside(methods_of, acquisition.kind)
        with state:
            state.update({"methods": names, "sentence": "", "numbers": [], "scores": [], "scene": ""})
            if state.method not in names:
                state.method = names[0] if names else ""
                chosen(state.method)
        window.lies = None

    window.on("opened", opened)

    @state.change("method")
    def _(method, **_) -> None:
        chosen(method)

    def chosen(method: str) -> None:
        """Show the parameters of a method."""
        from veristem.recon.methods import makes_volume, parameters_of, stages_of

        if method not in state.methods:
            state.update({"parameters": [], "makes_volume": False, "stages": []})
            return
        state.parameters = [
            {
                "name": one.name,
                "switch": isinstance(one.default, bool),
                "default": one.default if isinstance(one.default, bool) else _text(one.default),
                "value": one.default if isinstance(one.default, bool) else _text(one.default),
            }
            for one in parameters_of(method)
        ]
        state.update({"makes_volume": makes_volume(method), "stages": stages_of(method), "method_contours": _OWN})

    def asked() -> str:
        """The method as it is asked for, of registered names and words alone."""
        if state.method not in state.methods:
            raise InputError("no method found; open images first")
        words = [state.method]
        if "contours" in state.stages and state.method_contours != _OWN:
            words.append(f"contours={state.method_contours}")
        for one in state.parameters:
            value = str(one["value"]).strip()
            if value == str(one["default"]):
                continue
            if not value or len(value.split()) > 1:
                raise InputError(f"{one['name']}: {value!r} found, one word allowed, {one['default']} by default")
            words.append(f"{one['name']}={value.lower() if one['switch'] else value}")
        return " ".join(words)

    async def reconstruct(name: str) -> None:
        if window.acquisition is None:
            raise InputError("no images found; open some, or simulate a recipe")
        images = f"{window.run}/acquisition.h5"
        await window.command("reconstruct", images, "--method", asked(), "-o", f"{window.run}/{name}")

    @window.action("Reconstruction")
    async def run() -> None:
        import veristem as vs

        kind = KINDS["dislocations"] if window.acquisition is None else KINDS[window.acquisition.kind]
        name = f"reconstruction{kind.suffix}"
        await reconstruct(name)
        window.found = await window.aside(vs.load, window.path(name))
        state.tab = "images"
        await compare()
        await window.happened("found")
        await scene()

    async def compare() -> None:
        """What is to be said of what was found, against the truth or against the images."""
        from veristem.bench.app.said import said

        truth, suffix = window.truth, KINDS[window.acquisition.kind].suffix
        window.say("comparing with " + ("the truth" if truth is not None else "the images"))
        images, found, known = map(window.path, ("acquisition.h5", f"reconstruction{suffix}", "truth.h5"))
        told = await window.apart(said, images, found, None if truth is None else known, state.method)
        window.lies = told.lies
        if truth is not None:
            window.script.append(f"veristem score {window.run}/truth.h5 {window.run}/reconstruction{suffix}")
        with state:
            state.update({"sentence": told.sentence, "numbers": told.numbers, "scores": told.scores})

    async def scene() -> None:
        """The page to turn it in 3D."""
        kind = KINDS[window.acquisition.kind]
        files = [f"{window.run}/reconstruction{kind.suffix}"]
        if window.truth is not None:
            files.insert(0, f"{window.run}/truth.h5")
        if not len(window.found.places_nm) and window.truth is None:
            return
        window.say("drawing it in 3D")
        await window.command("view", *files, "--html", f"{window.run}/scene.html")
        with state:
            state.scene = window.href("scene.html")

    @window.action("Volume")
    async def volume() -> None:
        await reconstruct("volume.mrc")
        await window.happened("volume")

    async def show_result(path, thing) -> None:
        """Show curves or points of a file in place of a reconstruction."""
        from veristem.bench.app.opening import copy

        if window.acquisition is None:
            raise InputError(f"{path.name}: a reconstruction found; open its images first, acquisition.h5")
        kind = KINDS[window.acquisition.kind]
        if not isinstance(thing, kind.result):
            raise InputError(f"{path.name}: {type(thing).__name__} found, {kind.found} allowed with these images")
        copy(window, path, f"{window.run}/reconstruction{kind.suffix}")
        window.found = thing
        await compare()
        await window.happened("found")
        await scene()

    with v3.VCard(classes="ma-2", variant="outlined"), v3.VCardText(classes="pa-3"):
        html.Div("2 · Reconstruct", classes="text-subtitle-1 mb-2")
        v3.VSelect(
            v_model="method", items=("methods",), label="Method", no_data_text="open images first", **FIELD,
        )  # fmt: skip
        with (
            v3.VExpansionPanels(v_if="parameters.length", classes="my-2", variant="accordion"),
            v3.VExpansionPanel(title="Parameters"),
            v3.VExpansionPanelText(),
        ):
            v3.VSelect(
                v_if="stages.includes('contours')", v_model="method_contours", items=("contour_ways",),
                label="contours", **BELOW,
            )  # fmt: skip
            with html.Div(v_for="one, i in parameters", key="one.name"):
                v3.VSwitch(
                    v_if="one.switch", model_value=("one.value",), label=("one.name",), density="compact",
                    hide_details=True, color="primary",
                    update_modelValue="parameters = parameters.map((p, k) => k === i ? {...p, value: $event} : p)",
                )  # fmt: skip
                v3.VTextField(
                    v_if="!one.switch", model_value=("one.value",), label=("one.name",), density="compact",
                    hide_details=True, classes="mb-2",
                    update_modelValue="parameters = parameters.map((p, k) => k === i ? {...p, value: $event} : p)",
                )  # fmt: skip
        with html.Div(classes="d-flex mt-2", style="gap: 8px"):
            v3.VBtn(
                "Reconstruct",
                click=run,
                color="primary",
                disabled=("!method || !!busy",),
                flex_grow=1,
                id="reconstruct",
            )
            v3.VBtn("Volume", click=volume, v_if="makes_volume", disabled=("!!busy",), variant="outlined", id="volume")
        html.Div("{{ sentence }}", v_if="sentence", classes="mt-3", id="sentence")
        with (
            html.Div(v_if="numbers.length", classes="numbers mt-3", id="numbers"),
            v3.Template(v_for="(row, i) in numbers", key="i"),
        ):
            html.Div("{{ row[0] }}", style="white-space: nowrap; font-weight: 600")
            html.Div("{{ row[1] }}")
        with (
            v3.VExpansionPanels(v_if="scores.length", classes="mt-2", variant="accordion"),
            v3.VExpansionPanel(title="All scores"),
            v3.VExpansionPanelText(),
            v3.VTable(density="compact"),
            html.Tbody(),
            html.Tr(v_for="(row, i) in scores", key="i"),
        ):
            html.Td("{{ row[0] }}")
            html.Td("{{ row[1] }}")
    return show_result


def _text(value: Any) -> str:
    return "" if value is None else str(value)
