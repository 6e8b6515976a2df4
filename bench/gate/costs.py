"""Time and memory of a study beside its scores: told always, gated only against a reference run on the same machine."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from veristem.datasets.errors import InputError


@dataclass(frozen=True)
class Cost:
    """What a method costs.

    Parameters
    ----------
    method : str
        Name and parameters.
    seconds : float or None
        Median time of a reconstruction [s]: the first one of a process, which compiles, does not move it.
    ratio : float or None
        Median over the same runs of that time over the reference's.
    """

    method: str
    seconds: float | None
    ratio: float | None


def costs(folder: Path, reference: Path | None = None) -> list[Cost]:
    """Of every method in a results folder, beside the same runs in a reference folder.

    Raises
    ------
    InputError
        When the reference was run on another machine or with another number of workers, or shares no run.
    """
    from veristem.bench.store import read_table

    keys = ["method", "conditions", "seed"]
    times = read_table(folder).set_index(keys)["reconstruct_s"]
    others = None
    if reference is not None:
        others = read_table(reference).set_index(keys)["reconstruct_s"]
        for fact in ("machine", "workers"):
            here, there = facts(folder).get(fact), facts(reference).get(fact)
            if here != there or here is None:
                raise InputError(f"{reference}: {fact} {there} found, {here} allowed, which {folder} was run with")
    found = []
    for method in dict.fromkeys(times.index.get_level_values("method")):
        mine = times[times.index.get_level_values("method") == method]
        ratios = mine.iloc[:0] if others is None else (mine / others.reindex(mine.index)).dropna()
        if others is not None and ratios.empty and mine.notna().any():
            raise InputError(f"{reference}: no run of {method} with a time found that {folder} has too")
        seconds, ratio = (float(values.median()) if values.notna().any() else None for values in (mine, ratios))
        found.append(Cost(method, seconds, ratio))
    return found


def facts(folder: Path) -> dict:
    """What a folder tells about its run; nothing when it cannot be read."""
    with suppress(OSError, ValueError):
        content = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}
