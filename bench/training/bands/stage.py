"""What the training of bands has of its own; its foils are those that contours are learned from."""

from __future__ import annotations

from dataclasses import replace

from veristem.bench.training.bands import batches, checks
from veristem.bench.training.contours import CONTOURS
from veristem.recon.stereo.bands import ACROSS, VERSION


def _network():
    from veristem.recon.stereo.network import BandNetwork

    return BandNetwork()


def _loss(outputs, target):
    from veristem.bench.training.bands.losses import band_loss

    return band_loss(outputs, target)


BANDS = replace(
    CONTOURS,
    name="bands",
    version=VERSION,
    steps=100,
    batch=batches.batch,
    checked=checks.checked,
    network=_network,
    loss=_loss,
    image=(2, ACROSS, None),
    size=32,
    measure=f"Curves that were moved off true lines, brought back to {checks.TOLERANCE_PX:g} pixels between both views,"
    " at each foil's own dose",
    found="of the curves are brought back",
    claimed="of what is said to be a line is brought back (to half a pixel between both views)",
    failing=("Curves were moved at random, not as another stage errs.",),
)
