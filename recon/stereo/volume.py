"""The matching network of the thesis, in PyTorch: for training alone. `thesis` runs its weights without PyTorch.

After Altingövde et al., Ultramicroscopy 234 (2022) 113460, and PSMNet (Chang & Chen, CVPR 2018): features of the
contour network, which is trained beforehand and shared by both views, are laid side by side for every disparity; 3D
convolutions, two hourglasses among them, make costs of this volume. Sizes are small: 0.15 million weights beside the
0.16 million of the contour network, and 4.0 G multiply-adds a pair of 256 x 256 pixels, 1.0 G of them of the latter
(the thesis's at 512 x 512: 630 G).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, pad, relu

from veristem.recon.contours.learned import OUTPUTS
from veristem.recon.contours.network import ContourNetwork
from veristem.recon.stereo.thesis import LEVELS

_FEATURES, _VOLUME = 8, 8  # channels of a view and of the volume


class VolumeNetwork(nn.Module):
    """How well each pixel of the first view matches the second at every disparity."""

    def __init__(self):
        super().__init__()
        self.contours = ContourNetwork().requires_grad_(False).eval()
        self.adapted = nn.Sequential(
            nn.Conv2d(16 + 32, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, _FEATURES, 1)
        )
        self.first = _solid(2 * _FEATURES, _VOLUME)
        self.hourglasses = nn.ModuleList(_Hourglass(_VOLUME) for _ in range(2))
        self.last = nn.Sequential(_solid(_VOLUME, _VOLUME), nn.Conv3d(_VOLUME, 1, 3, 1, 1))

    def train(self, mode: bool = True) -> VolumeNetwork:
        """As of any module; the contour network stays as it was trained."""
        super().train(mode)
        self.contours.eval()
        return self

    def forward(self, views: Tensor) -> Tensor:
        """(N, LEVELS + 1, Y/2, X/2) of normalised views (N, 2, Y, X) whose epipolar lines are rows.

        Of each pixel of the first view the logit of every disparity, the lowest first (less the cost), and last,
        of the second view, the logit of a line there.
        """
        first, second = views[:, :1], views[:, 1:]
        (left, _), (right, line) = self._seen(first), self._seen(second)
        edge = LEVELS // 2
        right = pad(right, (edge, edge))  # beyond the image nothing is seen
        ends = [level - LEVELS + 1 or None for level in range(LEVELS)]
        shifted = torch.stack([right[..., level:end] for level, end in enumerate(ends)], dim=2)
        volume = self.first(torch.cat([left[:, :, None].expand_as(shifted), shifted], dim=1))
        for hourglass in self.hourglasses:
            volume = volume + hourglass(volume)
        return torch.cat([self.last(volume)[:, 0], line], dim=1)

    def _seen(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """Features of a view, and the logits of a line in it, both in half of its pixels."""
        half, quarter = self.contours.features(view)
        line = self.contours.head(half)[:, OUTPUTS.index("line")][:, None]
        both = torch.cat([half, interpolate(quarter, scale_factor=2.0, mode="nearest")], dim=1)
        return self.adapted(both), max_pool2d(line, 2)


class _Hourglass(nn.Module):
    """Down to a quarter of the volume's sides and back."""

    def __init__(self, width: int):
        super().__init__()
        self.down = nn.Sequential(_solid(width, 2 * width, 2), _solid(2 * width, 2 * width))
        self.further = nn.Sequential(_solid(2 * width, 4 * width, 2), _solid(4 * width, 4 * width))
        self.back, self.whole = _wider(4 * width, 2 * width), _wider(2 * width, width)

    def forward(self, volume: Tensor) -> Tensor:
        half = self.down(volume)
        return self.whole(relu(half + self.back(self.further(half))))


def _solid(before: int, after: int, stride: int = 1) -> nn.Module:
    convolution = nn.Conv3d(before, after, 3, stride, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(after), nn.ReLU())


def _wider(before: int, after: int) -> nn.Module:
    """Twice as many rows and columns, and 2 n - 1 levels."""
    convolution = nn.ConvTranspose3d(before, after, 3, 2, 1, (0, 1, 1), bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(after))
