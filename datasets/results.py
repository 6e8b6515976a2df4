"""The results table: one row a cell and method, with one explicit Arrow schema.

A null error and a text error must read back together, so no column's type is ever guessed. Each column of a score
carries in its metadata what the score means, so that whoever reads the table knows which way is better.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal

from veristem.datasets.recipe import recipe_paths
from veristem.datasets.text import printable


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


def with_axes(table):
    """An Arrow table of results with a column for each recipe path in ``conditions``, behind that one.

    Numbers are float64, true and false bool, all else text, tables and lists as JSON; null in rows without that path.
    """
    column = table["conditions"].to_pylist()
    given = {text: json.loads(text) for text in set(column)}
    paths = [path for path in dict.fromkeys(path for text in column for path in given[text]) if is_axis(path)]
    for place, path in enumerate(paths, table.schema.get_field_index("conditions") + 1):
        table = table.add_column(place, path, _axis([given[text].get(path) for text in column]))
    return table


def is_axis(name: str) -> bool:
    """Whether a column is one that `with_axes` adds."""
    return "." in name and name in recipe_paths()


def _axis(values: list):
    import pyarrow as pa

    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return pa.array(values, pa.bool_())
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        with suppress(OverflowError):  # a whole number of more digits than any other has
            return pa.array([None if value is None else float(value) for value in values], pa.float64())

    def text(value) -> str | None:
        return None if value is None else printable(value if isinstance(value, str) else json.dumps(value))

    return pa.array(map(text, values), pa.string())


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
