"""Checks of the physics: docs/validation/make.py measures all, tests/test_validation.py those that are quick."""

from __future__ import annotations

from collections.abc import Callable

from validation import elasticity, images, limits, microscope, patterns, plates, propagation
from validation.check import Check


def _order(number: str) -> tuple[int, str]:
    return int(number.rstrip("abcd")), number


_ALL = (
    propagation.CHECKS
    | elasticity.CHECKS
    | plates.CHECKS
    | images.CHECKS
    | microscope.CHECKS
    | patterns.CHECKS
    | limits.CHECKS
)
CHECKS: dict[str, Callable[[], Check]] = {number: _ALL[number] for number in sorted(_ALL, key=_order)}
