"""A 4D scan: its mean pattern, with discs to drag, of which views are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.drawing import grey_url
from veristem.bench.app.fields import BELOW, Field, as_words, numbers, put, typed
from veristem.bench.app.window import Window
from veristem.datasets import InputError

_FIELDS = {
    "scan_convergence": Field("convergence_mrad", "Convergence semi-angle (mrad)"),
    "scan_pixel": Field("pixel_nm", "Scan step (nm)"),
    "scan_energy": Field("energy_keV", "Beam energy (keV)"),
    "scan_thickness": Field("thickness_nm", "Foil thickness (nm)"),
    "scan_rotation": Field("rotation_deg", "Detector x axis in the image (°)"),
}

_SVG = """
<svg v-if="pattern.src" :viewBox="`-0.5 -0.5 ${pattern.w} ${pattern.h}`" id="pattern" role="img"
  aria-label="mean pattern with two discs"
  :style="`touch-action: none; width: min(100%, ${62 * pattern.w / pattern.h}vh)`"
  @pointermove="if (drag) {
    const b = $event.currentTarget.getBoundingClientRect();
    const x = (($event.clientX - b.left) / b.width * pattern.w - 0.5 - pattern.cx) * pattern.mrad;
    const y = (($event.clientY - b.top) / b.height * pattern.h - 0.5 - pattern.cy) * pattern.mrad;
    if (drag === 'first') disc = { ...disc, x, y };
    if (drag === 'second') disc = { ...disc, x: -x, y: -y };
    if (drag === 'radius') disc = { ...disc, r: Math.max(pattern.mrad, Math.hypot(x - disc.x, y - disc.y)) };
  }"
  @pointerup="drag = ''" @pointerleave="drag = ''">
<image x="-0.5" y="-0.5" :href="pattern.src" :width="pattern.w" :height="pattern.h" preserveAspectRatio="none" />
<circle :cx="pattern.cx" :cy="pattern.cy" :r="pattern.rim" class="rim" />
<circle id="disc-second" :cx="pattern.cx - disc.x / pattern.mrad" :cy="pattern.cy - disc.y / pattern.mrad"
  :r="disc.r / pattern.mrad" class="disc second" @pointerdown="drag = 'second'" />
<circle id="disc-first" :cx="pattern.cx + disc.x / pattern.mrad" :cy="pattern.cy + disc.y / pattern.mrad"
  :r="disc.r / pattern.mrad" class="disc first" @pointerdown="drag = 'first'" />
<circle id="disc-radius" :cx="pattern.cx + (disc.x + disc.r) / pattern.mrad"
  :cy="pattern.cy + disc.y / pattern.mrad" :r="pattern.w / 60" class="handle" @pointerdown="drag = 'radius'" />
