"""The results table: one row a cell and method, with one explicit Arrow schema.

A null error and a text error must read back together, so no column's type is ever guessed. Each column of a score
carries in its metadata what the score means, so that whoever reads the table knows which way is better.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """What a score tells about itself.

    Parameters
    ----------
    name : str
        Key in the results, and name of its file.
    unit : str
        Unit, "" for a pure number.
    better : "lower", "higher", "closer" or "neither"
        Which way is better; "closer" means nearer to ``good`` from either side, "neither" that it says nothing of
        quality.
    meaning : str
        One sentence.
    good, bad : float
        Value of a perfect reconstruction, and one at which it is of little use (the ends of a colour scale).
    empty : str
        What empty inputs give.
    of : tuple of "curves", "points", "masks", "disparity"
        What it scores; ``score`` then takes a `Pair`, a `PointPair`, a `MaskPair` or a `DisparityPair`.
    order : int
        Place among others in lists and tables.
    """

    name: str
    unit: str
    better: Literal["lower", "higher", "closer", "neither"]
    meaning: str
    good: float
    bad: float
    empty: str
    of: tuple[Literal["curves", "points", "masks", "disparity"], ...] = ("curves",)
    order: int = 1000

    @property
    def is_share(self) -> bool:
        """Whether it is a share, from 0 to 1, of which more is better."""
        return (self.unit, self.better, self.good, self.bad) == ("", "higher", 1.0, 0.0)

    def loss(self, value: float) -> float:
        """Distance from the value of a perfect reconstruction: less is better for every metric."""
        return abs(value - self.good)


SUFFIXES = ("", "_visible", "_psi_above_25", "_psi_below_25")  # each score of curves stands with all of them
FAILURES = ("method", "simulation", "machine")  # whose failure an error is; a machine's is tried again
TIMES = ("simulate_s", "reconstruct_s", "score_s")  # all else in a row is the same however often it is run

_TEXT = ("study", "cell", "recipe", "method", "method_version", "conditions", "failure", "error", "version")
_WHOLE = ("seed",)
# depth_limit_nm, lateral_limit_nm: RMS of the smallest errors any unbiased method can have, over the particles, or over
# 20 nm pieces of visible lines steeper than 25 degrees to the epipolar direction, if the study asks for full limits;
# depth_parallax_limit_nm, lateral_parallax_limit_nm: of such pieces, where depth shows by parallax alone
# line_contrast, line_cnr: of visible lines in the expected images, see bench/limits; null for particles
_NUMBER = ("tolerance_nm", "pair_angle_deg", "electrons_per_pixel", "counts_per_pixel", "depth_limit_nm",
           "lateral_limit_nm", "depth_parallax_limit_nm", "lateral_parallax_limit_nm", "line_contrast", "line_cnr",
           *TIMES)  # fmt: skip


_METRIC = b"veristem_metric"


def score_columns(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """The columns of a row that hold scores, with what each means: those of curves in all variants, then of points."""
    metrics = list(metrics)
    curves = {m.name + suffix: m for suffix in SUFFIXES for m in metrics if "curves" in m.of}
    return curves | {m.name: m for m in metrics if "points" in m.of}


def schema(metrics: Iterable[Metric]):
    """The pyarrow schema of the table; ``conditions`` is a JSON object of dotted recipe paths.

    ``cell`` names a row: the hash of everything it depends on. ``failure`` is one of `FAILURES` where ``error`` is
    set.
    """
    import pyarrow as pa

    fields = [pa.field(n, pa.string()) for n in _TEXT]
    fields += [pa.field(n, pa.int64()) for n in _WHOLE]
    fields += [pa.field(n, pa.float64()) for n in _NUMBER]
    for name, metric in score_columns(metrics).items():
        fields.append(pa.field(name, pa.float64(), metadata={_METRIC: json.dumps(asdict(metric))}))
    return pa.schema(fields)


def metrics_in(table_schema) -> dict[str, Metric]:
    """What the scores of an Arrow schema mean, by column."""
    told = {field.name: (field.metadata or {}).get(_METRIC) for field in table_schema}
    return {name: _metric(json.loads(text)) for name, text in told.items() if text}


def as_frame(table):
    """An Arrow table of results as a DataFrame that knows what its scores mean, see `metrics_of`."""
    return with_metrics(table.to_pandas(), metrics_in(table.schema))


def with_metrics(frame, metrics: dict[str, Metric]):
    """The same DataFrame, told what its scores mean, by column."""
    told = {name: asdict(metric) for name, metric in metrics.items()}
    frame.attrs["metrics"] = json.dumps(told)  # a text, as pandas copies what is there with every part of a frame
    return frame


def metrics_of(frame) -> dict[str, Metric]:
    """What the scores of a DataFrame of results mean, by column; nothing where it was not told."""
    return {name: _metric(given) for name, given in json.loads(frame.attrs.get("metrics", "{}")).items()}


def _metric(given: dict) -> Metric:
    return Metric(**{**given, "of": tuple(given["of"])})
