"""Particles in .csv: exact, and one line for every fault."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from veristem.datasets import InputError, ParticleDispersion
from veristem.datasets.formats import read_particles
from veristem.datasets.formats.particles_csv import write_particles

HEADER = "x_nm,y_nm,z_nm,radius_nm\n"


@st.composite
def dispersions(draw):
    count = draw(st.integers(0, 6))
    return ParticleDispersion(
        draw(hnp.arrays(float, (count, 3), elements=st.floats(-1e300, 1e300))),
        draw(hnp.arrays(float, count, elements=st.floats(0, 1e300, exclude_min=True))),
        draw(hnp.arrays(float, 3, elements=st.floats(1e-3, 1e6))),
    )


@settings(deadline=None, max_examples=50)
@given(dispersions())
def test_particles_come_back_exactly(tmp_path_factory, particles):
    """Bit for bit, and pandas reads the same numbers."""
    path = tmp_path_factory.getbasetemp() / "p.csv"
    write_particles(path, particles)
    again = read_particles(path, particles.box_nm)
    for field in ("centers_nm", "radii_nm", "box_nm"):
        np.testing.assert_array_equal(getattr(again, field), getattr(particles, field))
    table = pd.read_csv(path, float_precision="round_trip")
    np.testing.assert_array_equal(table["radius_nm"], particles.radii_nm)


def test_the_box_ends_where_the_spheres_end(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(HEADER + "10,20,30,5\n40,10,-90,2\n", encoding="utf-8")
    np.testing.assert_array_equal(read_particles(path).box_nm, [42, 25, 35])
    np.testing.assert_array_equal(read_particles(path, [100, 100, 50]).box_nm, [100, 100, 50])
    path.write_text(HEADER + "-10,-20,-30,5\n", encoding="utf-8")
    np.testing.assert_array_equal(read_particles(path).box_nm, [10, 10, 10])


def test_tables_of_spreadsheets(tmp_path):
    """Another order, further columns, quotes, spaces, a byte order mark and Windows line ends."""
    path = tmp_path / "p.csv"
    text = '\ufeff"radius_nm", "x_nm",y_nm,z_nm,"what, else"\r\n 3 ,1,2,4,"a, b"\r\n\r\n'
    path.write_bytes(text.encode())
    particles = read_particles(path)
    np.testing.assert_array_equal(particles.centers_nm, [[1, 2, 4]])
    np.testing.assert_array_equal(particles.radii_nm, [3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header x_nm,y_nm,z_nm,radius_nm"),
        (HEADER, "no particle found"),
        ("x_nm,y_nm,radius_nm\n1,2,3\n", "line 1: column z_nm found 0 times"),
        ("x_nm,x_nm,y_nm,z_nm,radius_nm\n1,1,2,3,4\n", "line 1: column x_nm found 2 times"),
        ("x_nm;y_nm;z_nm;radius_nm\n1;2;3;4\n", "line 1: column x_nm found 0 times"),
        (HEADER + "1,2,3,4\n1,2,three,4\n", "line 3: 'three' found, a number allowed"),
        (HEADER + "1,2,nan,4\n", "line 2: nan found, a finite number allowed"),
        (HEADER + "\n1,2,3,-4\n", "line 3: radius_nm -4 found, a positive number allowed"),
        (HEADER + "1,2,3,0\n", "line 2: radius_nm 0 found"),
        (HEADER + "1,2,3\n", "line 2: 3 values found, 4 as in the header"),
        (HEADER + "1,2,,4\n", "line 2: 3 values found, 4 allowed"),
        (HEADER + "1,2,3,1e999\n", "line 2: 1e999 found, a finite number"),
    ],
)
def test_a_fault_is_one_line_that_names_its_line(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.csv, line ") as caught:
        read_particles(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00")
    for path, message in (
        (tmp_path / "p.csv", "not text"),
        (tmp_path / "no.csv", "No such file"),
        (tmp_path, "give a file"),
    ):
        with pytest.raises(InputError, match=message):
            read_particles(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"centers_nm": [[1, 2]]}, r"centers_nm: shape \(1, 2\)"),
        ({"centers_nm": [[1, 2, np.inf]]}, "centers_nm: inf found"),
        ({"radii_nm": [1, 2]}, r"radii_nm: shape \(2,\)"),
        ({"radii_nm": [0]}, "radii_nm: 0 found at index 0, positive"),
        ({"box_nm": [1, 1, -1]}, "box_nm: -1 found at index 2, positive"),
    ],
)
def test_dispersions_are_checked(changes, message):
    with pytest.raises(InputError, match=message):
        ParticleDispersion(**({"centers_nm": [[1, 2, 3]], "radii_nm": [1], "box_nm": [9, 9, 9]} | changes))
