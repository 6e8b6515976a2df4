"""The crystal: what is known of it, to be said, and what follows."""

from __future__ import annotations

from typing import Any

import numpy as np
from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.fields import BELOW, Field, as_words, put, typed
from veristem.bench.app.window import Window
from veristem.datasets import Acquisition, InputError

FIELDS = {
    "zone_axis": Field("zone_axis", "Zone axis u v w", 3),
    "g": Field("g", "Reflection g h k l", 3),
    "g_azimuth": Field("g_azimuth_deg", "Direction of g in the image, from x towards y (°)"),
    "tilt_off": Field("tilt_off_bragg_deg", "Tilt off Bragg, towards s > 0 (°)"),
    "energy": Field("energy_keV", "Beam energy (keV)"),
    "thickness": Field("thickness_nm", "Foil thickness (nm)"),
}


def crystal_words(state) -> list[str]:
    """What was typed into the fields, as options; InputError for what is not as many numbers as wanted."""
    return as_words(({"material": state.material} if state.material else {}) | typed(state, FIELDS))


def facts(acquisition: Acquisition) -> list[tuple[str, str]]:
    """What follows from what is known: cell, distances, angles."""
    from veristem.datasets import load_material

    if acquisition.material is None or acquisition.material.lower().endswith(".cif"):
        return []
    crystal = load_material(acquisition.material)
    told = [("structure", crystal.structure), ("cell a", f"{crystal.a_nm:.4f} nm")]
    if crystal.c_nm != crystal.a_nm:
        told.append(("cell c", f"{crystal.c_nm:.4f} nm"))
    if acquisition.g is not None and acquisition.energy_keV is not None:
        xi, absorbed, *_ = crystal.extinction_distances_nm(acquisition.g, acquisition.energy_keV)
        spacing = 1 / float(np.linalg.norm(crystal.reciprocal_per_nm(acquisition.g)))
        bragg = 1e3 * crystal.bragg_angle_rad(acquisition.g, acquisition.energy_keV)
        told += [
            ("planes of g", f"{spacing:.4f} nm apart"), ("Bragg angle", f"{bragg:.2f} mrad"),
            ("extinction distance ξg", f"{xi:.1f} nm"), ("absorption distance ξ'g", f"{absorbed:.0f} nm"),
        ]  # fmt: skip
    return told


def crystal_panel(window: Window) -> None:
    """Put the panel into the layout."""
    from veristem.datasets.crystal import material_names

    state = window.state
    state.update({"materials": material_names(), "material": "", "facts": [], **dict.fromkeys(FIELDS, "")})

    def opened() -> None:
        a = window.acquisition
        if a is None:
            return
        values: dict[str, Any] = {
            "zone_axis": a.zone_axis, "g": a.g, "energy": a.energy_keV, "thickness": a.thickness_nm,
            "g_azimuth": None if a.g_azimuth_rad is None else np.degrees(a.g_azimuth_rad),
            "tilt_off": np.degrees(a.tilt_off_bragg_rad),
        }  # fmt: skip
        with state:
            state.material = a.material or ""
            for name, value in values.items():
                state[name] = "" if value is None else " ".join(f"{part:.6g}" for part in np.atleast_1d(value))
            try:
                state.facts = facts(a)
            except InputError as error:  # a forbidden reflection, say
                state.facts = [("note", str(error))]

    window.on("opened", opened)

    @window.action("Crystal")
    async def say() -> None:
        if window.acquisition is None:
            raise InputError("no images found; open some first")
        before, script = window.run, window.script
        words = crystal_words(state)
        run = window.new_run()
        made = window.script
        window.script = [*script, *made]
        await window.command("convert", f"{before}/acquisition.h5", f"{run}/acquisition.h5", *words)
        if window.truth is not None:
            from veristem.bench.app.opening import copy

            copy(window, window.folder / before / "truth.h5", f"{run}/truth.h5")
        await window.show(run)
        state.update({"tab": "crystal", "note": "The images carry this now; reconstruct them again."})

    with v3.VWindowItem(value="crystal"), v3.VRow():
        with v3.VCol(cols="12", md="6"):
            v3.VSelect(v_model="material", items=("materials",), label="Material", clearable=True, **BELOW)
            put(FIELDS)
            v3.VBtn("Say this of the images", click=say, disabled=("!!busy || !views.length",), color="primary",
                    id="crystal-say")  # fmt: skip
        with (
            v3.VCol(cols="12", md="6"),
            v3.VTable(v_if="facts.length", density="compact", id="facts"),
            html.Tbody(),
            html.Tr(v_for="(row, i) in facts", key="i"),
        ):
            html.Td("{{ row[0] }}")
            html.Td("{{ row[1] }}")
