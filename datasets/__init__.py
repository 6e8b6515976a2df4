"""What flows between the rooms, how it is stored, and the facts that all share."""

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.crystal import Material, load_material
from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.intermediate import Contours, Detections, Matches, PointMatches
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.numba_cache import set_numba_cache
from veristem.datasets.reconstruction import CurveSet, PointSet
from veristem.datasets.truth import LineTruth, ParticleTruth
from veristem.datasets.volume import Volume

set_numba_cache()

__all__ = [
    "Acquisition",
    "Contours",
    "CurveSet",
    "Detections",
    "DislocationNetwork",
    "InputError",
    "LineTruth",
    "Matches",
    "Material",
    "ParticleDispersion",
    "ParticleTruth",
    "PointMatches",
    "PointSet",
    "Volume",
    "load_material",
]
