"""The pieces that the networks are built from (paper section 3, Fig. 2).

See also: `mma_unet.models.unet`, where the paper begins: stage I.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ChannelAttention", "DoubleConv", "PixelShuffleUp", "SqueezeExciteGate"]


class DoubleConv(nn.Sequential):
    """Two 3x3 convolutions, each with batch norm and ReLU: one level of the original U-Net.

    Maps `(B, in_channels, H, W)` to `(B, out_channels, H, W)`.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class SqueezeExciteGate(nn.Module):
    """Squeeze-and-excitation gate of one modality from the features of another (section 3.1).

    Maps VI features `(B, C, H, W)` to one weight in (0, 1) per channel, `(B, C, 1, 1)`, by which
    the IR features of the same level are multiplied. Nothing but the averages of the VI features
    counts, so that these averages `(B, C, 1, 1)` in their place yield the same gate.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, vi: Tensor) -> Tensor:
        """Gate of shape `(B, C, 1, 1)` for VI features `(B, C, H, W)`."""
        squeezed = self.squeeze(vi.mean(dim=(2, 3)))
        return torch.sigmoid(self.excite(F.relu(squeezed)))[:, :, None, None]


class ChannelAttention(nn.Module):
    """Channel attention in the manner of CBAM: one shared MLP over average and maximum pooling.

    Maps `(B, C, H, W)` to the same shape, each channel scaled by a weight in (0, 1).
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def weights(self, x: Tensor) -> Tensor:
        """Attention of shape `(B, C, 1, 1)` for features `(B, C, H, W)`."""
        return self.from_pooled(x.mean(dim=(2, 3)), x.amax(dim=(2, 3)))

    def from_pooled(self, mean: Tensor, peak: Tensor) -> Tensor:
        """Attention `(B, C, 1, 1)` for global averages and maxima, both `(B, C)`."""
        pooled = torch.stack([mean, peak])
        scores: Tensor = self.excite(F.relu(self.squeeze(pooled))).sum(dim=0)
        return torch.sigmoid(scores)[:, :, None, None]

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel of `x` by its attention."""
        return x * self.weights(x)


class PixelShuffleUp(nn.Sequential):
    """One octave up: a 3x3 convolution to `4 * out_channels`, then pixel shuffle (section 3.2).

    Maps `(B, in_channels, H, W)` to `(B, out_channels, 2H, 2W)`.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, 4 * out_channels, 3, padding=1, bias=False),
            nn.PixelShuffle(2),
        )
