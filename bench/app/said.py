"""What is said of a reconstruction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from veristem.reports.words import number


class Said(NamedTuple):
    """sentence: what was recovered. numbers: rows of value and meaning. scores: rows of name and value. lies: where
    views that were taken one after the other were found to lie."""

    sentence: str
    numbers: list[tuple[str, str]]
    scores: list[tuple[str, str]]
    lies: Any


def said(images: Path, reconstruction: Path, known: Path | None, method: str) -> Said:
    """Of a reconstruction, against the truth if it is known, else against its own images."""
    import veristem as vs
    from veristem.bench.pages.folder import make_scene, sentence
    from veristem.reports.pictures import SHOWN

    found, truth = vs.load(reconstruction), None if known is None else vs.load(known)
    scene = make_scene(vs.load(images), found, truth, method, None)
    scores = [] if truth is None else [
        (name, number(value)) for name, value in vs.score(truth, found).items() if value is not None
    ]  # fmt: skip
    return Said(sentence(scene), SHOWN[scene.kind].numbers(scene), scores, getattr(scene, "registration", None))
