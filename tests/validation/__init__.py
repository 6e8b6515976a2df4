"""Checks of the physics: docs/validation/make.py measures all, tests/test_validation.py those that are quick."""

from __future__ import annotations

from collections.abc import Callable

from validation import (
    beams,
    crystals,
    diffuse,
    edges,
    elasticity,
    gold,
    images,
    limits,
    microscope,
    patterns,
    plates,
    propagation,
    zone,
)
from validation.check import Check


def _order(number: str) -> tuple[int, str]:
    return int(number.rstrip("abcd")), number


_ROOMS = (
    propagation,
    elasticity,
    plates,
    images,
    microscope,
    patterns,
    diffuse,
    crystals,
    gold,
    limits,
    zone,
    beams,
    edges,
)
_ALL = {number: check for room in _ROOMS for number, check in room.CHECKS.items()}
CHECKS: dict[str, Callable[[], Check]] = {number: _ALL[number] for number in sorted(_ALL, key=_order)}
