"""Specimen generators: one a file, found by its name. Each has ``generate(population, rng) -> DislocationNetwork``.

Lines end on the faces or beyond the sides, and as many have b as -b. A file of which that is not true says so:
``ENDS_WITHIN`` (its lines may end where they are held) or ``ONE_SHEET`` (it is a boundary, of one sign).
"""

from importlib import import_module
from pkgutil import iter_modules

from veristem.datasets.errors import InputError

_HELPERS = ("foil", "from_file", "population")
GENERATORS = sorted(m.name for m in iter_modules(__path__) if m.name not in _HELPERS)


def load_generator(name: str):
    """The generator of that name.

    Raises
    ------
    InputError
        For an unknown name, with the known ones.
    """
    if name not in GENERATORS:
        raise InputError(f"specimen.network.generator: {name!r} found, allowed are {', '.join(GENERATORS)}")
    return import_module(f"{__name__}.{name}").generate
