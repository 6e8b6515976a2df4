"""What the training of disparities after the thesis has of its own.

Terms of the loss are switched off by ``replace(VOLUME, loss=partial(volume_loss, warp=0))``.
"""

from __future__ import annotations

from dataclasses import replace

from veristem.bench.training.contours import CONTOURS
from veristem.bench.training.volume import batches, checks, foils
from veristem.recon.stereo.thesis import RANGE_PX, VERSION
from veristem.recon.trained import WEIGHTS


def _network():
    """A network to begin with, that sees what the contours of the package see."""
    from safetensors.torch import load_file

    from veristem.recon.stereo.volume import VolumeNetwork

    network = VolumeNetwork()
    network.contours.load_state_dict(load_file(WEIGHTS / "contours.safetensors"))
    return network


def _loss(outputs, target):
    from veristem.bench.training.volume.losses import volume_loss

    return volume_loss(outputs, target)


VOLUME = replace(
    CONTOURS,
    name="volume",
    version=VERSION,
    examples=1,
    steps=70,
    seconds=30,
    drawn=foils.drawn,
    make=foils.make,
    batch=batches.batch,
    checked=checks.checked,
    network=_network,
    loss=_loss,
    image=(2, None, None),
    size=4,
    mixture=f"{CONTOURS.mixture}, two beams, one pair of discs a foil",
    measure=f"Disparity on the pixels of true lines, within {checks.TOLERANCE_PX:g} pixel, at each foil's own dose",
    found="of the pixels of lines have the right disparity",
    claimed="of the disparities that are told are right (within a pixel)",
    failing=(
        f"Disparities beyond ±{RANGE_PX:g} pixels of a third of a line's half width are not told.",
        "The contour network whose features it sees is that of the package; it is not trained on.",
        "Contours without errors are matched better by dynamic programming, as in stereo-classical.",
        "The mean of a broad distribution is biased towards the middle of the range.",
    ),
)
