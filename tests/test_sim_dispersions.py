"""Arrangements of particles: within the film, apart, as many as asked for, and those of statistical mechanics."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree
from scipy.stats import kstest

from veristem.datasets import InputError
from veristem.datasets.recipe import load_recipe
from veristem.datasets.specimens import ARRANGEMENTS
from veristem.sim.dispersions import GENERATORS, load_generator
from veristem.sim.dispersions.packing import Film, Forces, make_cells, number_density_per_nm3, put
from veristem.sim.dispersions.spheres import move

CONTACT = 5.7  # of the default particles: 4.5 nm of gold and two shells of 0.6 nm
SHARE = CONTACT**3 / 4.5**3 / 19300  # of the volume in shells, per mg/ml


def make(generator: str, box_nm, slope: float = 0.0, seed: int = 0, **values):
    """Centres and radii of a generator."""
    return load_generator(generator)(ARRANGEMENTS[generator](**values), box_nm, slope, np.random.default_rng(seed))


def pairs(centers, box_nm, reach_nm: float):
    """Indices (P, 2) of the particles nearer than that, and their distances, in a film periodic along x and y."""
    found = KDTree(centers, boxsize=[box_nm[0], box_nm[1], 0]).query_pairs(reach_nm, output_type="ndarray")
    return found, np.linalg.norm(apart(centers, *found.T, box_nm), axis=1)


def apart(centers, i, j, box_nm):
    """Vectors from particles i to the nearest images of particles j."""
    step = centers[j] - centers[i]
    step[:, :2] -= box_nm[:2] * np.rint(step[:, :2] / box_nm[:2])
    return step


def test_every_table_has_its_generator():
    """A recipe names its table, and that finds the file."""
    assert sorted(ARRANGEMENTS) == GENERATORS


@pytest.mark.parametrize("generator", ARRANGEMENTS)
def test_its_table_is_one_of_a_recipe(generator):
    """It is read by its name, reads back when it is written out, and an error names its keys as a recipe has them."""
    recipe = load_recipe("particles-small").with_values({"specimen.dispersion": {"generator": generator}})
    assert type(recipe.specimen.dispersion) is ARRANGEMENTS[generator]
    assert type(recipe).model_validate(recipe.model_dump(mode="json")) == recipe
    for key, found in (("colour", "'red'"), ("diameter_nm", "-1")):
        values = {"specimen.dispersion": {"generator": generator, key: json.loads(found.replace("'", '"'))}}
        with pytest.raises(InputError, match=rf"specimen\.dispersion\.{key}: {found} found"):
            recipe.with_values(values)


@pytest.mark.parametrize("generator", GENERATORS)
@settings(max_examples=40, deadline=None)
@given(
    width=st.floats(30, 150),
    height=st.floats(30, 150),
    thinnest=st.floats(10, 60),
    slope=st.floats(-0.5, 0.5),
    spread=st.floats(0, 0.3),
    shell=st.floats(0, 1.5),
    concentration=st.floats(1, 400),
    seed=st.integers(0, 2**32 - 1),
)
def test_particles_are_apart_and_within(generator, width, height, thinnest, slope, spread, shell, concentration, seed):
    """Gold that overlaps or sticks out would image as what no microscope can see."""
    box = np.array([width, height, thinnest + abs(slope) * width / 2])
    values = {"spread": spread, "shell_nm": shell, "concentration_mg_per_ml": concentration}
    centers, radii = make(generator, box, slope, seed, **values)
    assert centers.shape == (len(radii), 3)
    assert (np.abs(radii / 2.25 - 1) <= 3 * spread + 1e-9).all()
    x, y, z = centers.T
    assert (x >= 0).all() and (x <= width).all() and (y >= 0).all() and (y <= height).all()  # noqa: PT018
    to_exit = (box[2] + slope * (x - width / 2) - z) / np.hypot(1, slope)
    assert (np.minimum(z, to_exit) >= radii - 1e-9).all()
    if len(radii) > 1:
        (i, j), distance = (a.T for a in pairs(centers, box, 2 * (radii.max() + shell)))
        assert (distance >= radii[i] + radii[j] + 2 * shell - 1e-9).all()


def test_number_density():
    """10 mg/ml of 4.5 nm gold is a number that is easily checked by hand; a slip in a unit would be a power of ten."""
    assert number_density_per_nm3(10.0, 2.25**3) == pytest.approx(1.09e-5, rel=5e-3)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_concentration_is_met(generator, spread):
    """A study over concentration is wrong by as much as the specimens are; spread makes particles heavier."""
    box = np.array([300.0, 200, 100])
    centers, radii = make(generator, box, 0.2, concentration_mg_per_ml=500.0, spread=spread)
    mass = 19.3e3 * (4 / 3 * np.pi * radii**3).sum() / box.prod()
    assert mass == pytest.approx(
        500.0, rel=1e-3 if spread == 0 else 0.06
    )  # 3 deviations of the mean cube of 2600 radii
    assert len(centers) == pytest.approx(5.43e-4 * box.prod() / (1 + 3 * 0.973 * spread**2), rel=1e-3)


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_seed_makes_one_arrangement(generator):
    """The same seed gives the same arrangement, another seed, 0 included, another."""
    box = (150.0, 120.0, 80.0)
    first, again, other = (make(generator, box, 0.1, seed, spread=0.1) for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.slow
def test_numba_cache_changes_nothing(tmp_path):
    """A seed must give one arrangement, whether kernels were just compiled or read from the cache."""
    code = (
        "import numpy as np, hashlib\n"
        "from veristem.datasets.specimens import Attractive, Chains\n"
        "from veristem.sim.dispersions import attractive, chains, spheres\n"
        "for module, table in ((attractive, Attractive), (chains, Chains)):\n"
        "    values = table(concentration_mg_per_ml=900.0, spread=0.1)\n"
        "    out = module.generate(values, (60, 60, 60), 0.1, np.random.default_rng(0))\n"
        "    print(hashlib.sha256(b''.join(a.tobytes() for a in out)).hexdigest())\n"
        "print(sum(spheres.move.stats.cache_hits.values()))\n"
    )
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PATH": ""}
    runs = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    compiled, cached = (run.stdout.split() for run in runs)
    assert compiled[:2] == cached[:2]
    assert (compiled[2], cached[2]) == ("0", "1")


def pair_function(generator: str, box, edges, arrangements: int, **values):
    """g between edges, its standard errors, and the number density [1/nm^3], of particles far from the faces."""
    margin = 5 * CONTACT
    counts, far, volume = np.zeros(len(edges) - 1), 0, 0.0
    for seed in range(arrangements):
        centers, _ = make(generator, box, seed=seed, **values)
        inner = np.abs(centers[:, 2] - box[2] / 2) < box[2] / 2 - margin
        found, distance = pairs(centers, box, edges[-1])
        counts += np.histogram(distance, edges, weights=inner[found].sum(axis=1))[0]
        far += inner.sum()
        volume += box[0] * box[1] * (box[2] - 2 * margin)
    expected = far**2 / volume * 4 / 3 * np.pi * np.diff(edges**3)
    return counts / expected, np.sqrt(2 * counts) / expected, far / volume  # most pairs count twice


@pytest.mark.parametrize(("share", "width", "degree"), [(0.05, 150.0, 1), (0.15, 100.0, 2), (0.25, 80.0, 2)])
def test_hard_spheres_touch_as_often_as_they_should(share, width, degree):
    """g at contact is (1 - phi/2)/(1 - phi)^3 (Carnahan and Starling 1969): the arrangement is that of equilibrium.

    Extrapolated to contact with a line or parabola; standard errors are below 3 %.
    """
    edges = np.linspace(CONTACT, 1.4 * CONTACT, 9)
    box = np.array([width, width, 150])
    g, error, density = pair_function("spheres", box, edges, 12, concentration_mg_per_ml=share / SHARE)
    middle = (edges[1:] + edges[:-1]) / 2 - CONTACT
    fit, covariance = np.polyfit(middle, g, degree, w=1 / error, cov="unscaled")
    phi = density * np.pi / 6 * CONTACT**3
    theory = (1 - phi / 2) / (1 - phi) ** 3
    deviation = np.sqrt(covariance[-1, -1])
    assert phi == pytest.approx(share, rel=0.05)
    assert deviation < 0.03 * theory
    assert abs(fit[-1] - theory) < 3 * deviation


def test_the_well_holds_as_many_as_it_should():
    """At low density g within the well is exp(depth), and 1 beyond; standard errors are 5 and 6 %."""
    depth, width = 1.5, 1.5
    edges = CONTACT + np.array([0, width, 2.5 * width])
    values = {"concentration_mg_per_ml": 20.0, "attraction_kT": depth, "range_nm": width}
    g, error, _ = pair_function("attractive", np.array([500.0, 500, 500]), edges, 5, **values)
    assert (error < 0.065 * g).all()
    assert (np.abs(g - [np.exp(depth), 1.0]) < 3 * error).all()


def test_equilibrium_forgets_its_start():
    """Spheres packed into a lattice end as near to each other as those that were strewn at random."""
    box = np.array([100.0, 100, 100])
    near = []
    for seed in range(2):
        strewn, radii = make("spheres", box, seed=seed, concentration_mg_per_ml=0.2 / SHARE)
        side = int(np.ceil(np.cbrt(len(radii))))
        packed = 3 + 5.8 * np.indices((side,) * 3).reshape(3, -1).T[: len(radii)]
        packed = np.ascontiguousarray(packed)
        film, forces = Film(*box, 0.0), Forces(0.6)
        cells = make_cells(film, radii, forces)
        for i, center in enumerate(packed.copy()):
            put(i, *center, packed, cells)
        start = len(pairs(packed, box, 1.1 * CONTACT)[1])
        move(300, len(radii), packed, radii, cells, film, forces, np.random.default_rng(seed))
        near.append([len(pairs(centers, box, 1.1 * CONTACT)[1]) for centers in (strewn, packed)] + [start])
    strewn, packed, start = np.mean(near, axis=0)
    assert start > 2 * strewn
    assert packed == pytest.approx(strewn, rel=0.12)  # 3 deviations


@pytest.mark.parametrize(("shortest", "longest", "bend"), [(2, 5, 45.0), (20, 60, 45.0), (1, 1, 0.0), (30, 40, 5.0)])
def test_chains_are_chains(shortest, longest, bend):
    """Lengths within the range and evenly spread, bonds at contact, bends within the limit, in the thesis's field."""
    box = np.array([840.0, 840, 178])
    values = {"shortest": shortest, "longest": longest, "bend_deg": bend, "spread": 0.1}
    centers, radii = make("chains", box, concentration_mg_per_ml=10.0, **values)
    step = apart(centers, np.arange(len(radii) - 1), np.arange(1, len(radii)), box)
    distance = np.linalg.norm(step, axis=1)
    bonded = np.abs(distance - (radii[1:] + radii[:-1] + 1.2)) < 1e-9
    lengths = np.diff(np.concatenate([[0], np.flatnonzero(~bonded) + 1, [len(radii)]]))
    assert lengths.min() >= shortest
    assert lengths.max() <= longest
    assert lengths.mean() == pytest.approx((shortest + longest) / 2, rel=0.15)
    along = step / distance[:, None]
    cosine = (along[1:] * along[:-1]).sum(axis=1)[bonded[1:] & bonded[:-1]]
    assert (cosine >= np.cos(np.radians(bend)) - 1e-9).all()
    if len(cosine) > 500:  # evenly spread over the cone, but for what the faces forbid
        assert kstest(cosine, "uniform", (c := np.cos(np.radians(bend)), 1 - c)).statistic < 0.06


