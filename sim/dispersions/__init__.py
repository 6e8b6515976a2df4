"""Arrangements of particles: one a file, found by the name of its recipe table (datasets/specimens.py).

Each has ``generate(table, box_nm, slope, rng) -> (centers_nm (N, 3), radii_nm (N,))``: particles in a film of that
width, height and thickness [nm] whose exit face rises by ``slope`` along x, about its middle. Spheres of gold stay
within the film; it goes on periodically in x and y.
"""

from importlib import import_module
from pkgutil import iter_modules

_HELPERS = ("packing",)
GENERATORS = sorted(m.name for m in iter_modules(__path__) if m.name not in _HELPERS)


def load_generator(name: str):
    """The ``generate`` of that file."""
    return import_module(f"{__name__}.{name}").generate
