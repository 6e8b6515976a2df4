"""What a window opens: by path, from a list, dropped into it, or made from a recipe."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from veristem.bench.app.window import Window
from veristem.datasets import (
    Acquisition,
    CurveSet,
    DislocationNetwork,
    InputError,
    LineTruth,
    ParticleDispersion,
    ParticleTruth,
    PointSet,
    Volume,
)

_IMAGES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
_MOST_NAMES = 2000  # of a folder


@dataclass
class Openers:
    """What is done with what a file holds; panels put their own in.

    Parameters
    ----------
    pair : function of two paths
        Of two images.
    specimen : function of a path and what it holds
        Of a network, or particles.
    scan : function of a path
        Of anything else that may be a 4D scan.
    result, volume : function of a path and what it holds
        Of curves or points, and of a volume.
    """

    pair: Callable[..., Any] = lambda left, right: None
    specimen: Callable[..., Any] = lambda path, thing: None
    scan: Callable[..., Any] = lambda path: None
    result: Callable[..., Any] = lambda path, thing: None
    volume: Callable[..., Any] = lambda path, thing: None


async def open_paths(window: Window, openers: Openers, paths: list[Path]) -> None:
    """Open one file or folder, two images, or a file with what belongs to it (.ctrl, .hdr, .rawtlt, truth.h5).

    Raises
    ------
    InputError
        For what cannot be opened, or does not go together.
    """
    paths = _leading(paths)
    if len(paths) == 2:
        openers.pair(*paths)
        return
    path = paths[0]
    if path.is_dir() and (path / "acquisition.h5").is_file():
        path = path / "acquisition.h5"
    elif path.is_dir() and path.suffix.lower() != ".zspy":
        raise InputError(f"{path}: no acquisition.h5 found in this folder; open a file of it")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() in _IMAGES:
        raise InputError(f"{path.name}: one image found; open it together with the other one of the pair")
    thing = await window.aside(_held, path)
    if isinstance(thing, Acquisition):
        run = window.new_run()
        copy(window, path, f"{run}/acquisition.h5")
        if (truth := path.with_name("truth.h5")).is_file():
            copy(window, truth, f"{run}/truth.h5")
        await window.show(run)
        _title(window, path)
    elif isinstance(thing, LineTruth | ParticleTruth):
        _add_truth(window, path)
        await window.show(window.run)
    elif isinstance(thing, DislocationNetwork | ParticleDispersion):
        openers.specimen(path, thing)
    elif isinstance(thing, CurveSet | PointSet):
        await openers.result(path, thing)
    elif isinstance(thing, Volume):
        openers.volume(path, thing)
    else:
        await openers.scan(path)
        _title(window, path)


async def show_made(window: Window, openers: Openers, run: str) -> None:
    """Show what `veristem simulate` has written into a folder: images, or a 4D scan."""
    if (scan := window.folder / run / "scan.zspy").exists():
        await openers.scan(scan)
    else:
        await window.show(run)


def copy(window: Window, path: Path, name: str) -> None:
    """Copy a file into the folder of the window, by a command that is noted too."""
    shutil.copyfile(path, window.folder / name)
    within = path.relative_to(window.folder) if path.is_relative_to(window.folder) else path
    window.script.append(shlex.join(["cp", str(within), name]))


def _held(path: Path) -> Any:
    """What a file holds; None where it may be a 4D scan."""
    import veristem as vs
    from veristem.datasets import formats
    from veristem.datasets.formats.scans import read_scan

    if path.suffix.lower() not in formats.suffixes():
        return None
    try:
        return vs.load(path)
    except InputError as error:
        if path.suffix.lower() in (".h5", ".mrc"):  # which may hold a scan
            try:
                read_scan(path)
            except InputError:
                raise error from None
            return None
        raise


def _leading(paths: list[Path]) -> list[Path]:
    """The files that were meant, less those that lie beside them to be read with them."""
    companions = (".ctrl", ".hdr", ".rawtlt", ".tlt", ".mdoc")
    led = [path for path in paths if path.suffix.lower() not in companions] or paths
    names = {path.name for path in led}
    if names == {"acquisition.h5", "truth.h5"}:
        led = [path for path in led if path.name == "acquisition.h5"]
    if not led:
        raise InputError("no file found, one allowed, or the two images of a pair")
    if len(led) > 2:
        raise InputError(f"{len(led)} files found, one allowed, or the two images of a pair")
    return sorted(led) if len(led) == 2 else led


def _add_truth(window: Window, path: Path) -> None:
    if window.acquisition is None:
        raise InputError(f"{path.name}: a truth found; open the images first, acquisition.h5, that it is the truth of")
    copy(window, path, f"{window.run}/truth.h5")


def _title(window: Window, path: Path) -> None:
    window.state.opened = path.name if path.parent == window.folder else f"{path.parent.name}/{path.name}"


def save_uploads(window: Window, files: list[dict[str, Any]]) -> list[Path]:
    """Put files that were dropped into the folder of the window, under their own names."""
    paths = []
    for given in files:
        name = re.sub(r"[^\w.+-]", "_", Path(str(given.get("name", ""))).name).lstrip(".")[-100:]
        content = given.get("content")
        if not name or content is None:
            raise InputError("what was dropped is no file; a folder is opened by its path")
        pieces = content if isinstance(content, list) else [content]
        place = window.folder / name
        place.write_bytes(b"".join(bytes(piece) for piece in pieces))
        paths.append(place)
    return paths


def listing(folder: Path) -> list[dict[str, Any]]:
    """Names in a folder, folders first; nothing hidden."""
    found = [
        {"name": path.name, "path": str(path), "folder": path.is_dir() and path.suffix.lower() != ".zspy"}
        for path in folder.iterdir()
        if not path.name.startswith(".")
    ]
    return sorted(found, key=lambda one: (not one["folder"], one["name"].lower()))[:_MOST_NAMES]
