"""What the training of bands has of its own; its foils are those that contours are learned from."""

from __future__ import annotations

from veristem.bench.training import contours, draws, foils
from veristem.bench.training.bands import batches, checks
from veristem.bench.training.stage import Stage
from veristem.recon.stereo.bands import ACROSS, VERSION


def _network():
    from veristem.recon.stereo.network import BandNetwork

    return BandNetwork()


def _loss(outputs, target):
    from veristem.bench.training.bands.losses import band_loss

    return band_loss(outputs, target)


BANDS = Stage(
    name="bands",
    example="foil",
    version=VERSION,
    examples=3,
    steps=100,
    seconds=30,
    often=10_000,
    drawn=draws.drawn,
    make=foils.make,
    write=foils.write,
    read=foils.read,
    batch=batches.batch,
    checked=checks.checked,
    network=_network,
    loss=_loss,
    image=(2, ACROSS, None),
    size=32,
    groups=contours.groups_of,
    described=contours.described,
    spread=draws.SPREAD,
    mixture=contours.CONTOURS.mixture,
    measure=f"Curves that were moved off true lines, brought back to {checks.TOLERANCE_PX:g} pixels between both views,"
    " at each foil's own dose",
    found="of the curves are brought back",
    claimed="of what is said to be a line is brought back (to half a pixel between both views)",
    failing=("Curves were moved at random, not as another stage errs.",),
)
