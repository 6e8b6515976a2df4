"""A study of two doses, two seeds and two methods, of which one always fails, and the smallest recipe."""

from __future__ import annotations

import pandas as pd

from veristem.datasets.recipe import Recipe, Study
from veristem.datasets.results import TIMES

RECIPE = Recipe.from_table(
    {
        "recipe": {"name": "tiny", "seed": 5},
        "specimen": {
            "thickness_nm": 60.0,
            "field_nm": [96.0, 96.0],
            "relaxed_faces": False,
            "beams": 2,
            "diffuse": False,
            "network": {"density_per_m2": 3.0e14},
        },
        "scan": {"shape": [24, 24], "pixel_nm": 4.0},
        "microscope": {"detector": {"kind": "virtual", "radius_mrad": 4.0}},
    },
    "tiny",
)
STUDY = Study.model_validate(
    {
        "name": "two-doses",
        "recipe": "tiny",
        "methods": ["constant", "failing"],
        "seeds": 2,
        "axes": {"scan.dwell_us": [10, 500]},
    }
)


def timeless(table: pd.DataFrame) -> pd.DataFrame:
    """A table without its times."""
    return table.drop(columns=list(TIMES))
