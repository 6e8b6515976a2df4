"""The results table: one row a cell and method, with one explicit Arrow schema.

A null error and a text error must read back together, so no column's type is ever guessed.
"""

from __future__ import annotations

CURVE_SCORES = (  # the plain keys; each also stands with the suffixes below
    "accuracy_nm",
    "completeness_nm",
    "chamfer_nm",
    "hausdorff_nm",
    "hausdorff95_nm",
    "precision",
    "recall",
    "f_score",
    "f_score_at_3_limits",
    "depth_bias_nm",
    "depth_rmse_nm",
    "depth_rmse_nm_over_limit",
    "depth_rmse_nm_over_parallax_limit",
    "depth_spread_nm",
    "lateral_bias_x_nm",
    "lateral_bias_y_nm",
    "lateral_rmse_nm",
    "lateral_spread_nm",
    "lateral_rmse_nm_over_limit",
    "tangent_error_deg",
    "length_ratio",
    "junction_recall",
    "junction_precision",
    "apls",
    "betti0_error",
    "betti1_error",
    "calibration",
)
SUFFIXES = ("", "_visible", "_psi_above_25", "_psi_below_25")
POINT_SCORES = (  # the plain keys of particles
    "precision",
    "recall",
    "f_score",
    "depth_bias_nm",
    "depth_rmse_nm",
    "depth_spread_nm",
    "depth_rmse_nm_over_limit",
    "lateral_bias_x_nm",
    "lateral_bias_y_nm",
    "lateral_rmse_nm",
    "lateral_spread_nm",
    "lateral_rmse_nm_over_limit",
    "count_truth",
    "count_found",
    "calibration",
)

FAILURES = ("method", "simulation", "machine")  # whose failure an error is; a machine's is tried again
TIMES = ("simulate_s", "reconstruct_s", "score_s")  # all else in a row is the same however often it is run

_TEXT = ("study", "cell", "recipe", "method", "method_version", "conditions", "failure", "error", "version")
_WHOLE = ("seed",)
# depth_limit_nm, lateral_limit_nm: RMS of the smallest errors any unbiased method can have, over the particles, or over
# 20 nm pieces of visible lines steeper than 25 degrees to the epipolar direction, if the study asks for full limits;
# depth_parallax_limit_nm, lateral_parallax_limit_nm: of such pieces, where depth shows by parallax alone
# line_contrast, line_cnr: of visible lines in the expected images, see bench/line_contrast.py; null for particles
_NUMBER = ("tolerance_nm", "pair_angle_deg", "electrons_per_pixel", "counts_per_pixel", "depth_limit_nm",
           "lateral_limit_nm", "depth_parallax_limit_nm", "lateral_parallax_limit_nm", "line_contrast", "line_cnr",
           *TIMES)  # fmt: skip


def score_columns() -> list[str]:
    """All score columns of a row: those of curves, of which particles have some, and those of particles alone."""
    curves = [name + suffix for suffix in SUFFIXES for name in CURVE_SCORES]
    return [*curves, *(name for name in POINT_SCORES if name not in curves)]


def schema():
    """The pyarrow schema of the table; ``conditions`` is a JSON object of dotted recipe paths.

    ``cell`` names a row: the hash of everything it depends on. ``failure`` is one of `FAILURES` where ``error`` is
    set.
    """
    import pyarrow as pa

    fields = [pa.field(n, pa.string()) for n in _TEXT]
    fields += [pa.field(n, pa.int64()) for n in _WHOLE]
    fields += [pa.field(n, pa.float64()) for n in (*_NUMBER, *score_columns())]
    return pa.schema(fields)
