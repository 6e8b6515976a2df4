"""The truth of one simulated acquisition, of lines or of particles. Only bench opens it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.geometry import epipolar_direction, project
from veristem.datasets.network import DislocationNetwork

_OVERLAP_NM = 10.0  # two lines closer than this in an image run into one: the width of a line in bright field
_FAR_NM = 1.0e5  # beyond the field no line of a truth goes: it is cut where its strain reaches the field no more
_APART_NM = 25.0  # points farther apart than this in the foil are not neighbours along one line


@dataclass(frozen=True, eq=False)
class LineTruth:
    """What is really there, in the specimen frame, and how it was imaged.

    Parameters
    ----------
    network : DislocationNetwork
        The lines within the foil.
    g_dot_b : (M,) float
        g·b of each segment.
    g_dot_bu : (M,) float
        |g·(b x u)| of each segment, u the unit line direction.
    visible : (M,) bool
        Whether the segment can be seen with this g (sim/visibility.py states the criterion).
    expected : (V, Y, X) float32
        Expected counts of each view, before noise.
    labels : (V, Y, X) uint8
        1 where a visible dislocation projects to, 2 an invisible one, 3 a boundary between regions, 0 elsewhere.
    directions_rad : (V, 2) float
        True intensity-weighted mean direction of the rays of each view [rad].
    field_nm : (2,) float
        Width and height of the imaged field, which begins at the origin [nm].
    thickness_nm, focus_nm : float
        True thickness and true depth of the focus plane [nm].
    recipe : dict
        The recipe that made it, seed included.
    contrast_directions_rad : (V, 2) float or None
        True mean direction of what makes the contrast in each view, which says how far depth shifts it [rad].
    to_image : (V, 2, 3) float or None
        Map [A b] from the focus plane to each image, where the specimen was tilted or moved: see `geometry.project`.
    steady : (V, Y, X) float32 or None
        ``expected`` without errors of the scan and of the current, where there are any: how counts change when lines
        move is seen in it, and not in rows that are displaced.
    """

    network: DislocationNetwork
    g_dot_b: np.ndarray
    g_dot_bu: np.ndarray
    visible: np.ndarray
    expected: np.ndarray
    labels: np.ndarray
    directions_rad: np.ndarray
    field_nm: tuple[float, float]
    thickness_nm: float
    focus_nm: float
    recipe: dict
    contrast_directions_rad: np.ndarray | None = None
    to_image: np.ndarray | None = None
    steady: np.ndarray | None = None

    def __post_init__(self):
        nodes = self.network.nodes_nm
        far = np.maximum(-nodes, nodes - np.array([*self.field_nm, self.thickness_nm])).max(axis=1, initial=0)
        for node in np.flatnonzero(far > _FAR_NM)[:1]:
            raise InputError(
                f"network: node {node} found {far[node]:g} nm outside the foil, at most {_FAR_NM:g} nm allowed"
            )

    def project(self, points_nm, view: int) -> np.ndarray:
        """Where points (..., 3) of the specimen are in a view, (..., 2) [nm]."""
        to_image = None if self.to_image is None else self.to_image[view]
        return project(points_nm, self.directions_rad[view], self.focus_nm, to_image)

    @property
    def places_nm(self) -> np.ndarray:
        """(N, 3) ends of all segments [nm]."""
        return self.network.places_nm

    @property
    def depth_nm(self) -> np.ndarray:
        """(M,) depth of the middle of each segment below the entrance face [nm]."""
        first, second = self.network.ends_nm()
        return (first[:, 2] + second[:, 2]) / 2

    @property
    def psi_deg(self) -> np.ndarray:
        """(M,) angle in the image between each segment and the epipolar direction of the widest pair [deg], 0 to 90.

        A segment along the beam moves along the epipolar direction: its angle is 0. NaN where all views share one
        direction.
        """
        epipolar = epipolar_direction(self.directions_rad)
        if epipolar is None:
            return np.full(len(self.network.segments), np.nan)
        along = self.network.vectors_nm[:, :2]
        across = np.abs(along[:, 0] * epipolar[1] - along[:, 1] * epipolar[0])
        return np.degrees(np.arctan2(across, np.abs(along @ epipolar)))

    @property
    def overlap(self) -> np.ndarray:
        """(M,) whether another line runs within 10 nm of a segment's middle in some view.

        Another line is one whose nearest middle there lies more than 25 nm off in the foil.
        """
        from scipy.spatial import KDTree

        first, second = self.network.ends_nm()
        middle = (first + second) / 2
        found = np.zeros(len(middle), bool)
        for view in range(len(self.directions_rad)):
            tree = KDTree(self.project(middle, view))
            pairs = tree.query_pairs(_OVERLAP_NM, output_type="ndarray")
            apart = np.linalg.norm(middle[pairs[:, 0]] - middle[pairs[:, 1]], axis=1) > _APART_NM
            found[pairs[apart].ravel()] = True
        return found

    def per_segment(self) -> dict[str, np.ndarray]:
        """What is known of each segment, by name: the columns of truth.h5 and truth.vtp."""
        names = ("g_dot_b", "g_dot_bu", "visible", "depth_nm", "psi_deg", "overlap")
        values = {name: getattr(self, name) for name in names}
        return {name: value.astype(np.uint8) if value.dtype == bool else value for name, value in values.items()}


@dataclass(frozen=True, eq=False)
class ParticleTruth:
    """What is really there in a film of particles, in the specimen frame, and how it was imaged.

    Parameters
    ----------
    particles : ParticleDispersion
        All spheres that can show in an image, those just beyond the edges of the field included; its box is the imaged
        field and the largest thickness.
    expected : (V, Y, X) float32
        Expected counts of each view, before noise.
    labels : (V, Y, X) uint8
        Number of particles that each pixel shows, one over the other.
    directions_rad : (V, 2) float
        True intensity-weighted mean direction of the rays of each view [rad].
    focus_nm : float
        True depth of the focus plane [nm].
    recipe : dict
        The recipe that made it, seed included.
    contrast_directions_rad : (V, 2) float or None
        True mean direction of what makes the contrast in each view, which says how far depth shifts it [rad].
    to_image : (V, 2, 3) float or None
        Map [A b] from the focus plane to each image, where the specimen was tilted or moved: see `geometry.project`.
    """

    particles: ParticleDispersion
    expected: np.ndarray
    labels: np.ndarray
    directions_rad: np.ndarray
    focus_nm: float
    recipe: dict
    contrast_directions_rad: np.ndarray | None = None
    to_image: np.ndarray | None = None

    def project(self, points_nm, view: int) -> np.ndarray:
        """Where points (..., 3) of the specimen are in a view, (..., 2) [nm]."""
        to_image = None if self.to_image is None else self.to_image[view]
        return project(points_nm, self.directions_rad[view], self.focus_nm, to_image)

    @property
    def field_nm(self) -> tuple[float, float]:
        """Width and height of the imaged field, which begins at the origin [nm]."""
        return float(self.particles.box_nm[0]), float(self.particles.box_nm[1])

    @property
    def thickness_nm(self) -> float:
        """Largest thickness of the film [nm]."""
        return float(self.particles.box_nm[2])

    @property
    def places_nm(self) -> np.ndarray:
        """(N, 3) all centres [nm]."""
        return self.particles.places_nm

    @property
    def inside(self) -> np.ndarray:
        """(N,) whether the centre of a particle lies within the imaged field."""
        return self.particles.inside_field


Truth = LineTruth | ParticleTruth
