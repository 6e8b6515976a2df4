"""Registration: how views that were taken one after the other lie, with residuals as arrows."""

from __future__ import annotations

from pathlib import Path

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from veristem.bench.app.drawing import data_url
from veristem.bench.app.window import Window
from veristem.datasets import InputError


def registration_panel(window: Window) -> None:
    """Put the panel into the layout."""
    state = window.state
    state.update({"registration": "", "registration_text": ""})

    def opened() -> None:
        with state:
            state.update({"registration": "", "registration_text": ""})

    window.on("opened", opened)

    @window.action("Registration")
    async def register() -> None:
        if window.acquisition is None:
            raise InputError("no images found; open some first")
        window.lies, picture, text = await window.apart(_registered, window.path("acquisition.h5"))
        state.update({"registration": picture, "registration_text": text})

    with v3.VWindowItem(value="registration"):
        html.Div(
            "Views of one scan lie on each other already; those of a specimen that was tilted between scans are "
            "registered by points that are tracked from one to the other. Arrows are what is left across the epipolar "
            "direction, where no depth can move anything.",
            classes="mb-2",
        )
        v3.VBtn("Register", click=register, disabled=("!!busy || !views.length",), color="primary", id="register")
        html.Div("{{ registration_text }}", classes="my-2", id="registration-text")
        html.Img(
            v_if="registration",
            src=("registration",),
            classes="sheet whole",
            alt="residuals before and after",
        )


def _registered(path: Path):
    """Where the views lie, the picture of what is left, and the same in words."""
    import veristem as vs
    from veristem.bench.pages.lines import registered
    from veristem.recon.rectify import registration_warning
    from veristem.reports.pictures import drawn
    from veristem.reports.registration import registration_figure

    acquisition = vs.load(path)
    found = registered(acquisition)
    if found is None:
        text = registration_warning(acquisition)
        return None, "", text or "The views are of one scan, and nothing shows that they are not registered."
    picture = data_url(drawn(registration_figure(acquisition, found), "png", 150)) if len(found.places_nm) else ""
    return found, picture, found.text
