"""What the training of contours has of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from veristem.bench.training import batches, checks, draws, foils
from veristem.bench.training.stage import Stage
from veristem.recon.contours.learned import VERSION


def _network():
    from veristem.recon.contours.network import ContourNetwork

    return ContourNetwork()


def _loss(outputs, target):
    from veristem.bench.training.losses import contour_loss

    return contour_loss(outputs, target)


def _groups(recipe: dict) -> dict[str, str]:
    table = recipe["specimen"]
    return {
        "material": table["material"],
        "generator": table["network"].get("generator", "from a file"),
        "regions": "none" if table["regions"] is None else table["regions"]["kind"],
    }


def counts_of(names: Iterable[str]) -> str:
    """How often each of some names came, the most frequent first."""
    return ", ".join(f"{name} {number}" for name, number in Counter(names).most_common())


def _described(tables: Sequence[dict]) -> list[str]:
    thick = [table["specimen"]["thickness_nm"] for table in tables]
    angles = [table["microscope"]["detector"]["pair_angle_deg"] for table in tables]
    return [
        f"materials: {counts_of(_groups(table)['material'] for table in tables)}",
        f"networks: {counts_of(_groups(table)['generator'] for table in tables)}",
        f"with lamellae or grains: {sum(table['specimen']['regions'] is not None for table in tables)}",
        f"thickness {min(thick):.0f}–{max(thick):.0f} nm, angle between discs {min(angles):.1f}–{max(angles):.1f}°",
    ]


CONTOURS = Stage(
    name="contours",
    example="foil",
    version=VERSION,
    examples=3,
    steps=150,
    seconds=45,
    often=10_000,
    drawn=draws.drawn,
    make=foils.make,
    write=foils.write,
    read=foils.read,
    batch=batches.batch,
    checked=checks.checked,
    network=_network,
    loss=_loss,
    image=(1, None, None),
    size=8,
    groups=_groups,
    described=_described,
    spread=draws.SPREAD,
    mixture="a broad mixture of materials, networks, lamellae, lenses and scans (bench/training/draws.py)",
    measure=f"Contours in the plane of the image, within {checks.TOLERANCE_PX:g} pixels, at each foil's own dose",
    found="of the visible lines are found in the image",
    claimed="of what is found is a line (within 2 pixels)",
    failing=("What the simulator does not make was painted only in kind: other reflections, charging, damage.",),
)
