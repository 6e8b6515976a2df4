"""The network of bands, in PyTorch: for training alone. `bands` runs its weights without PyTorch.

Both bands pass the same convolutions. How far apart the line is in them is read from the products of what these find
at every shift between the bands, so that a line is told alike wherever it lies; soft-argmin over the shifts (Kendall et
al., ICCV 2017) gives parts of a pixel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from veristem.recon.contours.learned import SCALE_PX
from veristem.recon.stereo.bands import ACROSS, REACH

_FOUND, _PRODUCTS, _VOLUME, _ALONG = 12, 2, 10, 64  # channels
_SHIFTS = 14  # to either side, in places across a band
_STEP_PX = 2 * REACH * SCALE_PX / (ACROSS - 1)


class BandNetwork(nn.Module):
    """Where a line is in two bands along it."""

    shifts: Tensor
    places: Tensor

    def __init__(self):
        super().__init__()
        count = 2 * _SHIFTS + 1
        self.found = nn.Sequential(_flat(1, _FOUND), _flat(_FOUND, _FOUND, 2), _flat(_FOUND, _FOUND, 4))
        self.compared, self.line = nn.Conv2d(_FOUND, _FOUND, 1), nn.Conv2d(_FOUND, 1, 3, 1, 1)
        self.volume = nn.Sequential(
            _flat(_PRODUCTS, _VOLUME), _flat(_VOLUME, _VOLUME, 2), _flat(_VOLUME, _VOLUME, 4),
            nn.Conv2d(_VOLUME, 1, 3, 1, 1),
        )  # fmt: skip
        self.along = nn.Sequential(
            _thin(count + 2 * ACROSS, _ALONG), _thin(_ALONG, _ALONG, 2), _thin(_ALONG, _ALONG, 4),
            nn.Conv1d(_ALONG, 2, 1),
        )  # fmt: skip
        self.register_buffer("shifts", _STEP_PX * torch.arange(-_SHIFTS, _SHIFTS + 1.0)[:, None], persistent=False)
        middle = ACROSS // 2
        self.register_buffer("places", _STEP_PX * torch.arange(-middle, middle + 1.0)[:, None], persistent=False)

    def forward(self, bands: Tensor) -> Tensor:
        """(N, 4, K) `bands.OUTPUTS` of bands (N, 2, ACROSS, K)."""
        count, _, across, along = bands.shape
        found = self.found(bands.reshape(2 * count, 1, across, along))
        line = torch.log_softmax(self.line(found).reshape(count, 2, across, along), dim=2)
        shift = torch.log_softmax(self.volume(self._products(found, count))[:, 0], dim=1)
        apart = (shift.exp() * self.shifts).sum(1)
        aside = (line.exp() * self.places).sum(2).mean(1)
        there, log_variance = self.along(torch.cat([shift, line.flatten(1, 2)], dim=1)).unbind(1)
        return torch.stack([apart, aside, there, log_variance], dim=1)

    def _products(self, found: Tensor, count: int) -> Tensor:
        """(N, products, shifts, K): means over the band of what the first shows times what the second does, shifted."""
        across, along = found.shape[2:]
        first, second = (
            self.compared(found).reshape(count, 2, _PRODUCTS, -1, across, along).permute(1, 0, 2, 5, 4, 3).unbind(0)
        )
        every = torch.matmul(first.flip(-2), second.transpose(-1, -2)) / across  # of each place with each
        # padded to one more column than there are shifts and read in rows of as many: diagonals become columns
        skewed = pad(every, (0, across)).flatten(-2)[..., : across * (2 * across - 1)]
        diagonals = skewed.unflatten(-1, (across, 2 * across - 1)).sum(-2)
        return diagonals[..., across - 1 - _SHIFTS : across + _SHIFTS].permute(0, 1, 3, 2)


def _flat(before: int, after: int, dilation: int = 1) -> nn.Module:
    """3 x 3, dilated along the curve alone."""
    convolution = nn.Conv2d(before, after, 3, 1, (1, dilation), (1, dilation), bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


def _thin(before: int, after: int, dilation: int = 1) -> nn.Module:
    convolution = nn.Conv1d(before, after, 3, 1, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(after), nn.ReLU())
