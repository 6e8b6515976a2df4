"""The images: with contours, with what was found projected onto them, and to measure in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.drawing import grey_url, paths, scale_bar
from veristem.bench.app.window import Window
from veristem.datasets import CurveSet, InputError
from veristem.datasets.geometry import widest_pair
from veristem.recon.measuring import angle_to_direction_deg, place, vector_nm

_NEAR_PX = 6  # of the pointer
_SIDES = ("left", "right")
_NONE: dict[str, Any] = {"src": "", "w": 1, "h": 1, "contours": [], "curves": [], "points": [], "bar": {}, "title": ""}

_SVG = """
<figure v-if="SIDE.src" class="picture">
<figcaption>{{ SIDE.title }}</figcaption>
<svg :viewBox="`0 0 ${SIDE.w} ${SIDE.h}`" data-side="SIDE" role="img" :aria-label="SIDE.title"
  @pointermove="pointer = ['SIDE', ...at($event, SIDE)]" @pointerleave="pointer = []"
  @click="trigger('measure', ['SIDE', ...at($event, SIDE)])">
<image :href="SIDE.src" :width="SIDE.w" :height="SIDE.h" preserveAspectRatio="none" />
<path v-for="(d, i) in SIDE.contours" :key="'c' + i" :d="d" class="contour" />
<path v-for="(d, i) in SIDE.curves" :key="'f' + i" :d="d" class="found" />
<circle v-for="(p, i) in SIDE.points" :key="'p' + i" :cx="p[0]" :cy="p[1]" :r="p[2]" class="found" />
<polyline :points="measure.filter(m => m[0] === 'SIDE').map(m => m[1] + ',' + m[2]).join(' ')" class="measure" />
<circle v-for="(m, i) in measure.filter(m => m[0] === 'SIDE')" :key="'m' + i" :cx="m[1]" :cy="m[2]"
  :r="SIDE.w / 120" class="measure" />
