"""The kinds of specimens: what a truth of one is, what a method returns, which file holds that, who does it by default.

One row a kind. Scores, limits, oracles, specimens and scenes have a table of their own with the names of this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.reconstruction import CurveSet, PointSet
from veristem.datasets.truth import LineTruth, ParticleTruth
from veristem.datasets.volume import Volume


@dataclass(frozen=True)
class Kind:
    """One kind of specimen.

    Parameters
    ----------
    name : str
        As in recipes, ``specimen.kind``, and in acquisitions.
    things, found : str
        What people call what is there, and what a method finds of it.
    truths : tuple of types
        What a reconstruction can be scored against: what a simulation gives, and what files of others hold.
    result : type
        What a method returns.
    suffix : str
        Of the files of a result, and of the truth's file for people; `formats.read` and `formats.write` know them.
    method : str
        The method that is taken when none is named.
    """

    name: str
    things: str
    found: str
    truths: tuple[type, ...]
    result: type
    suffix: str
    method: str


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="dislocations",
            things="lines",
            found="curves",
            truths=(LineTruth, DislocationNetwork, CurveSet),
            result=CurveSet,
            suffix=".vtp",
            method="stereo-learned",
        ),
        Kind(
            name="particles",
            things="particles",
            found="points",
            truths=(ParticleTruth, ParticleDispersion),
            result=PointSet,
            suffix=".csv",
            method="points-matched",
        ),
    )
}

# what a method may return of any specimen when it is asked for it; lines and points are scored, this is not
VOLUME = Kind(
    name="volume",
    things="voxels",
    found="a volume",
    truths=(),
    result=Volume,
    suffix=".mrc",
    method="tomo-sirt",
)

TRUTHS = tuple(truth for kind in KINDS.values() for truth in kind.truths)


def kind_of(thing: Any) -> Kind:
    """The kind of a truth or of a result.

    Raises
    ------
    InputError
        For anything else.
    """
    for kind in (*KINDS.values(), VOLUME):
        if isinstance(thing, (*kind.truths, kind.result)):
            return kind
    raise InputError(f"{type(thing).__name__}: a truth, a specimen or a reconstruction allowed")


def check_same_kind(truth: Any, result: Any) -> Kind:
    """The kind of both.

    Raises
    ------
    InputError
        When a reconstruction is not of what the truth is of.
    """
    wanted, given = kind_of(truth), kind_of(result)
    if wanted is not given:
        raise InputError(f"reconstruction: {given.found} found, {wanted.found} allowed, which the truth is of")
    return wanted
