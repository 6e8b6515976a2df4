"""Registration of views that were taken one after the other: where each lies, and about which axis it was tilted."""

from veristem.recon.registration.register import Registration, align, register, sequential

__all__ = ["Registration", "align", "register", "sequential"]
