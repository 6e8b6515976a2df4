"""Slices of a volume."""

from __future__ import annotations

from typing import Any

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.drawing import grey_url
from veristem.bench.app.window import Window

_AXES = {"z": 0, "y": 1, "x": 2}  # of an array of values


def volume_panel(window: Window) -> Any:
    """Put the panel into the layout; returns what shows a volume."""
    state = window.state
    state.update({"volume_text": "", "axis": "z", "slice": 0, "slices": 1, "slice_src": "", "slice_text": ""})
    shown: dict[str, Any] = {"volume": None}

    def draw() -> None:
        volume = shown["volume"]
        if volume is None:
            return
        axis = _AXES.get(state.axis, 0)
        state.slices = volume.values.shape[axis]
        at = min(max(int(state.slice or 0), 0), state.slices - 1)
        state.slice_src = grey_url(volume.values.take(at, axis=axis))
        across = "xyz".index(state.axis)
        middle = volume.origin_nm[across] + (at + 0.5) * volume.voxel_nm
        state.slice_text = f"slice {at + 1} of {state.slices}, {state.axis} = {middle:.2f} nm"

    def show(path, volume) -> None:
        """Show a volume."""
        with state:
            shown["volume"] = volume
            state.update({"volume_text": f"{path.name}: {volume.size_text()}", "tab": "volume", "axis": "z"})
            state.slice = volume.values.shape[0] // 2
            draw()

    async def made() -> None:
        import veristem as vs

        path = window.path("volume.mrc")
        show(path, await window.aside(vs.load, path))

    window.on("volume", made)

    @state.change("slice", "axis")
    def _(**_) -> None:
        draw()

    with v3.VWindowItem(value="volume"):
        html.Div(
            "Make a volume with a method of tomography, or open one (.mrc, .vti).", v_if="!slice_src", classes="pa-4"
        )
        with html.Div(v_if="slice_src"):
            html.Div("{{ volume_text }}; {{ slice_text }}", id="slice-text", classes="mb-2")
            with v3.VRow(dense=True, classes="align-center"):
                with v3.VCol(cols="auto"), v3.VBtnToggle(
                    v_model="axis", mandatory=True, density="compact", variant="outlined"
                ):  # fmt: skip
                    for axis in _AXES:
                        v3.VBtn(f"across {axis}", value=axis)
                with v3.VCol():
                    v3.VSlider(v_model="slice", min=0, max=("slices - 1",), step=1, hide_details=True, id="slice")
            html.Img(src=("slice_src",), classes="sheet slice", alt="slice of the volume")
    return show
