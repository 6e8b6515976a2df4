"""Where the error is made: tables and figures of runs with true stages; limits under the errors of lines."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tables import frame
from veristem.reports import budget, charts, write_page
from veristem.reports.rows import split
from veristem.reports.studies import best_and_worst, findings, summary_lines

ANGLE, DWELL = "microscope.detector.pair_angle_deg", "scan.dwell_us"
F = {"m": 0.6, "m alignment=truth": 0.62, "m contours=truth": 0.9, "m matches=truth": 1.0}
DEPTH = {"m": 6.0, "m alignment=truth": 5.0, "m contours=truth": 2.0, "m matches=truth": 1.0}


def make_table(full=0.5, methods=tuple(F), seeds=3) -> pd.DataFrame:
    """Scores by hand; F falls by a hundredth from seed to seed whatever the stage."""
    rows = [
        {
            "study": "stages", "cell": f"{method}-{angle}-{dwell}-{seed}", "recipe": "fake", "method": method,
            "conditions": json.dumps({ANGLE: angle, DWELL: dwell}), "seed": seed, "tolerance_nm": 20.0,
            "f_score_visible": F[method] - 0.01 * seed, "f_score": 0.1, "precision": 0.5,
            "depth_rmse_nm_visible": 9.0, "depth_rmse_nm_psi_above_25": DEPTH[method], "depth_spread_nm_visible": 8.0,
            "lateral_rmse_nm_visible": 3.0, "lateral_rmse_nm_psi_above_25": 2.0,
            "depth_parallax_limit_nm": 20 / angle, "lateral_parallax_limit_nm": 0.6,
            "depth_limit_nm": full, "lateral_limit_nm": full, "version": "0.1.0",
        }
        for seed in range(seeds) for angle in (2, 4, 8) for dwell in (10, 100) for method in methods
    ]  # fmt: skip
    return frame(rows)


def test_each_stage_has_its_part_of_the_error():
    """Of 1 - F = 0.41: 0.3 contours, 0.1 matching, 0.01 left; of 36 nm2: 32, 3 and 1; true geometry mends 0.02, 11."""
    (result,) = split(make_table())
    of_f, of_depth = budget.budget_tables(result)
    for table, words, shares in (
        (of_f, "1 − F", [0.41, 0.3, 0.1, 0.01, 0.02]),
        (of_depth, "depth RMSE, ψ\u00a0>\u00a025°, squared (nm²)", [36, 32, 3, 1, 11]),
    ):
        assert table["head"][2:] == [words, "contours", "matching", "the rest", "(geometry)"]
        assert [row[1][0] for row in table["rows"]] == ["all", "2", "4", "8"]
        assert all([float(cell[0]) for cell in row[2:]] == shares for row in table["rows"])
    assert of_f["rows"][0][2][1] == "0.385 to 0.435"  # by t of 0.40, 0.41 and 0.42, on log odds


@pytest.mark.parametrize(
    ("seeds", "texts"),
    [
        ([-2e-5, 8e-5, 3e-5], ("0.00003", "−0.00009 to 0.00015")),
        ([0.31, 0.35], ("0.33", "0.08 to 0.58")),
        ([44.0, 41.0, 47.0], ("44.0", "36.5 to 51.5")),
        ([0.0, 0.0], ("0", "0 to 0")),
        ([-1e-9], ("0.00000", "")),
    ],
)
def test_a_mean_has_the_decimals_of_its_interval(seeds, texts):
    """6.7e-05 (−0.00032 to 0.00045) could not be compared at a glance."""
    assert budget._cell(np.array(seeds), -np.inf, np.inf) == texts


def test_parts_add_up_where_a_score_is_missing():
    """The plain method finds nothing at the low dose of one angle, and one run with true contours has failed."""
    table = make_table()
    angle, dwell = (table["conditions"].map(json.loads).str[path] for path in (ANGLE, DWELL))
    table.loc[(table["method"] == "m") & (angle == 4) & (dwell == 10), "depth_rmse_nm_psi_above_25"] = None
    hard = (angle == 4) & (dwell == 10) & table["method"].str.contains("truth")
    table.loc[hard, "depth_rmse_nm_psi_above_25"] = 20.0
    failed = (table["method"] == "m contours=truth") & (angle == 2) & (table["seed"] == 0)
    table.loc[failed, ["f_score_visible", "depth_rmse_nm_psi_above_25"]] = None
    (result,) = split(table)
    of_f, of_depth = budget.budget_tables(result)
    assert all([float(cell[0]) for cell in row[2:]] == [36, 32, 3, 1, 11] for row in of_depth["rows"])
    assert all([float(cell[0]) for cell in row[3:5]] == [0.3, 0.1] for row in of_f["rows"])


def test_runs_with_true_stages_are_no_methods_to_choose_from():
    """They are in no finding, comparison or example, but in the list of a terminal."""
    (result,) = split(make_table())
    assert set(result.rows["method"]) == {"m"}
    assert set(result.staged["method"]) == set(F) - {"m"}
    assert not any("truth" in sentence for sentence in findings(result))
    assert all(cell is None or "truth" not in cell for cell in best_and_worst(make_table()))
    assert any("contours=truth" in line for line in summary_lines(make_table()))


def test_without_true_stages_there_is_no_budget(tmp_path):
    """And no section on the page."""
    (result,) = split(make_table(methods=("m",)))
    assert budget.budget_tables(result) == []
    assert list(budget.budget_charts(result)) == []
    write_page(tmp_path / "page.html", title="t", table=make_table(methods=("m",)), facts={})
    assert "Where the error is made" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    write_page(tmp_path / "page.html", title="t", table=make_table(), facts={})
    assert "Where the error is made" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("full", "names"), [(0.5, {"parallax", "limit"}), (None, {"parallax"})])
def test_limits_are_drawn_under_every_error(full, names):
    """Parallax alone, and with contrast where that was asked for; under all lines it says of which the limit is."""
    (result,) = split(make_table(full))
    steep = "_psi_above_25"
    plain = ("depth_rmse_nm", "depth_spread_nm", "lateral_rmse_nm")
    figure = charts.score_curves(result, (*plain, "depth_rmse_nm" + steep, "lateral_rmse_nm" + steep), (ANGLE, DWELL))
    drawn = [{text.get_text() for text in ax.texts} for ax in figure.axes]
    assert drawn == [{f"{name}, ψ\u00a0>\u00a025°" for name in names}] * 6 + [names] * 4
    captions = [chart.caption for chart in charts.curve_charts(result)]
    assert any("parallax alone" in caption for caption in captions)
    assert any("contrast changes with depth" in caption for caption in captions) == (full is not None)


def test_a_condition_without_a_limit_has_no_line_there():
    """At the lowest angle or dose no line has a limit within the tolerance: the rest is drawn and named."""
    table = make_table()
    angle, dwell = (table["conditions"].map(json.loads).str[path] for path in (ANGLE, DWELL))
    table.loc[(angle == 2) | (dwell == 10), "depth_parallax_limit_nm"] = None
    (result,) = split(table)
    figure = charts.score_curves(result, ("depth_rmse_nm_psi_above_25",), (ANGLE, DWELL))
    assert [{text.get_text() for text in ax.texts} for ax in figure.axes] == [{"parallax", "limit"}] * 2
    drawn = [list(line.get_ydata()) for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert drawn[::2] == [pytest.approx([np.nan, *rest], nan_ok=True) for rest in ([np.nan] * 2, [5.0, 2.5])]  # a dose
    assert drawn[1::2] == [[0.5] * 3] * 2
    table["depth_parallax_limit_nm"] = None
    (result,) = split(table)
    figure = charts.score_curves(result, ("depth_rmse_nm",), (DWELL,))
    assert [text.get_text() for text in figure.axes[0].texts] == ["limit, ψ\u00a0>\u00a025°"]
    assert any("of 20 nm of line" in chart.caption for chart in charts.curve_charts(result))


def test_the_scale_of_a_map_has_the_mean_limit():
    """Where it lies within the colours, and says which it is."""
    table = make_table()
    table["depth_rmse_nm_visible"] = table["conditions"].map(json.loads).str[ANGLE].astype(float)  # 2 to 8 nm
    (result,) = split(table)
    figure = charts.heat_maps(result, "m", [(ANGLE, DWELL)])
    _, depth = (ax for ax in figure.axes if ax.get_label() == "<colorbar>")
    mean = (10 + 5 + 2.5) / 3
    assert [line.get_xdata()[0] for line in depth.lines] == pytest.approx([mean, mean])  # white under black
    assert depth.get_xlabel().split("\n") == [
        "depth RMSE (nm)", "mean parallax, ψ\u00a0>\u00a025°: 5.8", "mean limit, ψ\u00a0>\u00a025°: 0.5"
    ]  # fmt: skip
