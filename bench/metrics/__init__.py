"""Scores: one a file, found by its ``METRIC``. Each has ``score(pair) -> float | None``; None is no value.

Others come from outside: by the entry-point group ``veristem.metrics`` of another package, or as ``module:function``
of a module with such a ``METRIC``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple

from veristem.datasets.errors import InputError
from veristem.datasets.outside import imported, offered
from veristem.datasets.results import Metric


class Scorer(NamedTuple):
    """A metric and the function of a pair that gives its value."""

    metric: Metric
    score: Callable[[Any], float | None]


@cache
def _own() -> tuple[Scorer, ...]:
    """Those of this folder; files without a METRIC are helpers."""
    modules = (import_module(f"{__name__}.{m.name}") for m in iter_modules(__path__))
    return tuple(Scorer(m.METRIC, m.score) for m in modules if hasattr(m, "METRIC"))


def scorers(extra: Sequence[str] = ()) -> list[Scorer]:
    """All metrics in their order: our own, those that installed packages offer, and ``extra`` as module:function.

    Raises
    ------
    InputError
        When one from outside cannot be imported, has no METRIC, or has the name of another.
    """
    found = {one.metric.name: one for one in _own()}
    for target in dict.fromkeys((*offered("veristem.metrics").values(), *extra)):
        one = _outside(target)
        if one.metric.name in found:
            raise InputError(f"metric {target}: a second {one.metric.name!r} found, each name once allowed")
        found[one.metric.name] = one
    return sorted(found.values(), key=lambda one: (one.metric.order, one.metric.name))


def metrics(extra: Sequence[str] = ()) -> list[Metric]:
    """What all metrics tell about themselves, in their order; parameters and errors as of `scorers`."""
    return [one.metric for one in scorers(extra)]


def _outside(target: str) -> Scorer:
    function = imported(target, "metric")
    metric = getattr(sys.modules.get(getattr(function, "__module__", "")), "METRIC", None)
    if not isinstance(metric, Metric):
        raise InputError(
            f"metric {target}: no METRIC beside the function found, a veristem.bench.metrics.base.Metric allowed, "
            "which says what the number means"
        )
    return Scorer(metric, function)
