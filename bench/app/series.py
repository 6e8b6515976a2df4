"""The views one after the other, with the points that registration followed through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.drawing import grey_url, paths, scale_bar
from veristem.bench.app.fields import FIELD
from veristem.bench.app.window import Window
from veristem.datasets import Acquisition, InputError
from veristem.datasets.geometry import inverse, mapped

_SHOWN = 300  # points at most
_BEFORE = 5  # views of which a point's way is drawn
_FRAME_MS = 120  # after the browser has drawn a view until it asks for the next

_SVG = f"""
<svg v-if="film.src" :viewBox="`0 0 ${{film.w}} ${{film.h}}`" id="film" role="img" :aria-label="film.text"
  :style="`width: min(100%, ${{64 * film.w / film.h}}vh)`">
<image :key="film.at" :href="film.src" :width="film.w" :height="film.h" preserveAspectRatio="none"
  :transform="film.transform"
  @load="playing && window.setTimeout(() => {{ if (playing) frame = (film.at + 1) % film.count }}, {_FRAME_MS})" />
<path v-for="(d, i) in film.ways" :key="i" :d="d" class="way" />
<path :d="film.points" class="tracked" />
<g class="bar">
<rect :x="0.95 * film.w - film.bar.px" :y="0.94 * film.h" :width="film.bar.px" :height="film.h / 80" />
<text :x="0.95 * film.w - film.bar.px / 2" :y="0.92 * film.h" :font-size="film.h / 20">{{{{ film.bar.text }}}}</text>
</g>
</svg>
"""


def order_of(acquisition: Acquisition) -> list[int]:
    """Views in the order of tilts, else as they are."""
    tilts = acquisition.tilts_rad
    return list(range(len(acquisition.views))) if tilts is None else np.argsort(tilts, kind="stable").tolist()


def ways_px(places_nm: np.ndarray, at: int, pixel_nm: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Where points are in a view, (N, 2) [px], and their ways there through the views before it.

    Parameters
    ----------
    places_nm : (F, V, 2) float
        Of points in views, in their order [nm]; NaN where a point was not seen.
    at : int
        The view.
    pixel_nm : float
        Of it [nm].
    """
    seen = np.isfinite(places_nm[:, at]).all(axis=1)
    before = places_nm[seen, max(0, at - _BEFORE) : at + 1] / pixel_nm
    ways = [way[np.isfinite(way).all(axis=1)] for way in before]
    return places_nm[seen, at] / pixel_nm, [way for way in ways if len(way) > 1]


def series_panel(window: Window) -> None:
    """Put the panel into the layout."""
    state = window.state
    empty: dict[str, Any] = {"src": "", "w": 1, "h": 1, "bar": {}, "ways": [], "points": "", "count": 1, "text": ""}
    state.update({"film": empty, "frame": 0, "playing": False, "laid": False, "series_lines": []})
    kept: dict[str, Any] = {"order": [], "places": None, "to_image": None}

    def draw() -> None:
        acquisition = window.acquisition
        if acquisition is None or not kept["order"]:
            state.film = empty
            return
        at = min(max(int(state.frame or 0), 0), len(kept["order"]) - 1)
        view, pixel = kept["order"][at], acquisition.pixel_nm
        rows, columns = acquisition.views.shape[1:]
        places, transform = kept["places"], ""
        to_image = acquisition.to_image if kept["to_image"] is None else kept["to_image"]
        if state.laid and to_image is not None:
            back = inverse(to_image[view])
            transform = f"matrix({' '.join(f'{one:.6g}' for one in [*back[:, :2].T.ravel(), *(back[:, 2] / pixel)])})"
            if places is not None:
                one_by_one = (mapped(places[:, k], inverse(to_image[v])) for k, v in enumerate(kept["order"]))
                places = np.stack(list(one_by_one), axis=1)
        points, ways = ([], []) if places is None else ways_px(places, at, pixel)
        ways = ways if state.laid else []  # they would only show how the stage jumped
        state.film = {
            "src": grey_url(acquisition.views[view]), "w": columns, "h": rows, "bar": scale_bar(columns, pixel),
            "count": len(kept["order"]), "at": at, "transform": transform, "ways": paths(ways),
            "points": "".join(f"M{x:.2f} {y:.2f}h0" for x, y in points), "text": _text(acquisition, view),
        }  # fmt: skip

    def opened() -> None:
        a = window.acquisition
        order = [] if a is None else order_of(a)
        first = 0 if a is None or a.tilts_rad is None else order.index(int(np.abs(a.tilts_rad).argmin()))
        kept.update({"order": order, "places": None, "to_image": None})
        with state:
            state.update({"frame": first, "playing": False, "series_lines": []})
            draw()

    window.on("opened", opened)

    @state.change("frame", "laid")
    def _(**_) -> None:
        draw()

    @window.action("Tracks")
    async def track() -> None:
        if window.acquisition is None:
            raise InputError("no images found; open some first")
        places, to_image, lines = await window.apart(_tracked, window.path("acquisition.h5"), tells=True)
        kept.update({"places": places[:, kept["order"]], "to_image": to_image})
        with state:
            state.update({"series_lines": lines, "laid": True})
            draw()

    with v3.VWindowItem(value="series"):
        html.Div("Open images to see them one after the other.", v_if="!film.src", classes="pa-4")
        with html.Div(v_if="film.src"):
            with v3.VRow(dense=True, classes="align-center mb-1", v_if="film.count > 1"):
                with v3.VCol(cols="auto"):
                    v3.VBtn(
                        icon=("playing ? 'mdi-pause' : 'mdi-play'",), click="playing = !playing; if (playing) frame = "
                        "(film.at + 1) % film.count", id="play", size="small", color="primary",
                        aria_label=("playing ? 'pause' : 'play'",),
                    )  # fmt: skip
                with v3.VCol():
                    v3.VSlider(v_model="frame", min=0, max=("film.count - 1",), step=1, hide_details=True, id="frame")
                with v3.VCol(cols="auto"):
                    v3.VSwitch(v_model="laid", label="Laid on each other", id="laid", color="primary", **FIELD)
                with v3.VCol(cols="auto"):
                    v3.VBtn("Track", click=track, disabled=("!!busy",), variant="outlined", id="track")
            html.Div("{{ film.text }}", id="film-text", classes="mb-1")
            html.Div("{{ line }}", v_for="(line, i) in series_lines", key="i", classes="text-caption mb-1 series-line")
            html.Div(_SVG)


def _text(acquisition: Acquisition, view: int) -> str:
    """Which view it is and from where it was taken."""
    count = f"view {view} (0 to {len(acquisition.views) - 1})"
    if acquisition.tilts_rad is not None:
        return f"{count}: tilt {np.degrees(acquisition.tilts_rad[view]):+.2f}°"
    angles = ", ".join(f"{angle:+.2f}°" for angle in np.degrees(acquisition.directions_rad[view]))
    return f"{count}: θ = ({angles})"


def _tracked(path: Path, progress):
    """Places (F, V, 2) of some of the points of a file's images in every view, maps to the images, and lines on it."""
    import veristem as vs
    from veristem.recon.tracks import tracks

    acquisition = vs.load(path)
    found = tracks(acquisition, progress)
    places = found.by_view(len(acquisition.views))
    told = found.told or ["The views are of one scan: nothing had to be tracked."]
    lines = [f"{line[0].upper()}{line[1:]}." for line in told]
    return places[:: max(1, -(-len(places) // _SHOWN))], found.alignment.to_image, lines
