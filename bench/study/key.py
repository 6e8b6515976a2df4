"""The key of a cell: a hash of everything its row depends on, so that no row is served when any of it has changed."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from veristem.datasets.formats.paradis import control_file
from veristem.datasets.outside import imported, offered
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Centres, Dislocations, FromFile
from veristem.recon.methods import is_program, split_method, target

_CODE = (".py", ".so", ".pyd", ".toml", ".json", ".yaml")
_WEIGHTS = (".safetensors", ".npz", ".npy", ".onnx", ".pt", ".pth", ".h5")
# all that a row is made by, whatever the method: tests/test_study_keys.py follows the imports of cell.py
_ROW = ("datasets", "sim", "bench.limits", "bench.metrics", "bench.study", "bench.scoring", "bench.oracles")
_CALLS = ("recon.methods", "recon.apart", "recon.messages")  # how a method is called


def cell_key(
    recipe: Recipe,
    method: str,
    tolerance_nm: float | None,
    method_version: str = "",
    full_limits: bool = False,
    metrics: Sequence[str] = (),
    timeout_s: float | None = None,
) -> str:
    """SHA-256 of everything a row depends on.

    The recipe and its network or particle file; the sources of datasets, sim and of what makes rows; the method with
    its parameters, the content of files and folders among these (weights), and its package, module or program with the
    sources of recon where these are used; metrics from outside with their packages. Sources count as they were when
    this process first asked, other files as they are. ``method_version`` stands for what this does not see: a helper
    module beside a script, a library.
    """
    name, parameters = split_method(method)
    digest = hashlib.sha256(
        f"{recipe.model_dump_json()} {method} {tolerance_nm} {method_version} {full_limits} {list(metrics)}".encode()
    )
    for one in dict.fromkeys((*offered("veristem.metrics").values(), *metrics)):
        digest.update(_source(one.partition(":")[0].partition(".")[0])[0])
    if timeout_s is not None:
        digest.update(f"timeout {timeout_s}".encode())
    digest.update(_specimen_files(recipe))
    digest.update(_files(list(parameters.values())))
    for package in (*_ROW, *_CALLS):
        digest.update(_source(f"veristem.{package}")[0])
    found = target(name)
    sources = [(_files(found), _uses_recon(Path(found)))] if is_program(found) else map(_source, _modules(found))
    for content, uses_recon in sources:
        digest.update(content)
        if uses_recon:
            digest.update(_source("veristem.recon")[0])
    return digest.hexdigest()[:24]


def scan_key(recipe: Recipe) -> str:
    """SHA-256 of everything the counts of a 4D scan depend on: recipe, network file, sources of datasets and sim."""
    digest = hashlib.sha256(recipe.model_dump_json().encode() + _specimen_files(recipe))
    for package in ("datasets", "sim"):
        digest.update(_source(f"veristem.{package}")[0])
    return digest.hexdigest()[:24]


def _specimen_files(recipe: Recipe) -> bytes:
    table = recipe.specimen
    source = table.network if isinstance(table, Dislocations) else table.dispersion
    found = _files(table.material) if isinstance(table, Dislocations) and table.crystal is not None else b""
    if isinstance(source, (FromFile, Centres)):
        found += _files(source.file) + _files(str(control_file(source.file) or ""))
    return found


def is_outside(method: str) -> bool:
    """Whether a method is not one of this package."""
    found = target(split_method(method)[0])
    return is_program(found) or any(module.partition(".")[0] != "veristem" for module in _modules(found))


@cache
def _modules(found: str) -> tuple[str, ...]:
    """Packages of a method: of the module it is asked for in, and of the one its function says it is from."""
    method = imported(found, "method")
    while isinstance(method, partial):
        method = method.func
    named = [found.partition(":")[0]]
    if isinstance(said := getattr(method, "__module__", None), str) and said in sys.modules:  # it may say anything
        named.append(said)
    tops = dict.fromkeys(module.partition(".")[0] for module in named)
    return tuple("veristem.recon" if top == "veristem" else top for top in tops)


def _files(value: Any) -> bytes:
    """Hash of the content of a file or folder, or of those in a list; empty for any other value."""
    if isinstance(value, list):
        return b"".join(map(_files, value))
    if not isinstance(value, str) or not value or "\0" in value:
        return b""
    path = Path(value)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    found = [(file, file.stat()) for file in files if file.is_file()]
    return b"".join(_content(str(file), stat.st_mtime_ns, stat.st_size) for file, stat in found)


@lru_cache(maxsize=4096)
def _content(path: str, mtime_ns: int, size: int) -> bytes:
    """Hash of a file, read again only when its time or size has changed."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@cache
def _source(package: str) -> tuple[bytes, bool]:
    """Hash of the files of a package or module as they were when first asked for, and whether it uses recon."""
    module = import_module(package)
    roots = [Path(p) for p in getattr(module, "__path__", None) or filter(None, [getattr(module, "__file__", None)])]
    files = [(root, file) for root in roots for file in _sources_below(root)]
    digest = hashlib.sha256()
    for root, file in files:
        digest.update(f"{file.relative_to(root)}".encode() + b"\0" + file.read_bytes())
    return digest.digest(), not package.startswith("veristem") and any(_uses_recon(file) for _, file in files)


def _sources_below(root: Path) -> Iterator[Path]:
    """Code and package data, without hidden folders and the results of studies."""
    if not root.is_dir():
        yield root
        return
    for file in sorted(root.iterdir()):
        if file.is_dir() and not file.name.startswith((".", "__pycache__")) and not (file / "study.json").exists():
            yield from _sources_below(file)
        elif file.is_file() and (file.suffix in _CODE + _WEIGHTS or file.parent.name == "weights"):  # cards too
            yield file


def _uses_recon(file: Path) -> bool:
    return b"veristem" in (text := file.read_bytes()) and re.search(rb"\b(recon|oracles)\b", text) is not None
