"""What a network of bands is trained on: how far, how sure, and whether."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from veristem.bench.training.bands.batches import TARGETS


def band_loss(outputs: Tensor, target: Tensor) -> Tensor:
    """Loss of `bands.OUTPUTS` (N, 4, K) against `batches.TARGETS` (N, 4, K)."""
    apart, aside, there, log_variance = outputs.unbind(1)
    told = dict(zip(TARGETS, target.unbind(1)))
    line = told["there"]
    off = smooth_l1_loss(apart, told["apart"], reduction="none") + smooth_l1_loss(
        aside, told["aside"], reduction="none"
    )
    squared = (apart - told["apart"]).detach() ** 2  # how sure it is shall not change where it is
    log_variance = log_variance.clamp(-8, 8)
    surprise = 0.5 * (log_variance + squared * torch.exp(-log_variance))
    where = binary_cross_entropy_with_logits(there, line, reduction="none")
    return _mean(off, line) + 0.1 * _mean(surprise, line) + 0.3 * _mean(where, told["known"])


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1.0)
