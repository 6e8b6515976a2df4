"""One check of the physics: what was measured, against which bound, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Check:
    """A measured number that must stay below its bound.

    Parameters
    ----------
    number : str
        Of docs/validation.md; a letter tells the parts of one check apart.
    title, formula, source : str
        What is compared, by which formula, and where that stands.
    measured, bound : float
        The largest deviation found, and what it must stay below.
    unit : str
        Of both; empty for a plain number.
    draw : function of a matplotlib Figure
        Makes the picture.
    """

    number: str
    title: str
    formula: str
    source: str
    measured: float
    bound: float
    unit: str
    draw: Callable[[Figure], Any]

    @property
    def passed(self) -> bool:
        """Whether the measured number is below its bound; one that is not a number is not."""
        return self.measured < self.bound
