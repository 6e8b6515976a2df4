"""The registry of methods, and the ways in for methods from outside.

A method is a function

    reconstruct(acquisition, *, alignment=None, contours=None, matches=None, **parameters) -> CurveSet

or, of particles, with ``detections`` for ``contours`` and without ``alignment``, -> PointSet. A method that cannot
take a stage from outside leaves its name out. With ``volume=true`` those that have this parameter return the Volume in
which they look for lines or particles. It is found by its registered name, by the
entry-point group ``veristem.methods`` of another package, as ``module:function``, or as the path of an executable that
is called with an acquisition file and the file to write, .vtp for curves and .csv for points.
Parameters follow the name as words KEY=VALUE: ``"stereo-classical scale_nm=6"``. A stage, ``contours=truth``, asks for
the truth's, which only a study has; contours may also be named, ``contours=learned``.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import IO, Any

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import STAGES
from veristem.datasets.kinds import KINDS, VOLUME
from veristem.datasets.outside import imported, offered
from veristem.datasets.reading import key_value
from veristem.datasets.reconstruction import Reconstruction
from veristem.datasets.text import printable
from veristem.datasets.volume import Volume

Method = Callable[..., Reconstruction | Volume]
_GROUP = "veristem.methods"
_VOLUME = "volume"  # parameter with which a method returns the volume it makes
_NUMBER = (float, int, "float", "int", "float | None", "int | None")  # annotations
_SAID = 1 << 16  # bytes of the end of what a program says
_LAST_WORDS_S = 1.0  # to wait for them once it has ended

METHODS = {
    "stereo-classical": "veristem.recon.stereo.classical:reconstruct",
    "stereo-learned": "veristem.recon.stereo.learned:reconstruct",
    "stereo-thesis": "veristem.recon.stereo.thesis:reconstruct",
    "lines-multiview": "veristem.recon.stereo.multiview:reconstruct",
    "lines-fitted": "veristem.recon.fitted.lines:reconstruct",
    "tomo-wbp": "veristem.recon.tomography.wbp:reconstruct",
    "tomo-sirt": "veristem.recon.tomography.sirt:reconstruct",
    "tomo-lines": "veristem.recon.tomography.fitted:reconstruct",
    "field-absorption": "veristem.recon.tomography.field:reconstruct",
    "points-matched": "veristem.recon.particles.matched:reconstruct",
    "points-learned": "veristem.recon.particles.learned:reconstruct",
    "points-tomo": "veristem.recon.tomography.points:reconstruct",
    "points-hough": "veristem.recon.particles.hough:reconstruct",
    "points-threshold": "veristem.recon.particles.threshold:reconstruct",
    "constant": "veristem.recon.constant:reconstruct",
    "failing": "veristem.recon.failing:reconstruct",
}
CONTOURS = {  # ways to find contours, by the name that a method takes in their place
    "ridge": "veristem.recon.contours.ridge:ridge_contours",
    "learned": "veristem.recon.contours.learned:learned_contours",
}

# methods whose contours are the learned ones when none are named
LEARNED = ("stereo-learned", "stereo-thesis", "lines-multiview", "lines-fitted", "tomo-lines")

# what methods find of how views of several scans lie, in lines for people
TOLD = {
    "tomo-wbp": "veristem.recon.tomography.series:told",
    "tomo-sirt": "veristem.recon.tomography.series:told",
    "tomo-lines": "veristem.recon.tomography.series:told",
    "field-absorption": "veristem.recon.tomography.series:told",
    "points-tomo": "veristem.recon.tomography.points:told",
}


def method_names() -> list[str]:
    """Registered names, those of other packages included."""
    return sorted({*METHODS, *offered(_GROUP)})


def methods_of(kind: str) -> list[str]:
    """Registered methods whose annotations say that they return the result of a kind of specimen; our own first."""
    wanted = KINDS[kind].result.__name__
    known = (name for name in method_names() if wanted in str(_signature(name, load_method(name)).return_annotation))
    return sorted(known, key=lambda name: (name != KINDS[kind].method, name))


def parameters_of(name: str) -> list[inspect.Parameter]:
    """The parameters of a method that are words KEY=VALUE, with their defaults; neither stages nor the volume."""
    arguments = list(_signature(name, load_method(name)).parameters.values())[1:]
    named = (p for p in arguments if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return [p for p in named if p.name not in (*STAGES, _VOLUME)]


def makes_volume(name: str) -> bool:
    """Whether a method returns, when asked for it, the volume in which it looks."""
    return _VOLUME in _signature(name, load_method(name)).parameters


def split_method(text: str) -> tuple[str, dict[str, Any]]:
    """Name and parameters of a method as it is asked for: ``"stereo-classical scale_nm=6"``."""
    found = re.fullmatch(r"(.*?)((?:\s+[A-Za-z_]\w*=\S+)*)", text.strip(), re.DOTALL)
    assert found is not None  # every text has this form
    return found[1], dict(key_value(word) for word in found[2].split())


def without_oracles(text: str) -> tuple[str, tuple[str, ...]]:
    """A method as it is asked for, less the words STAGE=truth, and the names of those stages."""
    _, parameters = split_method(text)
    stages = tuple(key for key, value in parameters.items() if key in STAGES and value == "truth")
    for stage in stages:
        text = re.sub(rf"\s+{stage}=truth(?!\S)", "", text)
    return text, stages


def load_method(text: str) -> Method:
    """The method of that name, ``module:function`` or executable, with its parameters.

    Raises
    ------
    InputError
        When there is none, its module cannot be imported, it cannot be called with an acquisition alone, or it has no
        such parameter.
    """
    name, parameters = split_method(text)
    found = target(name)
    method = _executable(found) if is_program(found) else imported(found, "method")
    arguments = _signature(name, method)
    try:
        arguments.bind(None, **parameters)
    except TypeError as error:
        known = [
            p.name
            for p in list(arguments.parameters.values())[1:]
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in STAGES
        ]
        allowed = f"allowed are {', '.join(known) or 'none'}" if parameters else "a function of an acquisition allowed"
        raise InputError(f"method {text}: {error}; {allowed}") from None
    if not parameters:
        return method
    for key, value in parameters.items():
        asked = arguments.parameters.get(key)
        if asked and asked.annotation in _NUMBER and not (isinstance(value, (int, float)) and np.isfinite(value)):
            raise InputError(f"method {name}: {key}: {str(value)[:40]!r} found, a finite number allowed")
    return partial(method, **parameters)


def _signature(name: str, method: Method) -> inspect.Signature:
    """The arguments of a method; of some that are not written in Python nothing tells them."""
    try:
        return inspect.signature(method)
    except Exception:  # an object may answer in any way
        raise InputError(
            f"method {name}: {type(method).__name__} whose arguments cannot be told found, a function allowed"
        ) from None


def target(name: str) -> str:
    """What a name stands for: ``module:function``, or the path of a program.

    Raises
    ------
    InputError
        When it is neither a known name nor one of these.
    """
    known = offered(_GROUP) | METHODS
    if name in known or os.sep in name or Path(name).is_file() or ":" in name:
        return known.get(name, name)
    raise InputError(
        f"method: {name!r} found, allowed are {', '.join(method_names())}, module:function, or the path of a program"
    )


def run_method(name: str, acquisition: Acquisition, **parameters) -> Any:
    """Reconstruct with a method and check what it returns: a CurveSet of dislocations, a PointSet of particles; or a
    Volume.

    Raises
    ------
    InputError
        When there is no such method, or it returns something else.
    """
    _check_words(name)
    check_stages(name, [key for key in parameters if key in STAGES])
    wanted = KINDS[acquisition.kind].result
    result = load_method(name)(acquisition, **parameters)
    if not isinstance(result, (wanted, VOLUME.result)):
        found = type(result).__name__
        raise InputError(f"method {name}: returned {found}, a {wanted.__name__} allowed for {acquisition.kind}")
    return result


def stages_of(text: str) -> tuple[str, ...]:
    """The stages that a method takes from outside: those of `STAGES` that its parameters name; of a program none."""
    parameters = _signature(text, load_method(without_oracles(text)[0])).parameters
    return tuple(stage for stage in STAGES if stage in parameters)


def registers(text: str) -> bool:
    """Whether a method registers views of several scans as `registration` tells of: it has ``register``."""
    return "register" in _signature(text, load_method(without_oracles(text)[0])).parameters


def takes_learned_contours(text: str) -> bool:
    """Whether a method finds lines by the network of contours of the package, not by ridges or weights of one's own."""
    name, parameters = split_method(text)
    own = "learned" if name in LEARNED else None
    return parameters.get("contours", own) == "learned" and "weights" not in parameters