@given(shortest=st.integers(1, 60), more=st.integers(0, 60), milligrams=st.floats(0.1, 20))
@settings(max_examples=50, deadline=None)
def test_chains_add_up(shortest, more, milligrams):
    """As many spheres as the concentration asks for, wherever lengths can add up to them, else the nearest sum."""
    box = np.array([300.0, 300, 100])
    longest = shortest + more
    wanted = round(number_density_per_nm3(milligrams, 2.25**3) * box.prod())
    _, radii = make("chains", box, concentration_mg_per_ml=milligrams, shortest=shortest, longest=longest)
    sums = np.arange(wanted // shortest + 2)
    off = np.maximum(np.maximum(sums * shortest - wanted, wanted - sums * longest), 0)
    assert abs(len(radii) - wanted) == off.min()


def test_dilute_particles_are_at_every_depth_alike():
    """Nothing prefers a depth where particles hardly meet (Kolmogorov and Smirnov)."""
    box = np.array([840.0, 840, 178])
    centers, _ = make("spheres", box, seed=3)
    assert kstest(centers[:, 2], "uniform", (2.25, 178 - 4.5)).pvalue > 0.05


@pytest.mark.parametrize("generator", GENERATORS)
def test_no_particles(generator):
    """A film may be too small for even one."""
    centers, radii = make(generator, (40, 40, 20), concentration_mg_per_ml=1e-3)
    assert centers.shape == (0, 3)
    assert radii.shape == (0,)


@pytest.mark.parametrize(
    ("generator", "box", "slope", "values", "message"),
    [
        ("spheres", (100, 100, 50), 0, {"concentration_mg_per_ml": 1e12}, r"mg_per_ml: 1e\+12 found, at most 3890 all"),
        (
            "chains",
            (60, 60, 50),
            0,
            {"concentration_mg_per_ml": 3700.0},
            r"mg_per_ml: 3700 found, but only \d+ of 723 ",
        ),
        ("attractive", (100, 100, 4.4), 0, {}, r"thickness_nm: film of 4.4 nm at its thinnest found, more than .* 4.5"),
        ("spheres", (100, 100, 50), 1.0, {}, "thickness_nm: film of 0 nm at its thinnest found"),
        ("spheres", (100, 10, 50), 0, {}, "field_nm: 100 x 10 found, at least 11.4 each allowed"),
    ],
)
def test_what_cannot_be_met_is_one_line(generator, box, slope, values, message):
    """Bad input is one line that names the key, what was found and what is allowed."""
    with pytest.raises(InputError, match=r"^specimen\.") as error:
        make(generator, box, slope, **values)
    assert error.match(message)
    assert "\n" not in str(error.value)
