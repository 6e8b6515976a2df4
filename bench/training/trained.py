"""What a training ends with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from veristem.bench.training.agreement import Agreement


@dataclass(frozen=True)
class Trained:
    """What a training ended with.

    Parameters
    ----------
    weights : Path
        The .onnx file; .safetensors, card.md and page.html lie beside it.
    best : Agreement
        With the examples, foils or films, that were not trained on.
    groups : DataFrame
        The same of each kind of example: ``group``, ``name``, ``examples``, ``precision``, ``recall``, ``f_score``.
    history : DataFrame
        ``step``, ``loss``, ``precision``, ``recall``, ``f_score`` of every check.
    notes : tuple of str
        What a user should know of how it ended.
    """

    weights: Path
    best: Agreement
    groups: pd.DataFrame
    history: pd.DataFrame
    notes: tuple[str, ...]
