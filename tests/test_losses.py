"""Why particles were missed, on films of a few particles made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veristem.bench.pages.missed import CAUSES, explain_losses, losses_text
from veristem.bench.scoring import point_pair
from veristem.datasets import Acquisition, ParticleDispersion, ParticleTruth, PointSet
from veristem.datasets.geometry import project
from veristem.datasets.intermediate import Detections

PIXEL, SHAPE, FOCUS, RADIUS = 1.0, (100, 120), 40.0, 2.0
DIRECTIONS = np.array([[0.1, 0.0], [-0.1, 0.0]])
ALONE = [60.0, 50.0, 40.0]
AT_THE_EDGE = [0.5, 20.0, 60.0]  # in the focus plane it would be within both views
PAIR = [[30.0, 30.0, 60.0], [34.0, 30.0, 40.0]]  # one behind the other along the second view


def film(centers) -> tuple[ParticleTruth, Acquisition]:
    """Two views of particles in a field of 120 x 100 nm; the counts are not looked at."""
    views = np.ones((2, *SHAPE))
    centers = np.reshape(np.asarray(centers, float), (-1, 3))
    box = (SHAPE[1] * PIXEL, SHAPE[0] * PIXEL, 80.0)
    spheres = ParticleDispersion(centers, np.full(len(centers), RADIUS), np.array(box))
    truth = ParticleTruth(spheres, views, np.zeros(views.shape, np.uint8), DIRECTIONS, FOCUS, {})
    return truth, Acquisition(views, DIRECTIONS, PIXEL, FOCUS, 80.0, kind="particles")


def seen(truth: ParticleTruth, *left_out: tuple[int, int], off_nm: float = 0.0) -> Detections:
    """Detections at the true places in each view, moved along x; left out are those of (view, particle)."""
    points = []
    for view, direction in enumerate(truth.directions_rad):
        kept = [(view, n) not in left_out for n in range(len(truth.particles.radii_nm))]
        points.append(project(truth.particles.centers_nm, direction, truth.focus_nm)[kept] + [off_nm, 0.0])
    covariances, radii = ([make(len(p)) for p in points] for make in (lambda n: np.zeros((n, 2, 2)), np.ones))
    return Detections(tuple(points), tuple(covariances), tuple(radii))


def causes(centers, found=(), *left_out, off_nm: float = 0.0) -> dict[str, int]:
    """Causes of what is missed when the particles with the numbers ``found`` were; none of them with a zero."""
    truth, acquisition = film(centers)
    points = PointSet(truth.particles.centers_nm[list(found)].reshape(-1, 3))
    pair = point_pair(truth, points, None, np.full((len(truth.particles.radii_nm), 3, 3), np.nan))
    counts = explain_losses(truth, acquisition, pair, seen(truth, *left_out, off_nm=off_nm))
    assert list(counts) == list(CAUSES)
    return {cause: count for cause, count in counts.items() if count}


def test_nothing_missed():
    """Found particles have no cause, whatever their images look like."""
    assert causes([ALONE, AT_THE_EDGE, *PAIR], (0, 1, 2, 3), (0, 0)) == {}
    assert causes([]) == {}


def test_edge():
    """One view is enough: 20 nm below the focus plane the views are 2 nm apart from where it is."""
    assert causes([AT_THE_EDGE, ALONE], (1,)) == {"edge": 1}


def test_overlap():
    """Closer than a radius in one view, though 20 nm apart in depth; both of them."""
    assert causes([*PAIR, ALONE], (2,)) == {"overlap": 2}
    assert causes([*PAIR, ALONE], (2, 0)) == {"overlap": 1}
    assert causes([PAIR[0], [36.5, 30.0, 40.0]]) == {"ambiguity": 2}  # 2.5 nm apart in that view


def test_unseen():
    """Not detected in one of the views, or detected half a radius beside."""
    assert causes([ALONE], (), (1, 0)) == {"unseen": 1}
    assert causes([ALONE], (), (0, 0), (1, 0)) == {"unseen": 1}
    assert causes([ALONE], off_nm=0.9) == {"ambiguity": 1}
    assert causes([ALONE], off_nm=1.1) == {"unseen": 1}


def test_ambiguity():
    """In every view, alone and detected: then it was not matched, or with others."""
    assert causes([ALONE, [90.0, 80.0, 10.0]]) == {"ambiguity": 2}


def test_the_first_that_holds_counts():
    """Edge before overlap before unseen: each missed particle has one cause."""
    beside = [0.5, 20.5, 60.0]
    assert causes([AT_THE_EDGE, beside], (), (0, 0), (0, 1)) == {"edge": 2}
    assert causes(PAIR, (), (0, 0), (1, 1)) == {"overlap": 2}


def test_beyond_the_field_nothing_is_missed():
    """Those beyond the field need not be found, but hide what lies within."""
    beyond, hidden = [-1.0, 50.0, 40.0], [0.5, 50.0, 40.0]
    assert causes([beyond]) == {}
    assert causes([beyond, hidden]) == {"overlap": 1}


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({}, ""),
        ({"edge": 0, "overlap": 0, "unseen": 0, "ambiguity": 0}, ""),
        (
            {"edge": 1, "overlap": 0, "unseen": 2, "ambiguity": 0},
            "Missed were 3: 1 beyond the edge of a view, 2 alone but not detected in a view.",
        ),
        (
            {"edge": 0, "overlap": 12, "unseen": 0, "ambiguity": 1},
            "Missed were 13: 12 with another within a radius in a view, "
            "1 detected in every view, and matched with others or not at all.",
        ),
    ],
)
def test_sentence(counts, text):
    """What there is of each cause, in the order in which a method meets them; nothing when nothing was missed."""
    assert losses_text(counts) == text


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, 40), st.floats(0, 1))
def test_every_missed_particle_has_one_cause(seed, count, share):
    """Causes add up to the particles within the field that were not found."""
    rng = np.random.default_rng(seed)
    truth, acquisition = film(rng.uniform(-0.1, 1.1, (count, 3)) * [120.0, 100.0, 80.0])
    kept = rng.uniform(size=count) < share
    pair = point_pair(truth, PointSet(truth.particles.centers_nm[kept]), None, np.full((count, 3, 3), np.nan))
    gone = [(int(v), int(n)) for v, n in zip(*np.nonzero(rng.uniform(size=(2, count)) < 0.3))]
    counts = explain_losses(truth, acquisition, pair, seen(truth, *gone))
    missed = truth.inside.copy()
    missed[pair.partner[pair.partner >= 0]] = False
    assert sum(counts.values()) == missed.sum()
    assert min(counts.values()) >= 0
