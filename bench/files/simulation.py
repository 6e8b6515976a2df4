"""The files of one simulation and of its reconstruction, in one folder."""

from __future__ import annotations

from pathlib import Path

from veristem.datasets.acquisition import Acquisition
from veristem.datasets.formats import write_particles, write_points
from veristem.datasets.formats.acquisition_h5 import write_acquisition
from veristem.datasets.formats.truth_h5 import write_truth
from veristem.datasets.formats.vtp import write_vtp
from veristem.datasets.reconstruction import PointSet, Reconstruction
from veristem.datasets.truth import ParticleTruth, Truth

LAST_WRITTEN = ("truth.vtp", "truth.csv")


def save_simulation(folder: Path, truth: Truth, acquisition: Acquisition) -> list[Path]:
    """Write acquisition.h5, truth.h5 and, for people, truth.vtp or truth.csv into an existing folder."""
    write_acquisition(folder / "acquisition.h5", acquisition)
    return [folder / "acquisition.h5", *save_truth(folder, truth)]


def save_truth(folder: Path, truth: Truth) -> list[Path]:
    """Write truth.h5 and, for people, truth.vtp or truth.csv into an existing folder."""
    write_truth(folder / "truth.h5", truth)
    if isinstance(truth, ParticleTruth):
        write_particles(folder / "truth.csv", truth.particles.where(truth.inside))  # the file holds no field
        return [folder / "truth.h5", folder / "truth.csv"]
    write_vtp(folder / "truth.vtp", truth.network, truth.per_segment())
    return [folder / "truth.h5", folder / "truth.vtp"]


def save_reconstruction(folder: Path, found: Reconstruction) -> Path:
    """Write reconstruction.vtp or, of particles, reconstruction.csv into an existing folder."""
    if isinstance(found, PointSet):
        write_points(folder / "reconstruction.csv", found)
        return folder / "reconstruction.csv"
    write_vtp(folder / "reconstruction.vtp", found)
    return folder / "reconstruction.vtp"
