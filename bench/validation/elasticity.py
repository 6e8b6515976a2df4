"""Checks of the elastic fields: textbook lines, circuits, the spectral field, both faces relaxed."""

from __future__ import annotations

from collections.abc import Callable

from veristem.bench.validation.check import Check

CHECKS: dict[str, Callable[[], Check]] = {}
