"""Registration of views that were taken one after the other: where each lies, and about which axis it was tilted."""

from veristem.recon.registration.register import (
    Registration,
    about,
    align,
    find_axis,
    register,
    sequential,
    told,
    tracked,
)

__all__ = ["Registration", "about", "align", "find_axis", "register", "sequential", "told", "tracked"]
