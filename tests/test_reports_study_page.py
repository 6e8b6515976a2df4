"""The page of a study, `veristem report` and the files beside it."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tables import frame
from veristem.bench.metrics import metrics
from veristem.bench.pages.folder import write_folder_page
from veristem.datasets import InputError
from veristem.datasets.results import schema
from veristem.reports import charts, write_page
from veristem.reports.export import write_files
from veristem.reports.rows import split

ANGLE, DWELL, RADIUS = "microscope.detector.pair_angle_deg", "scan.dwell_us", "microscope.detector.radius_mrad"


def make_table(methods=("good", "poor"), angles=(2, 4, 8), dwells=(10, 100), seeds=3, radii=(15,), limit=None):
    """Made-up results in which a wide angle helps; every number but the axes is nonsense."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "study": "wide", "cell": f"{method}-{angle}-{dwell}-{radius}-{seed}", "recipe": "fake", "method": method,
            "conditions": json.dumps({ANGLE: angle, DWELL: dwell, RADIUS: radius}), "seed": seed, "tolerance_nm": 10.0,
            "f_score": f, "precision": f, "recall": f, "depth_rmse_nm": 20 / angle, "apls": f, "depth_limit_nm": limit,
            "version": "0.1.0",
        }
        for seed in range(seeds) for angle in angles for dwell in dwells for radius in radii for method in methods
        for f in [rng.uniform(0.8, 0.9) - 0.1 * (method == "poor")]
    ]  # fmt: skip
    return frame(rows)


def failing(table: pd.DataFrame, error="ValueError: nothing found") -> pd.DataFrame:
    """The same runs, all failed."""
    scores = dict.fromkeys(("f_score", "precision", "recall", "depth_rmse_nm", "apls"))
    return table.assign(error=error, failure="method", **scores)


