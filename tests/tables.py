"""Results tables as a study keeps them, of made-up rows."""

from __future__ import annotations

import pandas as pd

from veristem.bench.metrics import metrics
from veristem.datasets.results import metrics_in, schema, with_metrics


def frame(rows) -> pd.DataFrame:
    """Rows as a DataFrame with every column of the table, and what its scores mean."""
    wanted = schema(metrics())
    return with_metrics(pd.DataFrame(rows).reindex(columns=wanted.names), metrics_in(wanted))
