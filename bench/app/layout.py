"""Where everything stands."""

from __future__ import annotations

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.crystal import crystal_panel
from veristem.bench.app.export import export_panel
from veristem.bench.app.images import images_panel
from veristem.bench.app.method import method_card
from veristem.bench.app.opening import Openers
from veristem.bench.app.planner import planner_panel
from veristem.bench.app.registration import registration_panel
from veristem.bench.app.scan import scan_panel
from veristem.bench.app.series import series_panel
from veristem.bench.app.start import DROPPED, start_card
from veristem.bench.app.volume import volume_panel
from veristem.bench.app.window import Window

_TABS = (
    ("start", "Start"), ("images", "Images"), ("series", "Series"), ("3d", "3D"), ("scan", "4D scan"),
    ("registration", "Registration"), ("crystal", "Crystal"), ("volume", "Volume"), ("plan", "Plan"),
    ("export", "Export"),
)  # fmt: skip
_CSS = """
.pictures { display: flex; gap: 12px; }
.half { flex: 1 1 0; min-width: 0; max-width: calc(100vh - 290px); }
.numbers { display: grid; grid-template-columns: auto 1fr; gap: 4px 10px; font-size: 0.85rem; line-height: 1.25; }
.picture figcaption { font-size: 0.8rem; margin-bottom: 2px; }
.picture svg { width: 100%; }
.picture svg, #pattern { display: block; background: #000; cursor: crosshair; user-select: none; }
.picture image, #pattern image { image-rendering: pixelated; }
.picture path, .picture circle, .picture polyline { fill: none; vector-effect: non-scaling-stroke; }
#pattern circle, #pattern line { fill: none; vector-effect: non-scaling-stroke; }
.contour { stroke: #F0E442; stroke-width: 1.2; }
.found { stroke: #56B4E9; stroke-width: 2; }
.measure { stroke: #D55E00; stroke-width: 2; }
.bar rect { fill: #fff; stroke: #000; stroke-width: 0.3; }
.bar text { fill: #fff; text-anchor: middle; font-weight: 600; paint-order: stroke; stroke: #000; stroke-width: 1px; }
#pattern .rim { stroke: #F0E442; stroke-width: 1; stroke-dasharray: 4 3; }
#pattern .disc { stroke: #56B4E9; stroke-width: 2; fill: #56B4E9; fill-opacity: 0.15; cursor: move; }
#pattern .second { stroke: #D55E00; fill: #D55E00; }
#pattern .handle { stroke: #fff; stroke-width: 2; fill: #000; fill-opacity: 0.4; cursor: ew-resize; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 8px; }
.sheet { max-width: 100%; background: #fff; }
.whole { max-height: max(300px, calc(100vh - 320px)); }
#film { display: block; background: #000; }
#film path { fill: none; vector-effect: non-scaling-stroke; }
#film .way { stroke: #E69F00; stroke-width: 1.2; }
#film .tracked { stroke: #56B4E9; stroke-width: 5; stroke-linecap: round; }
.v-tab.v-tab.v-btn { min-width: 0 !important; padding: 0 10px; letter-spacing: 0; }
#plan-rows td, #plan-rows th { padding: 2px 8px; }
#plan-rows td + td { white-space: nowrap; }
.slice { width: min(100%, 70vh); image-rendering: pixelated; }
.scene { width: 100%; height: calc(100vh - 170px); border: 0; background: #fff; }
.commands { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.8rem; padding: 8px; border: 1px solid #8884; }
"""


