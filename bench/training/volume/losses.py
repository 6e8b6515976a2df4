"""What a network of disparities is trained on: the three terms of the thesis, chapter 3.4, each of which 0 leaves out.

The weights are those of the authors' configuration; the fourth of it, of detection, has no place here, as the contour
network was trained before.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, grid_sample, smooth_l1_loss

from veristem.bench.training.volume.batches import TARGETS
from veristem.recon.stereo.thesis import LEVEL_PX, LEVELS


def volume_loss(
    outputs: Tensor, target: Tensor, *, disparity: float = 1.0, variance: float = 0.001, warp: float = 0.5
) -> Tensor:
    """Loss of the outputs (N, LEVELS + 1, Y, X) of `VolumeNetwork` against `batches.TARGETS` (N, 4, Y, X).

    Parameters
    ----------
    outputs, target : Tensor
        As said.
    disparity : float
        Weight of the smooth L1 distance of the mean disparity on the pixels of lines [px].
    variance : float
        Of the spread about the true disparity there [px²].
    warp : float
        Of the cross entropy of the lines of the second view, brought to the first by the mean disparity, and those
        that are there.
    """
    level = LEVEL_PX * torch.arange(-(LEVELS // 2), LEVELS // 2 + 1.0, device=outputs.device)[:, None, None]
    share = torch.softmax(outputs[:, :LEVELS], dim=1)
    mean = (share * level).sum(1)
    told = dict(zip(TARGETS, target.unbind(1)))
    true, known = told["disparity"], told["known"]
    off = smooth_l1_loss(mean, true, reduction="none")
    spread = (share * (level - true[:, None]) ** 2).sum(1)
    total = disparity * _mean(off, known) + variance * _mean(spread, known)
    if not warp:
        return total
    brought = warped(torch.sigmoid(outputs[:, LEVELS]), mean / LEVEL_PX)
    return total + warp * _mean(binary_cross_entropy(brought, told["line"], reduction="none"), told["weight"])


def warped(image: Tensor, disparity: Tensor) -> Tensor:
    """What ``image`` (N, Y, X) has ``disparity`` (N, Y, X) pixels farther along the row, between pixels linearly."""
    _, rows, columns = image.shape
    x = torch.arange(columns, device=image.device) + disparity
    y = torch.arange(rows, device=image.device)[:, None].expand(rows, columns).expand_as(x)
    places = torch.stack([(2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1], dim=-1)  # borders of the image at ±1
    found = grid_sample(image[:, None], places, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]
    return found.clamp(0, 1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1.0)