<line :x1="pattern.cx - 3" :x2="pattern.cx + 3" :y1="pattern.cy" :y2="pattern.cy" class="rim" />
<line :y1="pattern.cy - 3" :y2="pattern.cy + 3" :x1="pattern.cx" :x2="pattern.cx" class="rim" />
</svg>
"""


def scan_panel(window: Window) -> Any:
    """Put the panel into the layout; returns what opens a scan."""
    state = window.state
    state.update({
        "scan": "", "vacuum": "", "pattern": {"src": "", "w": 1, "h": 1}, "disc": {"x": 0, "y": 0, "r": 1}, "drag": "",
        "disc_text": "", "scan_rows": "", "scan_columns": "", **dict.fromkeys(_FIELDS, ""),
    })  # fmt: skip

    def options() -> dict[str, Any]:
        """What was typed, by the option that it is."""
        given = typed(state, _FIELDS)
        if state.scan_rows or state.scan_columns:
            given["scan_shape"] = tuple(
                int(numbers(state[f"scan_{name.lower()}"], name)) for name in ("Rows", "Columns")
            )
        return given

    async def read() -> None:
        vacuum = window.folder / state.vacuum if state.vacuum else None
        found, (angle, radius), notes, told = await window.apart(
            _pattern, window.folder / state.scan, vacuum, options()
        )
        rows, columns = found.pattern.shape
        x, y = found.disc.center_px
        with state:
            state.pattern = {
                "src": grey_url(found.pattern, 0, 100), "w": columns, "h": rows, "cx": float(x), "cy": float(y),
                "rim": float(found.disc.radius_px), "mrad": 1e3 * found.rad_per_px,
            }  # fmt: skip
            along = 500 * angle * np.array([np.cos(found.azimuth_rad), np.sin(found.azimuth_rad)])
            state.disc = {"x": float(along[0]), "y": float(along[1]), "r": 1e3 * radius}
            state.note = "; ".join([*notes, *found.notes])
            for name, value in told.items():
                state[name] = state[name] or ("" if value is None else f"{value:.6g}")

    async def open_scan(path: Path) -> None:
        """Show the mean pattern of a scan."""
        with state:
            state.update({"scan": str(path), "vacuum": "", "pattern": {"src": "", "w": 1, "h": 1}, "tab": "scan"})
            state.update({"scan_rows": "", "scan_columns": "", **dict.fromkeys(_FIELDS, "")})
            if (beside := path.with_name(f"vacuum{path.suffix}")).exists():
                state.vacuum = str(beside)
        await read()

    @state.change("disc")
    def read_off(disc, **_) -> None:
        from veristem.bench.files.virtual import disc_options

        told = disc_options(disc["x"], disc["y"], disc["r"])
        state.disc_text = (
            f"pair angle {told['pair_angle_deg']:.3f}°, radius {told['radius_mrad']:.2f} mrad, "
            f"azimuth {told['azimuth_deg']:.1f}°; first disc at ({disc['x']:.2f}, {disc['y']:.2f}) mrad"
        )

    @window.action("Mean pattern")
    async def again() -> None:
        await read()

    @window.action("Views")
    async def views() -> None:
        from veristem.bench.files.virtual import disc_options

        if not state.pattern["src"]:
            raise InputError("no mean pattern found; open a 4D scan first")
        given = options() | {k: round(v, 6) for k, v in disc_options(*(state.disc[k] for k in "xyr")).items()}
        if state.vacuum:
            given["vacuum"] = _within(window, state.vacuum)
        run = window.new_run()
        _, said = await window.command(
            "virtual", _within(window, state.scan), "-o", f"{run}/acquisition.h5", *as_words(given)
        )
        await window.show(run)
        state.note = "; ".join(line for line in said if not line[0].isdigit())

    with v3.VWindowItem(value="scan"):
        html.Div("Open a 4D scan (.zspy, .mib, .hspy, .blo, .emd, .dm4, .h5, …) to drag discs on its mean pattern.",
                 v_if="!scan", classes="pa-4")  # fmt: skip
        with v3.VRow(v_if="scan"):
            with v3.VCol(cols="12", md="8"):
                html.Div(_SVG)
                html.Div("{{ disc_text }}", v_if="pattern.src", id="disc-text", classes="mt-2")
                html.Div(
                    "Drag a disc to move the pair, the small ring to change the radius. The dashed circle is the rim.",
                    v_if="pattern.src", classes="text-caption",
                )  # fmt: skip
            with v3.VCol(cols="12", md="4"):
                put(_FIELDS)
                v3.VTextField(v_model="vacuum", label="Scan of the vacuum (path)", **BELOW)
                with html.Div(classes="d-flex", style="gap: 8px"):
                    v3.VTextField(v_model="scan_rows", label="Rows", **BELOW)
                    v3.VTextField(v_model="scan_columns", label="Columns", **BELOW)
                v3.VBtn("Read the pattern again", click=again, disabled=("!!busy",), variant="outlined", block=True,
                        classes="mb-2")  # fmt: skip
                v3.VBtn("Make views", click=views, disabled=("!!busy || !pattern.src",), color="primary", block=True,
                        id="make-views")  # fmt: skip
    return open_scan


def _pattern(path: Path, vacuum: Path | None, given: dict[str, Any]):
    """The mean pattern of a scan, the usual discs on it, notes, and what fields can be filled with."""
    from veristem.datasets.formats.scans import read_scan
    from veristem.recon.virtual import calibrate, usual_discs_rad

    scan, convergence = read_scan(path, given.get("scan_shape")), given.get("convergence_mrad")
    found = calibrate(
        scan, None if vacuum is None else read_scan(vacuum),
        convergence_rad=None if convergence is None else 1e-3 * convergence,
    )  # fmt: skip
    told = {
        "scan_convergence": 1e3 * found.convergence_rad, "scan_pixel": scan.pixel_nm, "scan_energy": scan.energy_keV,
    }  # fmt: skip
    return found, usual_discs_rad(scan, found), scan.notes, told


def _within(window: Window, path: str) -> str:
    """A path as a command in the window's folder has it."""
    place = Path(path)
    return str(place.relative_to(window.folder) if place.is_relative_to(window.folder) else place)
