"""The network of bands, in PyTorch: for training alone. `bands` runs its weights without PyTorch.

Convolutions take the bands in, halving them across only; what is left across becomes channels along the curve.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from veristem.recon.stereo.bands import ACROSS, OUTPUTS

_CHANNELS = (24, 32, 48, 64)
_ALONG = 128


class BandNetwork(nn.Module):
    """Where a line is in two bands along it."""

    def __init__(self):
        super().__init__()
        sizes, across = (2, *_CHANNELS), ACROSS
        layers = []
        for before, after in itertools.pairwise(sizes):
            layers.append(nn.Sequential(
                nn.Conv2d(before, after, 3, (2, 1), 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
            ))  # fmt: skip
            across = (across + 1) // 2
        self.across = nn.Sequential(*layers)
        self.mixed = _layer(_CHANNELS[-1] * across, _ALONG, 1)
        self.along = nn.Sequential(_layer(_ALONG, _ALONG, 3), _layer(_ALONG, 64, 3, 2), _layer(64, 64, 3, 4))
        self.head = nn.Conv1d(_ALONG + 64, len(OUTPUTS), 1)

    def forward(self, bands: Tensor) -> Tensor:
        """(N, 4, K) `bands.OUTPUTS` of bands (N, 2, ACROSS, K)."""
        mixed = self.mixed(self.across(bands).flatten(1, 2))
        return self.head(torch.cat([mixed, self.along(mixed)], dim=1))


def _layer(before: int, after: int, size: int, dilation: int = 1) -> nn.Module:
    convolution = nn.Conv1d(before, after, size, 1, dilation * (size // 2), dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(after), nn.ReLU())
