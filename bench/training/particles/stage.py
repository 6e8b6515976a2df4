"""What the training of particles has of its own."""

from __future__ import annotations

from collections.abc import Sequence

from veristem.bench.training.contours import counts_of
from veristem.bench.training.particles import batches, checks, draws, films
from veristem.bench.training.stage import Stage
from veristem.recon.particles.learned import VERSION
from veristem.recon.particles.sweep import CHANNELS


def _network():
    from veristem.recon.particles.network import ParticleNetwork

    return ParticleNetwork()


def _loss(outputs, target):
    from veristem.bench.training.particles.losses import particle_loss

    return particle_loss(outputs, target)


def _groups(recipe: dict) -> dict[str, str]:
    dispersion, detector = recipe["specimen"]["dispersion"], recipe["microscope"]["detector"]
    least = dispersion["concentration_mg_per_ml"]
    views = detector.get("segments", 2)
    return {
        "arrangement": _arrangement(dispersion),
        "concentration": next((f"up to {most:g} mg/ml" for most in (10, 20, 40) if least <= most), "above 40 mg/ml"),
        "views": f"{views}",
    }


def _arrangement(dispersion: dict) -> str:
    if dispersion["generator"] != "chains":
        return dispersion["generator"]
    return f"chains of {dispersion['shortest']} to {dispersion['longest']}"


def _described(tables: Sequence[dict]) -> list[str]:
    thick = [table["specimen"]["thickness_nm"] for table in tables]
    dispersions = [table["specimen"]["dispersion"] for table in tables]
    wide = [dispersion["diameter_nm"] for dispersion in dispersions]
    much = [dispersion["concentration_mg_per_ml"] for dispersion in dispersions]
    pixels = [table["scan"]["pixel_nm"] / diameter for table, diameter in zip(tables, wide)]
    least, most = batches.DOSE_PER_NM2
    return [
        f"arrangements: {counts_of(map(_arrangement, dispersions))}",
        f"views: {counts_of(_groups(table)['views'] for table in tables)}",
        f"{min(much):.0f}–{max(much):.0f} mg/ml, diameters {min(wide):.1f}–{max(wide):.1f} nm, "
        f"{1 / max(pixels):.1f}–{1 / min(pixels):.1f} pixels each, thickness {min(thick):.0f}–{max(thick):.0f} nm",
        f"{least:.0f}–{most:.0f} electrons of the beam per nm² for particles of 4.5 nm, fewer for larger ones",
    ]


PARTICLES = Stage(
    name="particles",
    example="film",
    version=VERSION,
    examples=8,
    steps=150,
    seconds=1,
    often=8,
    drawn=draws.drawn,
    make=films.make,
    write=films.write,
    read=films.read,
    batch=batches.batch,
    checked=checks.checked,
    network=_network,
    loss=_loss,
    image=(CHANNELS, None, None),
    size=8,
    groups=_groups,
    described=_described,
    spread=draws.SPREAD,
    mixture="a broad mixture of arrangements, sizes, films and detectors (bench/training/particles/draws.py)",
    measure=f"Particles within half a radius across the beam and {checks.TOLERANCE:g} plane along it, before the joint "
    "fit, at doses drawn as in training",
    found="of the particles are found",
    claimed="of what is found is a particle (within half a radius)",
    failing=("What the simulator does not make was painted only in kind: something smooth that lies on the film.",),
)
