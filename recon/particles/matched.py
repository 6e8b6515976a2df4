"""points-matched: matched filter, joint fit of what overlaps, matching over all views, joint fit in 3D.

What the particles found so far do not explain is searched again, so that one that hides beside another comes out in
the second round.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import lru_cache

import numpy as np

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Detections, PointMatches
from veristem.datasets.particle_rays import view_rays
from veristem.datasets.reconstruction import PointSet
from veristem.recon.particles.background import background, check_views
from veristem.recon.particles.fit import Images, Spheres, fit, thickness
from veristem.recon.particles.profile import RIM_PX, shade_profile
from veristem.recon.particles.triangulate import depth_range_nm, fewest_allowed, points_from

_SIGNIFICANT = 5.0  # standard deviations of the filter's response
_WHOLE = 0.5  # of a particle's shade that a detection must have
_PART = 0.3  # and one that hides beside another, which has taken its share of it
_RIGID = 0.01  # spread of radii in a search: a radius that may grow swallows the neighbour
_RAY_STEP_PX = 1.5  # farthest that neighbouring rays of the fit may be apart in the film
_MOST_RADIUS_PX = 40.0
_FIELDS = [field.name for field in fields(PointSet)]
_SEARCHES = 3  # of each view for what hides beside another


def reconstruct(
    acquisition: Acquisition,
    *,
    detections: Detections | None = None,
    matches: PointMatches | None = None,
    diameter_nm: float | None = None,
    spread: float = 0.05,
    fewest_views: int = 3,
    rounds: int = 2,
    joint: bool = True,
    rescattering: bool = True,
) -> PointSet:
    """Particles in 3D from two or more views of one scan.

    Parameters
    ----------
    acquisition : Acquisition
        At least two views.
    detections, matches : optional
        Replace the stage from outside; the images are then not looked at again.
    diameter_nm : float, optional
        Mean diameter of the particles [nm]; found from the images if not given.
    spread : float
        Expected standard deviation of the diameters over their mean.
    fewest_views : int
        Views in which a particle must have been found; two views need both.
    rounds : int
        How often the images are searched.
    joint : bool
        Fit all particles to all images in 3D at the end of each round; without it, what the views gave is triangulated.
    rescattering : bool
        Whether particles scatter into the views what comes from elsewhere in the cone, as gold does, so that they show
        farther from the axis than the mean of a view.

    Raises
    ------
    InputError
        With fewer than two views or views without parallax, an empty or saturated view, or a bad parameter.
    """
    if detections is not None or matches is not None:
        return points_from(acquisition, detections, matches, fewest_views, rescattering)
    if rounds < 1:
        raise InputError(f"rounds: {rounds} found, 1 or more allowed")
    fewest = fewest_allowed(acquisition, fewest_views)
    images, spheres = begin(acquisition, diameter_nm, spread, rescattering)
    found = Found(images, spheres)
    for _ in range(rounds if joint else 1):
        seen, spheres = search(found.images, found.spheres, spread, acquisition.pixel_nm)
        more = points_from(acquisition, seen, None, fewest, rescattering)
        if not len(more.points_nm):
            break
        if not joint:
            return more
        found = joined(acquisition, replace(found, spheres=spheres), more, spread)
    return found.points


@dataclass(frozen=True, eq=False)
class Found:
    """What is known after a search.

    Parameters
    ----------
    images : Images
        With what is known of the background.
    spheres : Spheres
        The particles, in pixels.
    points : PointSet
        The particles, in nm.
    """

    images: Images
    spheres: Spheres
    points: PointSet = field(default_factory=lambda: PointSet(np.zeros((0, 3))))


def joined(acquisition: Acquisition, found: Found, more: PointSet, spread: float) -> Found:
    """All particles, with some more, fitted to all images together, and the background between them."""
    pixel, focus = acquisition.pixel_nm, np.array([0.0, 0.0, acquisition.focus_nm])
    points = PointSet(*(np.concatenate([getattr(f, name) for f in (found.points, more)]) for name in _FIELDS))
    moving = np.arange(len(points.views)) >= len(points.views) - len(more.views)
    start = replace(found.spheres, places=(points.points_nm - focus) / pixel, radii=points.radii_nm / pixel)
    spheres = fit(found.images, start, spread, common=bool(moving.all()), moving=moving)
    assert spheres.covariance is not None
    assert spheres.shown is not None
    points = replace(
        points,
        points_nm=spheres.places * pixel + focus,
        covariance_nm2=spheres.covariance * pixel**2,
        radii_nm=spheres.radii * pixel,
    )
    passing = np.exp(np.float32(-spheres.strength) * spheres.shown)
    images = replace(found.images, background=background(found.images.counts, passing))
    return Found(images, spheres, points)


def detect(acquisition: Acquisition, *, diameter_nm: float | None = None, spread: float = 0.05) -> Detections:
    """Particles in each view by itself: the first stage of `reconstruct`, with its parameters and errors."""
    images, spheres = begin(acquisition, diameter_nm, spread)
    return search(images, spheres, spread, acquisition.pixel_nm)[0]


def begin(
    acquisition: Acquisition, diameter_nm: float | None, spread: float, rescattering: bool = True
) -> tuple[Images, Spheres]:
    """The images, and no particles yet of a known size."""
    check_views(acquisition.views)
    if not (0 < spread < 0.33 and (diameter_nm is None or 0 < diameter_nm < np.inf)):
        raise InputError(
            f"diameter_nm, spread: {diameter_nm}, {spread} found, a positive diameter and a spread between 0 and 0.33 "
            "allowed"
        )
    ground = background(acquisition.views)
    pixel = acquisition.pixel_nm
    radius = typical_radius(acquisition.views, ground) if diameter_nm is None else diameter_nm / pixel / 2
    step = _RAY_STEP_PX * pixel / max(map(abs, depth_range_nm(acquisition)))
    images = Images(acquisition.views, ground, *view_rays(acquisition, radius * pixel, step, rescattering))
    return images, Spheres(np.zeros((0, 3)), np.zeros(0), 0.0, radius)


def search(images: Images, known: Spheres, spread: float, pixel_nm: float) -> tuple[Detections, Spheres]:
    """Particles in each view that the known ones, fitted, do not explain; and these, with the strength of a shade."""
    first = not len(known.radii)
    explained = None if known.shown is None else np.float32(known.strength) * known.shown
    strength, mean = known.strength, known.mean_radius
    points, covariances, radii = [], [], []
    for index in range(len(images.counts)):
        rest = images.view(index)
        rest = rest if explained is None else rest.behind(explained[index : index + 1])
        here = Spheres(np.zeros((0, 3)), np.zeros(0), strength, mean)
        for _ in range(_SEARCHES):
            here, added = searched(rest, here, common=first)
            if not added:
                break
        here = fit(rest, here, spread, flat=True, common=first)
        if first and len(here.radii):
            strength, mean = here.strength, here.mean_radius
        assert here.covariance is not None
        points.append(here.places[:, :2] * pixel_nm)
        covariances.append(here.covariance[:, :2, :2] * pixel_nm**2)
        radii.append(here.radii * pixel_nm)
    known = Spheres(known.places, known.radii, strength, mean, known.covariance)
    return Detections(tuple(points), tuple(covariances), tuple(radii)), known


def searched(view: Images, here: Spheres, common: bool) -> tuple[Spheres, int]:
    """The particles of one view and those that the matched filter finds in what they leave over; and how many."""
    rest = view.behind(np.float32(here.strength) * thickness(view, here)) if len(here.radii) else view
    at, amplitude = _peaks(rest, here.mean_radius, here.strength, _PART if len(here.radii) else _WHOLE)
    strength = here.strength or (float(np.median(amplitude)) if len(at) else 0.0)
    flat = np.column_stack([_apart(at, here.places[:, :2], 0.3 * here.mean_radius), np.zeros(len(at))])
    every = Spheres(
        np.concatenate([here.places, flat]),
        np.concatenate([here.radii, np.full(len(at), here.mean_radius)]),
        strength,
        here.mean_radius,
    )
    new = np.arange(len(every.radii)) >= len(here.radii)
    first = not len(here.radii)
    return fit(view, every, _RIGID, flat=True, common=common and first, moving=None if first else new), len(at)


def _apart(places: np.ndarray, others: np.ndarray, least: float) -> np.ndarray:
    """Places (N, 2), those closer than ``least`` to another one moved away from it: two on one spot never part."""
    from scipy.spatial import KDTree

    if not len(others) or not len(places):
        return places
    distance, nearest = KDTree(others).query(places)
    away = places - others[nearest]
    away = np.where(distance[:, None] < 1e-3, [1.0, 0.0], away / np.maximum(distance, 1e-3)[:, None])
    return np.where(distance[:, None] < least, others[nearest] + least * away, places)


def _peaks(images: Images, radius: float, strength: float, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 2) [px] where the matched filter answers, and the strength (N,) of the shade there.

    It must reach ``share`` of the known strength, or of the median of the clear ones.
    """
    amplitude, significance = _response(images, radius)
    # what one detection in the middle of two leaves over has a maximum on either side: one at a time
    j, i = _maxima(significance, radius, 0.5 if share == _WHOLE else 2.0)
    clear = significance[j, i] > _SIGNIFICANT
    j, i = j[clear], i[clear]
    if len(j):
        least = share * (strength or float(np.median(amplitude[j, i])))
        j, i = (v[amplitude[j, i] > least] for v in (j, i))
    return np.column_stack([i, j]) + 0.5, amplitude[j, i]


