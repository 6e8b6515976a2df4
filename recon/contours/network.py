"""The network of learned contours, in PyTorch: for training alone. `learned` runs its weights without PyTorch.

A U-Net of 16, 32 and 64 channels at a half, a quarter and an eighth of the pixels; strided convolutions take the pixels
in and a transposed one gives them back, so that its graph holds no sizes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from veristem.recon.contours.learned import OUTPUTS


class ContourNetwork(nn.Module):
    """Where lines are, in images whose sides are multiples of `learned.STRIDE`."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 6, 2, 2, bias=False), nn.BatchNorm2d(16), nn.ReLU(), _layer(16, 16))
        self.middle = nn.Sequential(_layer(16, 32, stride=2), _layer(32, 32))
        self.bottom = nn.Sequential(
            _layer(32, 64, stride=2), _layer(64, 64), _layer(64, 64, dilation=2), _layer(64, 64, dilation=4)
        )
        self.to_quarter, self.to_half = nn.Conv2d(64, 32, 1), nn.Conv2d(32, 16, 1)
        self.on_quarter, self.on_half = _layer(32, 32), _layer(16, 16)
        self.head = nn.ConvTranspose2d(16, len(OUTPUTS), 4, 2, 1)
        with torch.no_grad():  # few pixels are on a line: to begin with that known saves the first hundred steps
            assert self.head.bias is not None
            self.head.bias[[OUTPUTS.index(name) for name in ("line", "boundary")]] = -3.0

    def forward(self, image: Tensor) -> Tensor:
        """(N, 5, Y, X) `OUTPUTS` of normalised images (N, 1, Y, X)."""
        return self.head(self.features(image)[0])

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """What lines are told from: (N, 16, Y/2, X/2) and (N, 32, Y/4, X/4)."""
        half = self.stem(image)
        quarter = self.middle(half)
        deep = interpolate(self.to_quarter(self.bottom(quarter)), scale_factor=2.0, mode="nearest")
        quarter = self.on_quarter(quarter + deep)
        half = self.on_half(half + interpolate(self.to_half(quarter), scale_factor=2.0, mode="nearest"))
        return half, quarter


def _layer(before: int, after: int, stride: int = 1, dilation: int = 1) -> nn.Module:
    convolution = nn.Conv2d(before, after, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())