def alignment_told(text: str, acquisition: Acquisition) -> list[str]:
    """What a method finds of how views that have a scan each lie, in lines for people; warnings begin as such.

    Empty for views of one scan, and for a method that takes them as they are said to lie.
    """
    from veristem.recon import registration

    name, parameters = split_method(text)
    if name in TOLD:
        return imported(TOLD[name], "lines")(acquisition, **parameters)
    return registration.told(acquisition) if registers(text) else []


def with_volume(text: str) -> str:
    """A method as it is asked for, with the word that makes it return the volume.

    Raises
    ------
    InputError
        When it has none.
    """
    method = load_method(text)
    if _VOLUME not in _signature(text, method).parameters:
        able = [name for name in METHODS if _VOLUME in _signature(name, load_method(name)).parameters]
        raise InputError(f"method {text}: makes no volume; {', '.join(able)} do")
    return text if _VOLUME in split_method(text)[1] else f"{text} {_VOLUME}=true"


def check_stages(text: str, stages: Iterable[str]) -> None:
    """Refuse stages that a method does not take: it would ignore them, and seem to make no error there.

    Raises
    ------
    InputError
        Naming the stage, and those that the method takes.
    """
    taken = stages_of(text)
    if unknown := [stage for stage in stages if stage not in taken]:
        raise InputError(
            f"method {text}: {unknown[0]} handed in, which it does not take; it takes {', '.join(taken) or 'no stage'}"
        )


