"""The page of chapter 6 beside known truth says what its rows say."""

from __future__ import annotations

import shutil

from scripts import ROOT, script

FOLDER = ROOT / "reports/published/particles-thesis"


def test_the_page_is_that_of_its_rows(tmp_path):
    """Nothing in it is written by hand: made anew of the tables that lie there it is the same, to the last digit."""
    answers = script("reports/published/particles-thesis/answers.py")
    for name in ("rows.csv", "curves.csv"):
        shutil.copy(FOLDER / name, tmp_path)
    page = answers.write_page(tmp_path)
    assert page.read_text("utf-8") == (FOLDER / "README.md").read_text("utf-8")


def test_depths_are_compared_with_true_ones():
    """A slope of depths is found though some particles stand over others."""
    import numpy as np

    make = script("reports/published/particles-thesis/make.py")
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 200, (200, 3))
    found = true * [1, 1, 1.2] - [0, 0, 0.2 * 100]
    found[:20, 2] = rng.uniform(0, 200, 20)
    assert abs(make.depth_slope(found, true, 100.0) - 1.2) < 0.02
