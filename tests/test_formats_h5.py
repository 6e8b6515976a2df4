"""acquisition.h5 and truth.h5: exact, documented, apart from each other, and clear on damage."""

import re
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from veristem.datasets import InputError, ParticleDispersion, ParticleTruth
from veristem.datasets.formats.acquisition_h5 import read_acquisition, write_acquisition
from veristem.datasets.formats.truth_h5 import read_truth, write_truth
from veristem.datasets.geometry import Region

REGIONS = (Region((0.07, 0.001), 0.02), Region((-0.07, 0.0), 0.03, 0.01, 0.5, 1.25))


@pytest.fixture
def particle_truth(truth) -> ParticleTruth:
    """Two spheres, one beyond the field, in the images of `truth`."""
    particles = ParticleDispersion([[10.0, 20.0, 30.0], [-1.0, 5.0, 0.1]], [2.25, 2.5], [40.0, 32.0, 178.0])
    images = {f.name: getattr(truth, f.name) for f in fields(ParticleTruth) if f.name != "particles"}
    return ParticleTruth(particles=particles, **images)


def names(path) -> tuple[set[str], set[str]]:
    """Datasets and root attributes of a file."""
    found = set()
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.add(f"/{name}") if isinstance(item, h5py.Dataset) else None)
        return found, set(file.attrs)


def remade(file, name, **options):
    """Put another dataset in place of one."""
    del file[name]
    file.create_dataset(name, **options)


def test_acquisition_comes_back_exactly(tmp_path, acquisition):
    """Every field, given or not; and the same data make the same bytes."""
    bare = replace(acquisition, **{f.name: None for f in fields(acquisition) if f.default is None})
    for value in (acquisition, bare, replace(acquisition, regions=REGIONS, kind="particles")):
        write_acquisition(tmp_path / "a.h5", value)
        write_acquisition(tmp_path / "b.h5", value)
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
        again = read_acquisition(tmp_path / "a.h5")
        for field in fields(value):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(value, field.name))
        assert again.id == value.id


