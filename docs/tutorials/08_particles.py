"""
Particles to g(r)
=================

Gold particles in a film of ice, imaged by the four quadrants of a segmented detector in a single scan: their places
in 3D, and how they lie to each other.
"""

# %%
# A film and its four views
# -------------------------

import matplotlib.pyplot as plt
import numpy as np

import veristem as vs
from veristem.reports.figures import show_view

made = vs.simulate("particles-small")
images = made.acquisition
width, height = images.field_nm
print(f"{len(images.views)} views of {width:g} x {height:g} nm, a film of {images.thickness_nm:g} nm")

_, axes = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
for ax, view in zip(axes, (0, 2)):
    show_view(ax, images, images.views[view], cmap="gray")
    angle = np.degrees(images.directions_rad[view])
    direction = f"{angle[0]:+z.2f}°, {angle[1]:+z.2f}°".replace("-", "−")
    ax.set_title(f"quadrant {'ABCD'[view]}: θ = ({direction})", fontsize=10)

# %%
# Places in 3D
# ------------
#
# ``points-matched``, which is taken when no method is named, finds each particle in every view and fits its place to
# all of them together. Every point comes with its covariance.

found = vs.reconstruct(images)
scores = vs.score(made.truth, found)
print(f"{scores['count_found']:.0f} found, {scores['count_truth']:.0f} are there")
for key in ("precision", "recall", "lateral_rmse_nm", "depth_rmse_nm", "depth_rmse_nm_over_limit"):
    print(f"{key:25s} {scores[key]:.2f}")

# %%
# The last number is the error in depth over the smallest that the counted electrons allow. In the picture the beam
# runs down; circles are as large as the particles.

from veristem.reports import draw

figure = draw([found])
figure

# %%
# How they lie to each other
# --------------------------
#
# g(r) is the density of neighbours at a distance r over that of particles without order, which would give 1. A shell
# around a particle near a face of the film lies partly outside; only its part inside counts, which is known exactly.
# The band is a 95 % interval, from resampling parts of the film.

from veristem.recon.particles import radial_distribution, radial_distribution_bands

film_nm = [*images.field_nm, images.thickness_nm]
edges_nm = np.arange(3.0, 40.0, 1.5)
middle_nm = (edges_nm[:-1] + edges_nm[1:]) / 2


def within(places):
    """Those that lie in the film: pairs across its faces would be false."""
    return places[((places >= 0) & (places <= film_nm)).all(axis=1)]


low, high = radial_distribution_bands(within(found.points_nm), film_nm, edges_nm, np.random.default_rng(0))
g_found = radial_distribution(within(found.points_nm), film_nm, edges_nm)
g_truth = radial_distribution(within(made.truth.particles.centers_nm), film_nm, edges_nm)

_, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
ax.fill_between(middle_nm, low, high, alpha=0.25, label="95 % interval")
ax.plot(middle_nm, g_found, label="reconstruction")
ax.plot(middle_nm, g_truth, "k--", lw=1, label="truth")
ax.axhline(1, color="0.6", lw=0.8)
ax.set(xlabel="r (nm)", ylabel="g(r)", ylim=(0, None))
ax.legend()

from scipy.spatial import cKDTree

contact_nm = 4.5 + 2 * 0.6  # diameter of the gold and two ligand shells, as the recipe has them
for name, places in (("found", found.points_nm), ("truth", made.truth.particles.centers_nm)):
    print(f"{name}: {len(cKDTree(places).query_pairs(contact_nm))} pairs closer than contact, {contact_nm:.1f} nm")

# %%
# With so few particles the band is wide: where it holds 1, nothing can be said. ``coordination_number``,
# ``potential_of_mean_force`` and ``chain_lengths`` go on from here, see :doc:`/reference/api.recon.particles`.
