"""What a network of particles is trained on: cross entropy of each cell, so that probabilities add up to particles."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from veristem.recon.particles.sweep import PLANES

_SURE = 0.1


def particle_loss(outputs: Tensor, target: Tensor) -> Tensor:
    """Loss of `learned.OUTPUTS` (N, …, Y, X) as logits against `batches.CHANNELS` (N, …, Y, X)."""
    chance, z = outputs[:, :PLANES], outputs[:, PLANES : 2 * PLANES]
    way, (sure, sure_z) = outputs[:, 2 * PLANES : 2 * PLANES + 2], outputs[:, 2 * PLANES + 2 :].unbind(1)
    where, to_z, near_z = target[:, : 3 * PLANES].split(PLANES, 1)
    to, near, weight = target[:, 3 * PLANES : 3 * PLANES + 2], target[:, -2], target[:, -1]
    entropy = (binary_cross_entropy_with_logits(chance, where, reduction="none").sum(1) * weight).sum()
    near, near_z = near * weight, near_z * weight[:, None]
    apart = _mean(smooth_l1_loss(way, to, reduction="none", beta=0.5).sum(1), near)
    apart_z = _mean(smooth_l1_loss(z, to_z, reduction="none", beta=0.25), near_z)
    error = ((way - to).detach() ** 2).mean(1)  # how sure it is shall not change where it is
    error_z = ((z - to_z).detach() ** 2 * near_z).sum(1) / near_z.sum(1).clamp(min=1e-6)
    sum_z = (near_z.sum(1) > 0).to(weight.dtype)
    surprise = _mean(sure + error * torch.exp(-sure), near) + _mean(sure_z + error_z * torch.exp(-sure_z), sum_z)
    return entropy / (where.sum(1) * weight).sum().clamp(min=1.0) + apart + apart_z + _SURE * surprise


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1.0)