def save(table: pd.DataFrame, folder):
    """results.parquet of a table."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema(metrics())), folder / "results.parquet")
    return folder


def written(folder, table) -> str:
    write_page(folder / "page.html", title="a study", table=table, facts={})
    return (folder / "page.html").read_text(encoding="utf-8")


@pytest.fixture
def study_folder(tmp_path, simulated):
    """A study with study.json and one of its two examples."""
    table = make_table()
    best = table.loc[table["f_score"].idxmax(), "cell"]
    shutil.copytree(simulated, tmp_path / "examples" / best)
    facts = {
        "command": "veristem study wide -o here", "study": {"name": "wide", "methods": ["good", "poor"], "zip": []},
        "recipe": {"recipe": {"name": "fake"}}, "versions": {"numpy": "9.9"}, "machine": {"cores": "4"}, "wall_s": 12.5,
    }  # fmt: skip
    (tmp_path / "study.json").write_text(json.dumps(facts), encoding="utf-8")
    return save(table, tmp_path)


def test_page_of_a_study_has_its_parts_in_order(study_folder):
    page = write_folder_page(study_folder, study_folder / "page.html").read_text(encoding="utf-8")
    own = page.split('<script type="application/json"')[0]
    parts = ["methods", "curves", "maps", "run-1", "table", "meanings", "run"]
    found = [own.index(f'id="{part}"') for part in parts]
    assert found == sorted(found)
    assert "<h1>Study wide</h1>" in own
    assert "which 3 seeds cannot tell from chance" in own
    assert "The best run" in own
    assert "The worst run" not in own  # its files are not there
    assert re.search(r"good, stereo angle \d°, dwell time \d+ µs, detector radius 15 mrad, seed \d", own)
    for known in ("veristem study wide -o here", "9.9", "12.5"):
        assert known in own
    assert not re.search(r"(src|href)=\"(?!data:|#)", own)


def test_page_of_one_run(tmp_path):
    own = written(tmp_path, make_table(("good",), (8,), (10,), 1))
    assert "1 run, 1 condition, 1 seed; no condition was varied" in own
    assert 'id="scenes"' not in own  # no viewer where there is nothing to turn
    assert not re.search(r"\bnan\b", own)


def test_page_of_failures_alone(tmp_path):
    own = written(tmp_path, failing(make_table()))
    assert "Failed runs: 36 of 36" in own
    assert re.search(
        r"<th scope=\"row\">ValueError: nothing found</th><td class=\"n\">18</td><td>good</td><td>method<", own
    )


@pytest.mark.slow
def test_page_of_five_thousand_runs_stays_small(tmp_path):
    table = make_table(("good",), range(2, 27), range(10, 60, 2), 4, (5, 15))
    assert len(table) == 5000
    own = written(tmp_path, table)
    assert len(own) < 10e6
    assert "1,250 conditions are too many to list here" in own


def test_a_known_limit_is_drawn_under_the_depth_error():
    for limit, drawn in ((1.5, 1), (None, 0)):
        figure = charts.score_curves(split(make_table(limit=limit))[0], ("depth_rmse_nm",), (ANGLE,))
        assert [text.get_text() for text in figure.axes[0].texts] == ["limit, ψ\u00a0>\u00a025°"] * drawn


def test_limits_of_a_row_show_every_column():
    """Columns share their scale: it must hold the errors of all of them."""
    table = make_table(("good",))
    table["depth_rmse_nm"] = [200.0 if json.loads(c)[DWELL] == 10 else 1.0 for c in table["conditions"]]
    figure = charts.score_curves(split(table)[0], ("depth_rmse_nm",))
    assert all(ax.get_ylim()[1] >= 200 for ax in figure.axes)


def test_conditions_without_a_score_keep_their_place():
    """At the lowest angle nothing was found: its depth error is missing there, not moved."""
    table = make_table(("good",))
    table.loc[table["conditions"].str.contains('deg": 2,'), "depth_rmse_nm"] = None
    (result,) = split(table)
    for axes in ((ANGLE, DWELL), (ANGLE,)):
        figure = charts.score_curves(result, ("f_score", "depth_rmse_nm"), axes)
        upper, lower = figure.axes[0], figure.axes[len(axes)]
        assert lower.get_xlim() == upper.get_xlim()
        assert lower.get_xlim()[0] < 2


def test_maps_show_pairs_of_free_axes(tmp_path):
    """Axes that change together have no map; a cell without a run has no number, and the best one is framed."""
    table = make_table(("good",), radii=(5, 15)).iloc[2:]
    result = split(
        table[~((table["conditions"].str.contains('deg": 2,')) & (table["conditions"].str.contains("10,")))]
    )[0]
    assert len(charts.axis_pairs(result)) == 3
    figure = charts.heat_maps(result, "good", [(ANGLE, DWELL)])
    depth = figure.axes[1]
    assert depth.get_xlabel() == "stereo angle (deg)"
    assert len(depth.texts) == 5
    frame = depth.patches[-1].get_xy()
    assert frame[0] == 1.5  # 8 degrees
    together = make_table(("good",), dwells=(10,))
    together["conditions"] = [
        json.dumps({ANGLE: a, DWELL: 2 * a}) for a in (json.loads(c)[ANGLE] for c in together["conditions"])
    ]
    assert charts.axis_pairs(split(together)[0]) == []


def test_letters_are_large_enough_in_print():
    """At 17 cm the smallest letters have 7 points or more."""
    for chart in charts.study_charts(split(make_table(radii=(5, 15)))[0]):
        scale = 17 / 2.54 / max(chart.figure.get_size_inches()[0], 17 / 2.54)
        chart.figure.draw_without_rendering()
        sizes = [t.get_fontsize() for t in chart.figure.findobj(lambda a: hasattr(a, "get_fontsize")) if t.get_text()]
        assert min(sizes) * scale >= 7


@pytest.mark.slow
def test_files_beside_the_page(study_folder, cli):
    ended = cli("report", study_folder, "--format", "svg,csv")
    assert ended.code == 0
    files = {path.name for path in (study_folder / "figures").iterdir()}
    assert {"results.csv", "summary.csv", "the-best-run-pair.svg", "the-best-run-depth.svg"} <= files
    assert "wide-curves-chief-f_score-pair_angle_deg.svg" in files
    assert len(pd.read_csv(study_folder / "figures" / "results.csv")) == 36
    assert len(pd.read_csv(study_folder / "figures" / "summary.csv")) == 12


def test_pictures_for_print_have_300_dots_an_inch(tmp_path):
    from PIL import Image

    table = make_table(("good",), dwells=(10,))
    files = write_files(tmp_path, ["png"], [], table)
    assert len(files) == len(list(charts.study_charts(split(table)[0])))
    assert {Image.open(file).size[0] for file in files} <= {round(300 * charts.WIDTH_IN), round(300 * 4.2)}


@pytest.mark.parametrize(
    ("prepare", "arguments", "said"),
    [
        (lambda folder: None, (), "neither acquisition.h5 nor results.parquet"),
        (lambda folder: save(make_table(), folder), ("--format", "pdf"), "'pdf' found, allowed are png, svg, csv"),
        (lambda folder: (folder / "results.parquet").write_bytes(b"PAR1 no"), (), "not a readable parquet table"),
        (lambda folder: make_table().drop(columns="failure").to_parquet(folder / "results.parquet"), (), "'failure'"),
        (lambda folder: save(make_table().iloc[:0], folder), (), "no rows found"),
        (lambda folder: (save(make_table(), folder) / "study.json").write_text("{"), (), "study.json"),
    ],
)
def test_what_cannot_be_reported_is_said_in_one_line(tmp_path, cli, prepare, arguments, said):
    prepare(tmp_path)
    ended = cli("report", tmp_path, *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_without_a_truth_residuals_stand_in(simulated, tmp_path):
    """Curves on the images: coloured by residual, with a table and its caveat; csv needs a table of results."""
    from veristem.bench.pages.folder import make_scene
    from veristem.datasets.formats.acquisition_h5 import read_acquisition
    from veristem.datasets.formats.vtp import write_vtp
    from veristem.recon.methods import run_method

    acquisition = read_acquisition(simulated / "acquisition.h5")
    curves = run_method("stereo-classical", acquisition)
    assert make_scene(acquisition, curves, None, "m", 10.0).shade.label == "residual (pixels)"
    shutil.copy(simulated / "acquisition.h5", tmp_path)
    write_vtp(tmp_path / "reconstruction.vtp", curves)
    page = write_folder_page(tmp_path, tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'id="residuals"' in page
    assert "this does not prove that its depths are right" in page
    assert "A small residual does not prove a right depth" in page
    with pytest.raises(InputError, match="which csv is made of"):
        write_folder_page(tmp_path, tmp_path / "page.html", formats=["csv"])


def test_one_wide_bar_does_not_squeeze_a_panel():
    """Limits are those of the means and usual bars; the wide one ends in an arrowhead at the edge."""
    from veristem.reports.bars import Bars, fit_bars, mark_clipped
    from veristem.reports.figures import new_figure

    _, grid = new_figure((3, 2), 1, 1)
    ax = grid[0][0]
    at, mean, half = [1.0, 2.0, 3.0, 4.0], np.array([4.0, 5.0, 6.0, 5.0]), np.array([0.5, 0.6, 0.5, 300.0])
    ax.errorbar(at, mean, half)
    drawn = [Bars(at, mean, mean - half, mean + half, "k", ax.transData)]
    assert ax.get_ylim()[1] > 200
    fit_bars(ax, drawn)
    assert ax.get_ylim()[1] < 10
    before = len(ax.get_lines())
    mark_clipped(ax, drawn)
    marks = ax.get_lines()[before:]
    assert [(list(line.get_xdata()), line.get_ydata()[0]) for line in marks] == [([4.0], y) for y in ax.get_ylim()]
    fit_bars(ax, [Bars(at, mean, mean - 0.5, mean + 0.5, "k", ax.transData)])
    assert ax.get_ylim()[0] < 3.5
    assert ax.get_ylim()[1] > 6.5
