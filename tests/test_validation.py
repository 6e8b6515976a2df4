"""Every check of docs/validation.md stays below its bound."""

from __future__ import annotations

import pytest
from validation import CHECKS
from validation.page import picture, write_page


@pytest.mark.parametrize("number", CHECKS)
def test_measured_is_below_its_bound(number):
    """The number of the page, measured again."""
    check = CHECKS[number]()
    assert check.number == number
    assert check.measured < check.bound


def test_page_has_a_row_a_section_and_a_small_picture(tmp_path):
    """One of each for every check, and pictures that a repository can carry."""
    check = CHECKS["1"]()
    text = write_page([check], tmp_path).read_text("utf-8")
    assert text.count(check.title) == 3
    assert (tmp_path / "validation" / "1.png").read_bytes() == picture(check)
    assert len(picture(check)) < 60_000
