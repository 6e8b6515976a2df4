"""Points found in .csv: exact, and one line for every fault."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from veristem.datasets import InputError, PointSet
from veristem.datasets.formats import read_points, write

HEADER = "x_nm,y_nm,z_nm\n"
COVARIANCE = "cov_xx_nm2,cov_xy_nm2,cov_xz_nm2,cov_yy_nm2,cov_yz_nm2,cov_zz_nm2"


@st.composite
def point_sets(draw):
    """Points of which anything but the place may be unknown."""
    count = draw(st.integers(0, 5))

    def column(*shape, **limits):
        known = st.floats(**limits, allow_nan=False)
        return draw(hnp.arrays(float, (count, *shape), elements=st.one_of(known, st.just(np.nan))))

    root = column(3, 3, min_value=-1e8, max_value=1e8)
    return PointSet(
        draw(hnp.arrays(float, (count, 3), elements=st.floats(-1e9, 1e9))),
        root @ np.swapaxes(root, 1, 2),
        column(min_value=1e-300, max_value=1e9),
        draw(hnp.arrays(int, count, elements=st.integers(0, 9))),
        column(min_value=0, max_value=1),
    )


@settings(deadline=None, max_examples=50)
@given(point_sets())
def test_points_come_back_exactly(tmp_path_factory, points):
    """Bit for bit, nothing known and no points included, and pandas reads the same numbers."""
    path = tmp_path_factory.getbasetemp() / "points.csv"
    lower = np.tril(points.covariance_nm2)
    points = PointSet(
        points.points_nm,
        lower + np.swapaxes(np.tril(lower, -1), 1, 2),  # rounding left it not quite symmetric
        points.radii_nm,
        points.views,
        points.ambiguity,
    )
    write(path, points)
    again = read_points(path)
    for field in fields(points):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(points, field.name))
    table = pd.read_csv(path, float_precision="round_trip")
    np.testing.assert_array_equal(table["ambiguity"].to_numpy(float), points.ambiguity)
    np.testing.assert_array_equal(table["views"].to_numpy(int), points.views)


def test_a_header_alone_is_an_empty_result(tmp_path):
    """A method may find nothing; it must not be taken for a damaged file."""
    path = tmp_path / "p.csv"
    write(path, PointSet(np.zeros((0, 3))))
    assert path.read_text(encoding="utf-8") == f"x_nm,y_nm,z_nm,radius_nm,{COVARIANCE},views,ambiguity\n"
    assert read_points(path).points_nm.shape == (0, 3)


def test_three_columns_are_enough(tmp_path):
    """A program of anyone: any order, further columns, and what it does not know left out or empty."""
    path = tmp_path / "p.csv"
    path.write_text("z_nm,name,x_nm,y_nm,radius_nm,views\n3,a,1,2,,\n6,b,4,5,2.5,4.0\n", encoding="utf-8")
    points = read_points(path)
    np.testing.assert_array_equal(points.points_nm, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(points.radii_nm, [np.nan, 2.5])
    np.testing.assert_array_equal(points.views, [0, 4])
    assert np.isnan(points.covariance_nm2).all()
    assert np.isnan(points.ambiguity).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header x_nm,y_nm,z_nm"),
        ("x_nm,y_nm\n1,2\n", "line 1: column z_nm found 0 times"),
        ("x_nm,y_nm,z_nm,views,views\n1,2,3,4,4\n", "line 1: column views found 2 times"),
        (HEADER + "1,2\n", "line 2: 2 values found, 3 as in the header"),
        (HEADER + "1,2,3\n1,2,\n", "line 3: 0 values found, 1 allowed (z_nm)"),
        (HEADER + "1,2,nan\n", "line 2: nan found, a finite number allowed (z_nm)"),
        (HEADER + "1,2,deep\n", "line 2: 'deep' found, a number allowed (z_nm)"),
        ("x_nm,y_nm,z_nm,radius_nm\n1,2,3,inf\n", "line 2: inf found, a finite number allowed (radius_nm)"),
        ("x_nm,y_nm,z_nm,radius_nm\n1,2,3,0\n", "line 2: radius_nm 0 found, a positive number"),
        ("x_nm,y_nm,z_nm,views\n1,2,3,4\n\n1,2,3,2.5\n", "line 4: views 2.5 found, a whole number"),
        ("x_nm,y_nm,z_nm,views\n1,2,3,-1\n", "line 2: views -1 found"),
        ("x_nm,y_nm,z_nm,views\n1,2,3,1e300\n", "line 2: 1e300 found, at most 1e+30 allowed (views)"),
        ("x_nm,y_nm,z_nm,ambiguity\n1,2,3,1.5\n", "line 2: ambiguity 1.5 found, a probability from 0 to 1"),
        ("x_nm,y_nm,z_nm,cov_zz_nm2\n1,2,3,-4\n", "line 2: cov_zz_nm2 -4 found, 0 or more"),
        (f"x_nm,y_nm,z_nm,{COVARIANCE}\n1,2,3,1,2,0,1,0,1\n", "without negative eigenvalues"),
        (f"x_nm,y_nm,z_nm,{COVARIANCE}\n1,2,3,1e18,1e18,0,1e17,0,1\n", "without negative eigenvalues"),
        (f"x_nm,y_nm,z_nm,{COVARIANCE}\n1,2,3,1e20,2e20,0,1e20,0,1\n", "cov_xx_nm2 1e+20 found, at most 1e+18"),
    ],
)
def test_a_fault_is_one_line_that_names_its_line(tmp_path, text, message):
    """What a method wrote is not trusted."""
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.csv, line ") as caught:
        read_points(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
