"""The checks of docs/validation.md that are quick stay below their bounds; `make validation` measures all."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from scripts import script
from validation import CHECKS

page = script("docs/validation/make.py")
# more than 2 s of processor time each: by command only
SLOW = {
    "3a", "3b", "5a", "5b", "5c", "9", "10a", "11", "12a", "16",
    "18b", "18c", "18d", "20b", "22a", "22b", "23a", "23b", "23c", "24a", "24b",
}  # fmt: skip


def test_slow_ones_are_checks():
    """A renamed check does not stay out of both."""
    assert CHECKS.keys() >= SLOW


@pytest.mark.parametrize("number", [number for number in CHECKS if number not in SLOW])
def test_measured_is_below_its_bound(number):
    """The number of the page, measured again."""
    check = CHECKS[number]()
    assert check.number == number
    assert check.measured < check.bound


def test_page_has_a_row_a_section_and_a_small_picture(tmp_path):
    """One of each for every check, and pictures that a repository can carry."""
    check = CHECKS["1"]()
    text = page.write_page([check], tmp_path).read_text("utf-8")
    assert text.count(check.title) == 3
    assert (tmp_path / "validation" / "1.png").read_bytes() == page.picture(check)
    assert len(page.picture(check)) < 60_000


def test_one_check_leaves_the_others_on_the_page(tmp_path):
    """--only used to drop all others from the page."""
    first, second = CHECKS["1"](), CHECKS["2"]()
    whole = page.write_page([first, second], tmp_path).read_text("utf-8")
    assert page.write_page([second], tmp_path).read_text("utf-8") == whole
    worse = page.write_page([replace(second, bound=0.0)], tmp_path).read_text("utf-8")
    assert worse.count(first.title) == 3
    assert worse.count("**not met**") == 1


@pytest.mark.parametrize(("bound", "code"), [(1.0, 0), (0.0, 1), (float("nan"), 1)])
def test_the_command_fails_where_a_bound_is_not_met(bound, code, monkeypatch, tmp_path):
    """It is the only one that measures the slow checks, so `make validation` has to tell."""
    monkeypatch.setattr(page, "CHECKS", {"2": lambda: replace(CHECKS["2"](), bound=bound)})
    monkeypatch.setattr(sys, "argv", ["make.py", "-o", str(tmp_path)])
    assert page.main() == code
    assert ("**not met**" in (tmp_path / "validation.md").read_text("utf-8")) == bool(code)
