"""Particles in .csv and .xyz: exact, and one line for every fault."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from veristem.datasets import InputError, ParticleDispersion
from veristem.datasets.formats import read_particles, write

HEADER = "x_nm,y_nm,z_nm,radius_nm\n"
KEYS = 'Lattice="100 0 0 0 200 0 0 0 300" Properties=species:S:1:pos:R:3:radius:R:1 pbc="F F F"\n'
PLAIN = "Properties=species:S:1:pos:R:3\n"


@st.composite
def dispersions(draw):
    count = draw(st.integers(0, 6))
    return ParticleDispersion(
        draw(hnp.arrays(float, (count, 3), elements=st.floats(-1e9, 1e9))),
        draw(hnp.arrays(float, count, elements=st.floats(0, 1e9, exclude_min=True))),
        draw(hnp.arrays(float, 3, elements=st.floats(1e-3, 1e6))),
    )


@settings(deadline=None, max_examples=50)
@given(dispersions())
def test_particles_come_back_exactly(tmp_path_factory, particles):
    """Bit for bit, through Angstrom too, and pandas reads the same numbers."""
    for name, box_nm in (("p.csv", particles.box_nm), ("p.xyz", None)):
        path = tmp_path_factory.getbasetemp() / name
        write(path, particles)
        again = read_particles(path, box_nm)
        for field in ("centers_nm", "radii_nm", "box_nm"):
            np.testing.assert_array_equal(getattr(again, field), getattr(particles, field))
    path = tmp_path_factory.getbasetemp() / "p.csv"
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
        ("x_nm;y_nm;z_nm;radius_nm\n1,5;2;3;4\n", "found 0 times in 'x_nm;y_nm;z_nm;radius_nm', once allowed"),
        (
            "x_nm;y_nm;z_nm;radius_nm\n1,5;2;3;4\n",
            "Its columns stand between semicolons: save it with commas, and with",
        ),
        ("x_nm\ty_nm\tz_nm\tradius_nm\n", "between tabs"),
        ("x_nm y_nm z_nm radius_nm\n", "between spaces"),
        (",z,y,x,mass\n0,1,2,3,4\n", "in ',z,y,x,mass', once allowed"),
        (",z,y,x,mass\n0,1,2,3,4\n", "those of trackpy are in pixels, to be multiplied by their size"),
        (HEADER + "1,5,2,5,3,5,4,5\n", "line 2: 8 values found, 4 as in the header allowed; decimal commas?"),
        (HEADER + "1_000,2,3,4\n", "line 2: '1_000' found, a number allowed"),
        (HEADER + "1,2,3,1e300\n", "line 2: 1e300 found, at most 1e+30 allowed (radius_nm)"),
        (HEADER + "1,2,3,1e10\n", "radii_nm: 1e+10 nm found at index (0,), at most 1e+09 nm allowed"),
        (HEADER + "1,2,3,4\n1,2,three,4\n", "line 3: 'three' found, a number allowed"),
        (HEADER + "1,2,nan,4\n", "line 2: nan found, a finite number allowed"),
        (HEADER + "\n1,2,3,-4\n", "line 3: radius_nm -4 found, a positive number allowed"),
        (HEADER + "1,2,3,0\n", "line 2: radius_nm 0 found"),
        (HEADER + "1,2,3\n", "line 2: 3 values found, 4 as in the header"),
        (HEADER + "1,2,,4\n", "line 2: 0 values found, 1 allowed (z_nm)"),
        (HEADER + "1 2,,3,4\n", "line 2: 2 values found, 1 allowed (x_nm)"),
        (HEADER + "1,2,3," + "4" * 200_000 + "\n", "line 2: field larger than field limit"),
        (HEADER + "1,2,3,1e999\n", "line 2: 1e999 found, a finite number"),
    ],
)
def test_a_fault_is_one_line_that_names_its_line(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.csv(, line|:) ") as caught:
        read_particles(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_ase(tmp_path):
    """Keys and columns that are not ours, in Angstrom."""
    path = tmp_path / "p.xyz"
    path.write_text(
        '2\nLattice="10 0.0 0 0 20 0 0 0 30.0" Properties=id:I:1:species:S:1:forces:R:3:pos:R:3:radius:R:1:fixed:L:1 '
        'energy=-1.5 note="a b" pbc="T T F"\n1 Au 0 0 0 1 2 3.5 4 T\n2 Ag 0 0 0 5 6 7 8 F\n',
        encoding="utf-8",
    )
    particles = read_particles(path)
    np.testing.assert_array_equal(particles.centers_nm, [[0.1, 0.2, 0.35], [0.5, 0.6, 0.7]])
    np.testing.assert_array_equal(particles.radii_nm, [0.4, 0.8])
    np.testing.assert_array_equal(particles.box_nm, [1, 2, 3])


def test_files_without_radii(tmp_path):
    """A radius given by hand stands in, of a .csv too; without Lattice the box ends where the spheres end."""
    for name, text in (
        ("p.csv", "x_nm,y_nm,z_nm\n1,2,3\n"),
        ("a.xyz", f"1\n{PLAIN}Au 10 20 30\n"),
        ("b.xyz", "1\n\nAu 10 20 30\n"),
        ("c.xyz", "1\na comment\nAu 10 20 30\n"),
    ):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        particles = read_particles(path, radius_nm=2.5)
        np.testing.assert_array_equal(particles.centers_nm, [[1, 2, 3]])
        np.testing.assert_array_equal(particles.radii_nm, [2.5])
        np.testing.assert_array_equal(particles.box_nm, [5, 5, 5.5])
        with pytest.raises(InputError, match="radius"):
            read_particles(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 0: end of file found, the number of particles allowed"),
        ("two\n", "line 1: 'two' found, a whole number from 0 on"),
        ("-1\n", "line 1: '-1' found"),
        ("2\n" + KEYS + "Au 1 2 3 4\n", "line 3: 1 lines of particles found, 2 as in the first line allowed"),
        ("1\n" + KEYS + "Au 1 2 3 4\nAu 1 2 3 4\n", "line 4: 2 lines of particles found, 1 as in"),
        ("99999999999999999999\n" + KEYS + "Au 1 2 3 4\n", "1 lines of particles found, 99999999999999999999"),
        ("9" * 5000 + "\n" + KEYS, "line 1: '999"),
        ("0\n" + KEYS.replace("Lattice", "lattices"), "no particle and no Lattice found"),
        ("1\nnothing\nAu 1 2 3\n", "line 2: no Properties found: a plain .xyz has no radii; Properties=species:S:1"),
        ("1\n" + PLAIN + "Au 1 2 3\n", "line 2: Properties=species:S:1:pos:R:3 found, once radius:R:1 allowed"),
        ("1\nProperties=species:S:1:radius:R:1\nAu 1\n", "once pos:R:3 allowed"),
        ("1\nProperties=pos:S:3:radius:R:1\n1 2 3 4\n", "once pos:R:3 allowed"),
        ("1\nProperties=pos:R:3:radius:R:1:radius:R:1\n1 2 3 4 5\n", "once radius:R:1 allowed"),
        ("1\nProperties=pos:R:3:radius\n1 2 3 4\n", "name:type:count for each allowed"),
        ("1\nProperties=pos:R:3:radius:R:1:x:R:99999999999\n1 2 3 4\n", "name:type:count for each allowed"),
        ("1\n" + KEYS + "Au 1 2 3\n", "line 3: 4 values found, 5 as in Properties"),
        ("1\n" + KEYS + "Au 1 2 nan 4\n", "line 3: nan found, a finite number"),
        ("1\n" + KEYS + "Au 1 2 three 4\n", "line 3: 'three' found, a number"),
        ("1\n" + KEYS + "Au 1 2 3 0\n", "line 3: radius 0 found, a positive number"),
        ("1\n" + KEYS.replace("100", "-100") + "Au 1 2 3 4\n", 'line 2: Lattice="-100 0 0'),
        ("1\n" + KEYS.replace("100 0", "100 1") + "Au 1 2 3 4\n", "along x, y and z allowed"),
        ("1\n" + KEYS.replace("100", "inf") + "Au 1 2 3 4\n", "line 2: inf found"),
        ("1\n" + KEYS.replace("100 ", "") + "Au 1 2 3 4\n", "line 2: 8 values found, 9 allowed (Lattice)"),
    ],
)
def test_faults_of_xyz(tmp_path, text, message):
    """Each is one line that names the file and its line, and no number in the file sets memory aside."""
    path = tmp_path / "p.xyz"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.xyz, line ") as caught:
        read_particles(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_long_comments_are_read_in_a_child_that_ends(tmp_path):
    """The search for keys began anew at each letter: half a minute for 200 000 of them, now a hundredth of a second."""
    comments = ["x" * 200_000, "a " * 100_000, " = " * 70_000, 'a="' * 70_000, "a" + " " * 200_000]
    for k, comment in enumerate(comments):
        (tmp_path / f"{k}.xyz").write_text(f"1\n{comment}.\nAu 10 20 30\n", encoding="utf-8")
    program = "from veristem.datasets.formats import *\nfor k in range(5): read_particles(f'{k}.xyz', radius_nm=1)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30, cwd=tmp_path)


def test_a_cut_xyz(tmp_path):
    """Cut anywhere but within the last number, it is refused."""
    path = tmp_path / "p.xyz"
    write(path, ParticleDispersion(np.arange(30.0).reshape(10, 3), np.full(10, 2.25), [40, 40, 40]))
    text = path.read_text(encoding="utf-8")
    for end in range(0, len(text) - len("22.5\n"), 7):
        path.write_text(text[:end], encoding="utf-8")
        with pytest.raises(InputError, match=r"p\.xyz, line "):
            read_particles(path)


def test_other_suffixes():
    """The error says which are allowed."""
    one = ParticleDispersion([[1.0, 1, 1]], [1.0], [2.0, 2, 2])
    for use in (lambda: read_particles("p.txt"), lambda: write("p.txt", one)):
        with pytest.raises(InputError, match=r"p\.txt: suffix '\.txt' found, particles as \.csv.* or \.\w+ allowed"):
            use()


def test_from_one_format_to_the_other(tmp_path, cli):
    """`veristem convert` there and back: the same bytes."""
    path = tmp_path / "p.csv"
    path.write_text(HEADER + "1.0,0.1,30.0,2.25\n", encoding="utf-8")
    for source, target in (("p.csv", "p.xyz"), ("p.xyz", "q.csv")):
        ended = cli("convert", tmp_path / source, tmp_path / target)
        assert ended.code == 0, ended.err
    assert (tmp_path / "q.csv").read_text(encoding="utf-8") == path.read_text(encoding="utf-8")
    ended = cli("convert", path, tmp_path / "p.vtp")
    assert ended.code
    assert "(.csv .xyz) to .csv or .xyz" in re.sub(r"\s+", " ", ended.err)


def test_files_that_cannot_be_read(tmp_path):
    """No text, not there, and a folder."""
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.csv").mkdir()
    for path, message in (
        (tmp_path / "p.csv", "not text"),
        (tmp_path / "no.csv", "No such file"),
        (tmp_path / "folder.csv", "a folder found, a regular file allowed"),
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
