"""What a network of contours is trained on. Line: three times cross entropy, which knows how sure to be, and the Dice
loss (Milletari, Navab & Ahmadi, 3DV 2016), which does not mind that most pixels are empty; alone it collapses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from veristem.bench.training.batches import CHANNELS


def contour_loss(outputs: Tensor, target: Tensor) -> Tensor:
    """Loss of `learned.OUTPUTS` (N, 5, Y, X) as logits against `batches.CHANNELS` (N, 7, Y, X)."""
    line, x, y, boundary, log_variance = outputs.unbind(1)
    told = dict(zip(CHANNELS, target.unbind(1)))
    where, weight = told["line"], told["line_weight"]
    entropy = _mean(binary_cross_entropy_with_logits(line, where, reduction="none"), weight)
    found = torch.sigmoid(line) * weight
    dice = 1 - (2 * (found * where).sum() + 1) / (found.sum() + (where * weight).sum() + 1)
    offset, way = torch.stack([x, y]), torch.stack([told["offset_x"], told["offset_y"]])
    near = told["near"]
    apart = smooth_l1_loss(offset, way, reduction="none").sum(0)
    squared = ((offset - way).detach() ** 2).sum(0)  # how sure it is shall not change where it is
    surprise = 0.5 * (log_variance + squared * torch.exp(-log_variance))
    edges = _mean(
        binary_cross_entropy_with_logits(boundary, told["boundary"], reduction="none"), told["boundary_weight"]
    )
    return 3 * entropy + dice + 0.5 * _mean(apart, near) + 0.3 * edges + 0.1 * _mean(surprise, near)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1.0)
