"""Methods on one foil, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from veristem.bench.scoring import TOLERANCE_NM, vertex_errors_nm
from veristem.datasets import CurveSet, DislocationNetwork, InputError, LineTruth
from veristem.reports.drawing import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compared(
    truth: LineTruth | DislocationNetwork | CurveSet,
    found: dict[str, CurveSet],
    width: Literal["column", "page"] = "column",
    tolerance_nm: float = TOLERANCE_NM,
) -> Figure:
    """The truth in grey and over it each reconstruction by its name, coloured by the distance to the nearest line.

    Parameters
    ----------
    truth : LineTruth, DislocationNetwork or CurveSet
        What is there.
    found : dict of CurveSet
        What methods made of it.
    width : "column" or "page"
        85 mm or 170 mm.
    tolerance_nm : float
        Where the colours end [nm].

    Raises
    ------
    InputError
        For anything but lines.
    """
    lines = (LineTruth, DislocationNetwork, CurveSet)
    for thing, allowed in ((truth, lines), *((curves, (CurveSet,)) for curves in found.values())):
        if not isinstance(thing, allowed):
            words = " or ".join(one.__name__ for one in allowed)
            raise InputError(f"compare: {type(thing).__name__} found, {words} allowed; a truth, then curves")
    errors = [vertex_errors_nm(truth, curves) for curves in found.values()]
    named = ["truth", *found]
    return draw([truth, *found.values()], names=named, errors_nm=errors, tolerance_nm=tolerance_nm, width=width)
