"""The network of learned particles, in PyTorch: for training alone. `learned` runs its weights without PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from veristem.recon.particles.learned import OUTPUTS
from veristem.recon.particles.sweep import CHANNELS, PLANES


class ParticleNetwork(nn.Module):
    """Where particles are, in sweeps whose sides are multiples of `learned.STRIDE`: a U-Net of two levels."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(CHANNELS, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), _layer(32, 32)
        )
        self.bottom = nn.Sequential(_layer(32, 64, stride=2), _layer(64, 64), _layer(64, 64, dilation=2))
        self.to_half = nn.Conv2d(64, 32, 1)
        self.on_half = nn.Sequential(_layer(32, 48), _layer(48, 48))
        self.head = nn.ConvTranspose2d(48, len(OUTPUTS), 4, 2, 1)
        with torch.no_grad():  # few cells hold a particle: to begin with that known saves the first hundred steps
            assert self.head.bias is not None
            self.head.bias[:PLANES] = -8.0

    def forward(self, image: Tensor) -> Tensor:
        """(N, outputs, Y, X) `OUTPUTS` of sweeps (N, CHANNELS, Y, X)."""
        half = self.stem(image)
        deep = interpolate(self.to_half(self.bottom(half)), scale_factor=2.0, mode="nearest")
        return self.head(self.on_half(half + deep))


def _layer(before: int, after: int, stride: int = 1, dilation: int = 1) -> nn.Module:
    convolution = nn.Conv2d(before, after, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())