<g v-if="SIDE.bar.px" class="bar">
<rect :x="0.95 * SIDE.w - SIDE.bar.px" :y="0.94 * SIDE.h" :width="SIDE.bar.px" :height="SIDE.h / 80" />
<text :x="0.95 * SIDE.w - SIDE.bar.px / 2" :y="0.92 * SIDE.h" :font-size="SIDE.h / 20">{{ SIDE.bar.text }}</text>
</g>
</svg>
</figure>
"""
# where the pointer is, in pixels of the image
_AT = (
    "((b) => [($event.clientX - b.left) / b.width * {0}.w, ($event.clientY - b.top) / b.height * {0}.h])"
    "($event.currentTarget.getBoundingClientRect())"
)


def svg(side: str) -> str:
    """The template of a picture, of a state variable of this name."""
    return _SVG.replace("at($event, SIDE)", _AT.format(side)).replace("SIDE", side)


def images_panel(window: Window) -> None:
    """Put the panel into the layout."""
    state, server = window.state, window.server
    state.update({
        "left": _NONE, "right": _NONE, "views": [], "left_view": 0, "right_view": 0, "contours_of": "none",
        "show_found": True, "pointer": [], "pointer_text": "", "measure": [], "measure_text": "", "uvw": "0 0 1",
    })  # fmt: skip
    contours: dict[str, Any] = {}

    def project(points: np.ndarray, view: int) -> np.ndarray:
        lies, acquisition = window.lies, window.acquisition
        return acquisition.project(points, view) if lies is None else lies.project(acquisition, points, view)

    def draw(side: str, picture_too: bool = True) -> None:
        """Draw one of the two pictures anew."""
        acquisition = window.acquisition
        if acquisition is None:
            state[side] = _NONE
            return
        view, pixel = int(state[f"{side}_view"]), acquisition.pixel_nm
        rows, columns = acquisition.views.shape[1:]
        angles = ", ".join(f"{angle:+.2f}°" for angle in np.degrees(acquisition.directions_rad[view]))
        shown = dict(state[side]) | {
            "w": columns, "h": rows, "bar": scale_bar(columns, pixel), "contours": [], "curves": [], "points": [],
            "title": f"view {view} (0 to {len(acquisition.views) - 1}): θ = ({angles})",
        }  # fmt: skip
        if picture_too:
            shown["src"] = grey_url(acquisition.views[view])
        if state.contours_of in contours:
            shown["contours"] = paths(line / pixel for line in contours[state.contours_of].curves_nm[view])
        if state.show_found and window.found is not None:
            if isinstance(window.found, CurveSet):
                shown["curves"] = paths(project(curve, view) / pixel for curve in window.found.curves_nm)
            elif len(window.found.points_nm):
                at = project(window.found.points_nm, view) / pixel
                radii = np.nan_to_num(window.found.radii_nm / pixel, nan=columns / 100)
                shown["points"] = np.column_stack([at, radii]).round(2).tolist()
        state[side] = shown

    def opened() -> None:
        contours.clear()
        acquisition = window.acquisition
        count = 0 if acquisition is None else len(acquisition.views)
        pair = widest_pair(acquisition.directions_rad) if acquisition is not None and count > 1 else (0, 0)
        with state:
            state.views = [{"title": f"view {view}", "value": view} for view in range(count)]
            state.left_view, state.right_view = (int(view) for view in pair)
            state.update({"contours_of": "none", "measure": [], "measure_text": "", "pointer_text": ""})
            draw("left")
            state.right = _NONE
            if count > 1:
                draw("right")
            if acquisition is not None:
                state.tab = "images"

    def redraw(picture_too: bool = False) -> None:
        with state:
            for side in _SIDES if len(state.views) > 1 else ("left",):
                draw(side, picture_too)

    window.on("opened", opened)
    window.on("found", redraw)

    @state.change("left_view", "right_view")
    def _(**_) -> None:
        redraw(picture_too=True)

    @state.change("show_found")
    def _(**_) -> None:
        redraw()

    @window.action("Contours")
    async def choose(name: str) -> None:
        if name != "none" and name not in contours and window.acquisition is not None:
            contours[name] = await window.apart(_contours, window.path("acquisition.h5"), name)
        state.contours_of = name
        redraw()

    def placed(mark):
        side, x, y = mark
        pixel = window.acquisition.pixel_nm
        return place(
            window.found,
            project,
            int(state[f"{side}_view"]),
            (x * pixel, y * pixel),
            _NEAR_PX * state[side]["w"] / 500 * pixel,
        )

    @state.change("pointer")
    def _(pointer, **_) -> None:
        if not pointer or window.acquisition is None:
            state.pointer_text = ""
            return
        here = placed(pointer)
        text = f"x = {here.at_nm[0]:.1f} nm, y = {here.at_nm[1]:.1f} nm"
        state.pointer_text = text + ("" if here.point_nm is None else f", depth z = {here.point_nm[2]:.1f} nm")

    @server.trigger("measure")
    def measure(side: str, x: float, y: float) -> None:
        if side not in _SIDES or window.acquisition is None:
            return
        kept = [mark for mark in state.measure if mark[0] == side]
        with state:
            state.measure = [*(kept if len(kept) == 1 else []), [side, float(x), float(y)]]
            tell()

    def tell() -> None:
        """Length and angle of what was pointed at."""
        if len(state.measure) < 2:
            state.measure_text = "click the other end" if state.measure else ""
            return
        vector = vector_nm(*(placed(mark) for mark in state.measure))
        length, where = np.linalg.norm(vector), "in 3D, on the reconstruction" if len(vector) == 3 else "in the image"
        text = f"length {length:.2f} nm {where}"
        if len(vector) == 2:
            text += f", {np.degrees(np.arctan2(vector[1], vector[0])):.1f}° from x towards y"
        if len(vector) == 3 or window.acquisition.tilts_rad is None:
            try:
                uvw = [float(part) for part in state.uvw.replace(",", " ").strip(" []").split()]
                angle = angle_to_direction_deg(np.append(vector, [0.0] * (3 - len(vector))), window.acquisition, uvw)
                text += f"; {angle:.1f}° to [{' '.join(f'{part:g}' for part in uvw)}]"
            except (InputError, ValueError) as error:
                text += "" if isinstance(error, ValueError) and not isinstance(error, InputError) else f" ({error})"
        state.measure_text = text

    @state.change("uvw")
    def _(**_) -> None:
        if len(state.measure) == 2:
            tell()

    with v3.VWindowItem(value="images"):
        with v3.VRow(dense=True, classes="align-center my-1"):
            with v3.VCol(cols="auto"), v3.VBtnToggle(
                model_value=("contours_of",), update_modelValue=(choose, "[$event]"), mandatory=True, density="compact",
                variant="outlined", disabled=("!!busy",),
            ):  # fmt: skip
                v3.VBtn("No contours", value="none")
                v3.VBtn("Ridges", value="ridge")
                v3.VBtn("Learned", value="learned")
            with v3.VCol(cols="auto"):
                v3.VCheckbox(v_model="show_found", label="What was found (blue)", density="compact", hide_details=True)
            for side, label in zip(_SIDES, ("Left", "Right")):
                with v3.VCol(cols="2", v_if="views.length > 2"):
                    v3.VSelect(
                        v_model=f"{side}_view", items=("views",), label=label, density="compact", hide_details=True
                    )
        with html.Div(classes="pictures"):
            html.Div(svg("left"), v_if="left.src", classes="half")
            html.Div(svg("right"), v_if="right.src", classes="half")
        with v3.VRow(dense=True, classes="align-center mt-1"):
            with v3.VCol(cols="12", md="5"):
                html.Div(
                    "{{ pointer_text || 'Move over an image to read places and depths; click twice to measure.' }}",
                    id="pointer-text",
                )
            with v3.VCol(cols="12", md="5"):
                html.Div("{{ measure_text }}", id="measure-text")
            with v3.VCol(cols="12", md="2"):
                v3.VTextField(v_model="uvw", label="Angle to [u v w]", density="compact", hide_details=True)


def _contours(path: Path, name: str):
    """Lines of the images of a file."""
    import veristem as vs
    from veristem.recon.contours import find_contours

    images = vs.load(path)
    return find_contours(name, images.views, images.pixel_nm, None)