def _check_words(text: str) -> None:
    """Refuse words for stages, but for the names of our own ways to find contours."""
    for key, value in split_method(text)[1].items():
        if key not in STAGES or not isinstance(value, str) or (key == "contours" and value in CONTOURS):
            continue
        why = "which only a study knows" if value == "truth" else "which is not known"
        named = f"; by name allowed are {', '.join(CONTOURS)}" if key == "contours" else ""
        raise InputError(f"method {text}: {key}={value[:40]} found, {why}; leave it out{named}")


def is_program(target: str) -> bool:
    """Whether a target is a path rather than ``module:function``."""
    return os.sep in target or Path(target).is_file()


def _executable(path: str) -> Method:
    program = Path(path).resolve()
    if not program.is_file():
        raise InputError(f"method {path}: no such file; give the path of an executable")
    if not os.access(program, os.X_OK):
        raise InputError(f"method {path}: not executable; `chmod +x` makes it so")

    def reconstruct(acquisition: Acquisition) -> Reconstruction:
        """Write the acquisition, call the program as ``program IN.h5 OUT.vtp`` (or ``OUT.csv``), read what it wrote."""
        from veristem.datasets import formats

        with tempfile.TemporaryDirectory() as folder:
            kind = KINDS[acquisition.kind]
            given, wanted = Path(folder, "acquisition.h5"), Path(folder, "reconstruction" + kind.suffix)
            formats.write(given, acquisition)
            code, said = _run([str(program), str(given), str(wanted)])
            if code == -9:
                raise MemoryError(f"{path} was killed; its memory may have run out")
            if code:
                raise RuntimeError(f"{path} ended with {code}: {said}")
            if not wanted.is_file():
                raise RuntimeError(f"{path} ended without writing the file it was asked for as its second argument")
            return formats.read(wanted, kind.result)

    return reconstruct


def _run(command: list[str]) -> tuple[int, str]:
    """Run a program: its exit status, and the last line of what it said on stderr, or else on stdout.

    Only the end of its output is kept, however much it prints. What goes on in the background is not waited for.
    """
    said = [bytearray(), bytearray()]  # stderr, stdout

    def keep(stream: IO[bytes], end: bytearray) -> None:
        while piece := os.read(stream.fileno(), 1 << 16):
            end += piece
            del end[:-_SAID]

    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stdout is not None
    readers = [Thread(target=keep, args=pair, daemon=True) for pair in zip((process.stderr, process.stdout), said)]
    for reader in readers:
        reader.start()
    try:
        code = process.wait()
    except BaseException:
        process.kill()
        raise
    for reader in readers:
        reader.join(_LAST_WORDS_S)
    texts = (printable(bytes(end).decode(errors="replace")).strip() for end in said)
    return code, next(filter(None, texts), "no message").splitlines()[-1]
