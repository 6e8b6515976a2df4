"""Scores of curves: one a file, found by its ``METRIC``. Each has ``score(pair) -> float | None``; None is no value."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


@cache
def metric_modules() -> tuple[ModuleType, ...]:
    """The files of all metrics; those without a METRIC are helpers."""
    modules = (import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__))
    return tuple(m for m in modules if hasattr(m, "METRIC"))