def _response(images: Images, radius: float, ring: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares strength of a shade at every pixel, and its significance; against a ring around it if asked for."""
    import cv2

    expected = images.background[0].astype(np.float32)
    shade, within = _filter(round(radius, 1), ring, expected.shape)
    amount = np.float32(images.weights[0].sum())
    found = cv2.filter2D(expected - images.counts[0], -1, shade, borderType=cv2.BORDER_CONSTANT)
    weight = np.maximum(expected * within, 1e-6)
    return found / weight / amount, found / np.sqrt(weight)


@lru_cache(maxsize=32)
def _filter(radius: float, ring: bool, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A shade as a filter, and the sum of its squares within an image of that shape: less along the edges."""
    import cv2

    reach = int(np.ceil((1.6 if ring else 1.0) * radius + RIM_PX))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    square = x * x + y * y
    table = shade_profile(radius)
    shade = np.interp(square, np.linspace(0.0, (radius + RIM_PX) ** 2, len(table)), table, right=0.0).astype(np.float32)
    if ring:  # against what lies around: only in the middle of an image, so its edges do not matter
        around = square <= (1.6 * radius) ** 2
        shade = np.where(around, shade - shade[around].mean(), 0.0).astype(np.float32)
        return shade, np.full((1, 1), (shade**2).sum(), np.float32)
    return shade, cv2.filter2D(np.ones(shape, np.float32), -1, shade**2, borderType=cv2.BORDER_CONSTANT)


def _maxima(image: np.ndarray, radius: float, radii: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels that no other within so many radii in x and y exceeds."""
    import cv2

    side = 2 * max(1, round(radii * radius)) + 1
    j, i = np.nonzero(image >= cv2.dilate(image, np.ones((side, side), np.uint8)))
    return j, i


def typical_radius(views: np.ndarray, background: np.ndarray) -> float:
    """Radius [px] whose shade, against the ring around it, answers most in the middle of the views."""
    rows, columns = (slice(max(0, n // 2 - 256), n // 2 + 256) for n in views.shape[1:])
    radii = np.geomspace(1.5, max(2.0, min(_MOST_RADIUS_PX, min(views[0, rows, columns].shape) / 6)), 20)
    answers = np.zeros(len(radii))
    for counts, ground in zip(views[:, None, rows, columns], background[:, None, rows, columns]):
        one = Images(counts, ground, (np.zeros((1, 2)),), (np.ones(1),))
        significance = [_response(one, float(radius), ring=True)[1] for radius in radii]
        peaks = [np.sort(s[_maxima(s, radius, 1.0)])[::-1] for s, radius in zip(significance, radii)]
        clear = max(1, max((p > _SIGNIFICANT).sum() for p in peaks) // 4)  # the same number for all radii
        answers += [p[:clear].sum() for p in peaks]
    best = int(np.argmax(answers))
    if 0 < best < len(radii) - 1:
        curve = np.polyfit(np.log(radii[best - 1 : best + 2]), answers[best - 1 : best + 2], 2)
        return float(np.exp(-curve[1] / (2 * curve[0])))
    return float(radii[best])