def lay_out(window: Window):
    """Make the page of a window; returns what opens paths."""
    state = window.state
    state.update({"dark": False, "trame__title": "VeriSTEM"})
    openers = Openers()
    drop = ["@dragover.prevent", f'@drop.prevent="{DROPPED.strip()}"']
    with (
        VAppLayout(window.server, theme=("dark ? 'dark' : 'light'",)),
        html.Div(style="display: contents", raw_attrs=drop),
    ):
        client.Style(_CSS)
        with v3.VAppBar(density="compact", flat=True, border=True):
            v3.VAppBarTitle("VeriSTEM")
            html.Div("{{ opened }}", id="opened", classes="mr-4")
            v3.VBtn(icon=("dark ? 'mdi-white-balance-sunny' : 'mdi-weather-night'",), click="dark = !dark", id="dark",
                    aria_label="dark or light")  # fmt: skip
        with v3.VNavigationDrawer(permanent=True, width=340):
            opening = start_card(window, openers)
            openers.result = method_card(window)
        _at_work(window)
        with v3.VMain(), v3.VContainer(fluid=True, classes="pt-2"):
            v3.VAlert(
                text=("trouble",), v_if="trouble", type="error", density="compact", closable=True, id="trouble",
                click_close="trouble = ''", classes="mb-2",
            )  # fmt: skip
            v3.VAlert(
                text=("note",), v_if="note", type="info", density="compact", closable=True, id="note", variant="tonal",
                click_close="note = ''", classes="mb-2",
            )  # fmt: skip
            with v3.VTabs(v_model="tab", density="compact", classes="mb-2"):
                for value, name in _TABS:
                    v3.VTab(name, value=value, id=f"tab-{value}")
            with v3.VWindow(v_model="tab", touch=False):
                _start()
                images_panel(window)
                series_panel(window)
                with v3.VWindowItem(value="3d"):
                    html.Div(
                        "What was found is shown here in 3D once it is reconstructed.", v_if="!scene", classes="pa-4"
                    )
                    html.Iframe(v_if="scene", src=("scene",), classes="scene", title="what was found, in 3D")
                openers.scan = scan_panel(window)
                registration_panel(window)
                crystal_panel(window)
                openers.volume = volume_panel(window)
                planner_panel(window, openers)
                export_panel(window)
    return opening


def _at_work(window: Window) -> None:
    """What runs, how long, and the button that ends it."""

    def stop() -> None:
        window.job.stop()

    with v3.VFooter(app=True, border=True, height=44, classes="py-0 px-4", id="at-work"):
        with html.Div(v_if="busy", classes="d-flex align-center", style="gap: 16px; width: 100%"):
            v3.VProgressCircular(
                indeterminate=("done === null",), model_value=("done",), color="primary", size=22, width=3
            )
            html.Div(
                "{{ busy }}: {{ done === null ? '' : done + ' %, ' }}{{ elapsed }} s",
                id="busy", style="white-space: nowrap",
            )  # fmt: skip
            html.Div("{{ said }}", classes="text-caption text-truncate", id="said", style="flex: 1")
            v3.VBtn("Stop", click=stop, color="error", variant="flat", density="compact", id="stop")
        html.Div("{{ opened ? 'Ready.' : 'Nothing is open yet.' }}", v_if="!busy", classes="text-caption")


def _start() -> None:
    with v3.VWindowItem(value="start"), v3.VCard(variant="flat", max_width=760), v3.VCardText():
        html.H2("From a few STEM views to three dimensions", classes="text-h6 mb-3")
        v3.VFileInput(
            label="Drop files here or anywhere in this window, or click to choose", multiple=True, density="compact",
            hide_details=True, prepend_icon="", prepend_inner_icon="mdi-tray-arrow-down", model_value=("[]",),
            update_modelValue=DROPPED, id="drop", classes="mb-4",
        )  # fmt: skip
        for text in (
            "Open images (acquisition.h5), the two images of a real pair, a 4D scan, or a network or particles to be "
            "imaged: type the path, browse, or drop files into this window.",
            "Choose a method, press Reconstruct, and stop it whenever you like.",
            "Look at what was found on the images and in 3D, read depths under the pointer, measure lengths and angles "
            "by two clicks, and compare with the truth where it is known.",
            "Take files, figures and settings along, and the commands that do the same without a window.",
            "Before a session, ask the planner which set-up, current and dwell to choose (panel Plan).",
        ):
            html.P(text, classes="mb-2")
        html.P("Nothing leaves this machine, and nothing is loaded from elsewhere.", classes="mt-4")
