"""The runs of a study, one by one, each with the command that makes it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from veristem.reports.rows import StudyResult
from veristem.reports.words import conditions_text, fixed

MOST_RUNS = 200  # on a page; of more, those with the highest and the lowest F


def runs_table(result: StudyResult, commands: Mapping[str, str], examples: Mapping[str, Any]) -> dict:
    """Rows of single runs as text, and which they are.

    Parameters
    ----------
    result : StudyResult
        The runs; those with a stage of the truth's handed in are left out.
    commands : dict of str
        By cell: what makes it again.
    examples : dict
        By cell: the example on the page that shows it, with its picture.
    """
    rows = result.rows
    which = ""
    if len(rows) > MOST_RUNS:
        order = rows.sort_values(["f_score", "cell"], ascending=False, na_position="last", kind="stable").index
        half = MOST_RUNS // 2
        rows = rows.loc[[*order[:half], *order[-half:]]]
        which = f"The {half} with the highest F and the {half} with the lowest, or none, of {len(result.rows):,}."
    lines = [_line(row, commands, examples) for row in rows.to_dict("records")]
    return {"rows": lines, "which": which, "commands": any(line["command"] for line in lines)}


def _line(row: dict, commands: Mapping[str, str], examples: Mapping[str, Any]) -> dict[str, Any]:
    f, depth = (fixed(float("nan") if row[s] is None else float(row[s]), s) for s in ("f_score", "depth_rmse_nm"))
    return {
        "method": row["method"],
        "seed": row["seed"],
        "condition": conditions_text(json.loads(row["condition"] or "{}")),
        "f": f,
        "depth": depth,
        "error": row["error"] if isinstance(row["error"], str) else "",
        "command": commands.get(row["cell"], ""),
        "example": examples.get(row["cell"]),
    }
