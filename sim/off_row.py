"""Whether reflections off the systematic row take part in an image: a narrow cone near a zone axis is not a row's."""

from __future__ import annotations

import numpy as np

from veristem.datasets.crystal import Material, electron_wavelength_nm
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations

_NARROW_MRAD = 20.0  # a wider cone meets other Bragg lines however the crystal is turned
_NEAR = 2.0  # of w = s xi, below which a reflection is strong
_FARTHEST = 3.0  # reflections so long against g; those beyond are weak
_LEAST = 0.25  # of the coupling of g: what is weaker changes little


def off_row_notes(material: Material, rotation: np.ndarray, recipe: Recipe) -> list[str]:
    """What to say of the strongest reflection off the row that a narrow cone meets near Bragg; nothing for none.

    Parameters
    ----------
    material : Material
        The crystal.
    rotation : (3, 3) float
        From crystal Cartesian to specimen coordinates.
    recipe : Recipe
        Its specimen table is one of dislocations.
    """
    table, alpha_mrad, energy = recipe.specimen, recipe.microscope.convergence_mrad, recipe.microscope.energy_keV
    if not isinstance(table, Dislocations) or alpha_mrad >= _NARROW_MRAD or table.beams == 2:
        return []
    g = material.reciprocal_per_nm(table.g)
    most = 2 * np.ceil(_FARTHEST * np.linalg.norm(g) * np.linalg.norm(material.cell_nm, axis=1)).astype(int) // 2
    hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), axis=-1).reshape(-1, 3)
    along = material.reciprocal_per_nm(hkl)
    length = np.linalg.norm(along, axis=1)
    aside = np.linalg.norm(np.cross(along, g), axis=1) / np.linalg.norm(g)
    keep = (aside > 1e-6 * length) & (length < _FARTHEST * np.linalg.norm(g))
    hkl, vectors = hkl[keep], along[keep] @ rotation.T
    s = -vectors[:, 2] - electron_wavelength_nm(energy) / 2 * (vectors**2).sum(axis=1)
    s = np.maximum(np.abs(s) - 1e-3 * alpha_mrad * np.linalg.norm(vectors[:, :2], axis=1), 0.0)
    first = abs(material.couplings_per_nm(table.g, energy)[0])
    near = s < _NEAR * first  # none couples much stronger than g
    found = [(one, miss, abs(material.couplings_per_nm(one, energy)[0])) for one, miss in zip(hkl[near], s[near])]
    found = [(one, miss, coupling) for one, miss, coupling in found if coupling > _LEAST * first]
    met = [(coupling, one, miss / coupling) for one, miss, coupling in found if miss < _NEAR * coupling]
    if not met:
        return []
    _, strongest, w = max(met, key=lambda one: one[0])
    name = " ".join(str(int(i)) for i in strongest)
    more = f", and so are {len(met) - 1} more off the row" if len(met) > 1 else ""
    return [
        f"({name}) is near its Bragg condition within the cone of {alpha_mrad:g} mrad (|w| = {w:.1f}){more}; images "
        "have the row of g alone: change specimen.tilt_about_g_deg"
    ]