def test_a_file_made_by_another_program(tmp_path, acquisition):
    """Matlab and C write texts of fixed length and numbers as arrays of one float64: they are read alike."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["schema"] = np.bytes_("veristem-acquisition")
        file.attrs["material"] = np.bytes_("Al")
        file.attrs["g"] = np.array([[0.0, 0.0, 2.0]])
        for name, value in (("schema_version", 1), ("pixel_nm", 2), ("focus_nm", 100)):
            file.attrs[name] = np.array([value], float)
        file["views"] = acquisition.views.astype(float)
        file["directions_rad"] = acquisition.directions_rad
    again = read_acquisition(tmp_path / "m.h5")
    assert (again.id, again.material, again.pixel_nm, again.focus_nm) == (acquisition.id, "Al", 2.0, 100.0)
    np.testing.assert_array_equal(again.g, [0, 0, 2])


def test_truth_comes_back_exactly(tmp_path, truth):
    """Every field and the network within."""
    boxed = replace(truth.network, box_nm=[[0, 0, 0], [9, 9, 9]], plane_normals=np.eye(3))
    for value in (truth, replace(truth, network=boxed), replace(truth, steady=truth.expected)):
        write_truth(tmp_path / "t.h5", value)
        again = read_truth(tmp_path / "t.h5")
        for field in fields(value):
            if field.name != "network":
                np.testing.assert_array_equal(getattr(again, field.name), getattr(value, field.name))
        for field in fields(value.network):
            np.testing.assert_array_equal(getattr(again.network, field.name), getattr(value.network, field.name))


def test_truth_of_particles_comes_back_exactly(tmp_path, particle_truth):
    """The group in the file tells its kind; a film without particles is one too."""
    empty = replace(particle_truth, particles=particle_truth.particles.where(np.zeros(2, bool)))
    for value in (particle_truth, empty):
        write_truth(tmp_path / "t.h5", value)
        again = read_truth(tmp_path / "t.h5")
        assert isinstance(again, ParticleTruth)
        for whole, part in ((again, value), (again.particles, value.particles)):
            for field in fields(part):
                if field.name != "particles":
                    np.testing.assert_array_equal(getattr(whole, field.name), getattr(part, field.name))


def test_an_acquisition_without_a_kind_is_of_lines(tmp_path, acquisition):
    """Files of version 1 were written before there were particles."""
    write_acquisition(tmp_path / "a.h5", acquisition)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file.attrs["kind"]
    assert read_acquisition(tmp_path / "a.h5").kind == "dislocations"


def test_acquisition_holds_nothing_of_the_truth(tmp_path, acquisition, truth):
    """A reconstruction could otherwise look it up: no name and no number of the truth stands in the file."""
    write_acquisition(tmp_path / "a.h5", acquisition)
    write_truth(tmp_path / "t.h5", truth)
    datasets, attributes = names(tmp_path / "a.h5")
    assert not (datasets & names(tmp_path / "t.h5")[0]) - {"/directions_rad"}
    assert attributes <= {"schema", "schema_version", "id"} | {f.name for f in fields(acquisition)}
    assert read_acquisition(tmp_path / "a.h5").directions_rad[0, 0] != truth.directions_rad[0, 0]
    content = (tmp_path / "a.h5").read_bytes()
    assert b"seed" not in content
    assert b"987654321" not in content


def test_documentation_lists_what_is_written(tmp_path, acquisition, truth, particle_truth):
    """docs/files.md against files with every optional part: Matlab and C++ users have nothing else."""
    text = (Path(__file__).parents[1] / "docs/files.md").read_text(encoding="utf-8")
    tilted = replace(acquisition, regions=REGIONS, tilts_rad=np.array([-0.1, 0.1]), tilt_axis_rad=0.5)
    write_acquisition(tmp_path / "acquisition.h5", tilted)
    full = replace(truth.network, box_nm=[[0, 0, 0], [9, 9, 9]], plane_normals=np.eye(3))
    maps = np.zeros((len(truth.expected), 2, 3)) + np.eye(2, 3)
    optional = {"to_image": maps, "contrast_directions_rad": truth.directions_rad, "steady": truth.expected}
    write_truth(tmp_path / "truth.h5", replace(truth, network=full, **optional))
    write_truth(tmp_path / "particles.h5", particle_truth)
    with h5py.File(tmp_path / "particles.h5") as particles, h5py.File(tmp_path / "truth.h5", "a") as lines:
        particles.copy("particles", lines)
    for name in ("acquisition.h5", "truth.h5"):
        section = text.split(f"## {name}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| `([^`]+)` \|([^|]*)\|([^|]*)\|", section, re.MULTILINE)
        documented = {row[0] for row in rows}
        datasets, attributes = names(tmp_path / name)
        assert documented == datasets | attributes
        with h5py.File(tmp_path / name) as file:
            for key, shape, kind in rows:
                item = file[key] if key.startswith("/") else file.attrs[key]
                assert len(np.shape(item)) == (len(shape.split(",")) if shape.strip() else 0), key
                if kind.strip() != "text":
                    assert np.dtype(getattr(item, "dtype", type(item))) == kind.strip(), key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("views"), "no dataset views found"),
        (lambda f: f.attrs.__delitem__("pixel_nm"), "attribute pixel_nm: nothing found, a finite number allowed"),
        (lambda f: f.attrs.modify("pixel_nm", -1.0), "pixel_nm: -1.0 found, a positive number"),
        (lambda f: f.attrs.modify("focus_nm", np.nan), "attribute focus_nm: nan found"),
        (lambda f: f.attrs.update(focus_nm="deep"), "attribute focus_nm: deep found"),
        (lambda f: f.attrs.create("g", [0.0, 2.0]), r"attribute g: \[0. 2.\] found, 3 finite numbers"),
        (lambda f: f.attrs.modify("schema", "veristem-truth"), "schema veristem-truth 1 found, veristem-acquisition 1"),
        (lambda f: f.attrs.modify("schema_version", 7), "schema veristem-acquisition 7 found"),
        (lambda f: f["views"].write_direct(np.full((2, 16, 20), np.nan, "f4")), r"views: nan found at index \(0, 0"),
        (lambda f: remade(f, "directions_rad", data=np.zeros((3, 2))), r"directions_rad: shape \(3, 2\) found"),
        (lambda f: remade(f, "views", shape=(10**4,) * 3, dtype="f4", chunks=True), "more than the file can hold"),
        (lambda f: remade(f, "views", data="text"), "numbers allowed"),
        (lambda f: f.attrs.modify("kind", "atoms"), "kind: 'atoms' found, allowed are dislocations, particles"),
        (lambda f: f.attrs.create("kind", [1.0, 2.0]), r"attribute kind: .* a text allowed"),
        (lambda f: f.create_dataset("regions", data=np.zeros((2, 5))), r"regions: shape \(2, 5\) found"),
        (lambda f: f.create_dataset("regions", data=np.full((2, 6), np.nan)), r"regions: nan found at index \(0, 0\)"),
        (
            lambda f: f.create_dataset("regions", data=[[0, 0, 0.01, 0, 0, 6]]),
            "regions: 1 found, one a view, 2",
        ),
        (lambda f: f.create_dataset("regions", data=[[0, 0, 0, 0, 0, 6]] * 2), "regions: 0 0 0 0 0 6 found in row 0"),
        (lambda f: f.create_dataset("regions", data=[[0, 0, 0.01, 0.01, 0, 6]] * 2), "0 <= inner < outer"),
        (lambda f: f.create_dataset("regions", data=[[0, 0, 0.01, -0.01, 0, 6]] * 2), "0 <= inner < outer"),
        (lambda f: f.create_dataset("regions", data=[[0, 0, 0.01, 0, 0, 0]] * 2), "a positive width allowed"),
        (lambda f: f.create_dataset("regions", data=[[0, 0, 1e300, 0, 0, 6]] * 2), "outer <= 1 rad"),
        (lambda f: f.create_dataset("regions", data=[[0.5, 0, 0.01, 0, 0, 7]] * 2), "outside the cone of 91.0 mrad"),
    ],
)
def test_faults_of_an_acquisition(tmp_path, acquisition, change, message, refused_after):
    """Each names the file and the dataset or attribute; an empty terabyte is refused, not set aside."""
    path = tmp_path / "a.h5"
    write_acquisition(path, acquisition)
    refused_after(path, change, read_acquisition, message)


def test_cut_missing_and_other_files(tmp_path, acquisition, truth):
    """Cut at twenty places, absent, a text, and one given for the other."""
    path = tmp_path / "a.h5"
    write_acquisition(path, acquisition)
    content = path.read_bytes()
    for k in range(20):
        path.write_bytes(content[: len(content) * k // 20])
        with pytest.raises(InputError, match=r"a\.h5: no whole HDF5 file found"):
            read_acquisition(path)
    with pytest.raises(InputError, match="No such file"):
        read_acquisition(tmp_path / "none.h5")
    write_truth(path, truth)
    with pytest.raises(InputError, match="schema veristem-truth 1 found"):
        read_acquisition(path)


def test_faults_of_a_truth(tmp_path, truth):
    """Arrays that do not fit the network, and a recipe that is no JSON object."""
    path = tmp_path / "t.h5"
    write_truth(path, replace(truth, g_dot_b=np.zeros(2)))
    with pytest.raises(InputError, match=r"t\.h5: g_dot_b: shape \(2,\) found, \(3\) allowed"):
        read_truth(path)
    for text, message in (("{", "recipe_json: .* JSON allowed"), ("[1]", "recipe_json: a list found")):
        write_truth(path, truth)
        with h5py.File(path, "a") as file:
            file["recipe_json"][()] = text
        with pytest.raises(InputError, match=message):
            read_truth(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop("particles/radii_nm"), "no dataset particles/radii_nm found"),
        (lambda f: remade(f, "particles/radii_nm", data=[1.0]), r"radii_nm: shape \(1,\) found, \(2\) allowed"),
        (
            lambda f: remade(f, "particles/radii_nm", data=[1.0, -1.0]),
            "radii_nm: -1 found at index 1, positive",
        ),
        (lambda f: remade(f, "particles/centers_nm", data=np.full((2, 3), np.inf)), "centers_nm: inf found at index"),
        (lambda f: remade(f, "particles/centers_nm", shape=(10**9, 3), dtype="f8"), "more than the file can hold"),
        (lambda f: remade(f, "labels", data=np.zeros((2, 3, 3))), r"labels: shape \(2, 3, 3\) found"),
        (lambda f: remade(f, "particles", data=1.0), "no dataset particles/centers_nm found"),
        (lambda f: f.create_group("network"), "groups network and particles found, one of them allowed"),
    ],
)
def test_faults_of_a_truth_of_particles(tmp_path, particle_truth, change, message, refused_after):
    """Each names the file and the dataset."""
    path = tmp_path / "t.h5"
    write_truth(path, particle_truth)
    refused_after(path, change, read_truth, message)


def test_unwritable_place(tmp_path, acquisition):
    """One line, and nothing left behind."""
    with pytest.raises(InputError, match="choose a folder that exists"):
        write_acquisition(tmp_path / "no" / "a.h5", acquisition)
    assert not list(tmp_path.iterdir())
