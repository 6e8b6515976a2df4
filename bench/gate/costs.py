"""Time and memory of a study beside its scores: told always, gated only against a reference run on the same machine."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from veristem.datasets.errors import InputError


@dataclass(frozen=True)
class Cost:
    """What a method, or the whole study, costs.

    Parameters
    ----------
    what : str
        "time of" a method, or "peak memory".
    value : float or None
        Median time of a reconstruction [s]: the first one of a process, which compiles, does not move it. Memory of the
        largest process [MiB].
    unit : str
        Of the value, with what it is of.
    ratio : float or None
        Median over the same runs of that time over the reference's; the memory over the reference's.
    """

    what: str
    value: float | None
    unit: str
    ratio: float | None

    def __str__(self) -> str:
        value = "–" if self.value is None else f"{self.value:.4g} {self.unit}"
        return f"{self.what}: {value}" + ("" if self.ratio is None else f", {self.ratio:.3g} times the reference's")

    def over(self, allowed: float | None) -> list[str]:
        """A line when the ratio is above the one allowed."""
        if allowed is None or self.ratio is None or self.ratio <= allowed:
            return []
        return [f"{self.what} {self.ratio:.3g} times the reference's, {allowed:g} allowed"]


def costs(folder: Path, reference: Path | None = None) -> list[Cost]:
    """Time of every method in a results folder, beside the same runs in a reference folder, then memory.

    Raises
    ------
    InputError
        When the reference is of another study, was run on another machine or with another number of workers, or shares
        no run.
    """
    from veristem.bench.study.store import read_table

    keys = ["method", "conditions", "seed"]
    times = read_table(folder).set_index(keys)["reconstruct_s"]
    here, there, others = _facts(folder), {}, None
    if reference is not None:
        there = _facts(reference)
        for fact, told in (("study", "name"), ("recipe", ""), ("machine", ""), ("workers", "")):
            _check_same(fact, told, here.get(fact), there.get(fact), folder, reference)
        others = read_table(reference).set_index(keys)["reconstruct_s"]
    found = []
    for method in dict.fromkeys(times.index.get_level_values("method")):
        mine = times[times.index.get_level_values("method") == method]
        ratios = mine.iloc[:0] if others is None else (mine / others.reindex(mine.index)).dropna()
        if others is not None and ratios.empty and mine.notna().any():
            raise InputError(f"{reference}: no run of {method} with a time found that {folder} has too")
        seconds, ratio = (float(values.median()) if values.notna().any() else None for values in (mine, ratios))
        found.append(Cost(f"time of {method}", seconds, "s a reconstruction (median)", ratio))
    peak, other = (float(m) if isinstance(m := f.get("peak_memory_mib"), int | float) else None for f in (here, there))
    ratio = peak / other if peak and other else None
    return [*found, Cost("peak memory", peak, "MiB, of the largest process", ratio)]


def _check_same(fact: str, part: str, here, there, folder: Path, reference: Path) -> None:
    """A fact, or a part of it, must be known and the same."""
    if part:
        here, there = (f.get(part) if isinstance(f, dict) else None for f in (here, there))
    if here is None:
        raise InputError(f"{folder}: study.json does not tell its {fact}, which --reference needs")
    if here != there:
        shown = f"{fact} {there} found, {here} allowed" if len(f"{here}{there}") < 300 else f"another {fact} found"
        raise InputError(f"{reference}: {shown}; results like those of {folder} are needed")


def _facts(folder: Path) -> dict:
    """What a folder tells about its run; nothing when it cannot be read."""
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}
