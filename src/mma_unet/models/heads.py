"""How the fused image comes out of what the decoder yields: drawn, or blended from the sources."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.models.config import MMAUNetConfig

__all__ = ["BandsHead", "BlendHead", "ImageHead", "make_head"]

_MOST_BANDS = 4


class ImageHead(nn.Module):
    """The paper's: the decoder draws the image itself."""

    maps = 1
    """Maps of the decoder per channel of the image."""

    def forward(self, maps: Tensor, ir: Tensor, vi: Tensor) -> Tensor:  # noqa: ARG002
        """`maps`, `(B, C, H, W)`, as they are."""
        return maps


class BlendHead(nn.Module):
    """Three maps a, b, c: the fused image is `a * IR + b * VI + c`."""

    maps = 3

    def forward(self, maps: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuse by `maps`, `(B, 3C, H, W)`."""
        a, b, c = maps.chunk(3, dim=1)
        return a * ir + b * vi + c


class BandsHead(nn.Module):
    """A blend for each band of a Laplacian pyramid of the sources, and a map to add.

    So fine texture can come from one source where the brightness comes from the other, which a
    single weight per pixel cannot say. The weights of a band are averaged over its larger pixels.

    Args:
        bands: Octaves of detail; what is coarser is blended as a last band.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.maps = 2 * (bands + 1) + 1

    def forward(self, maps: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuse by `maps`, `(B, maps * C, H, W)`; H and W are multiples of `2**bands`."""
        channels = ir.shape[1]
        sizes = [2 * channels] * (self.bands + 1) + [channels]
        *weights, rest = torch.split(maps, sizes, dim=1)
        level = torch.cat([ir, vi], dim=1)
        blends = []
        for octave in range(self.bands):
            coarser = F.avg_pool2d(level, 2)
            blends.append(self._blend(weights[octave], level - _up(coarser), octave))
            level = coarser
        fused = self._blend(weights[-1], level, self.bands)
        for blend in reversed(blends):
            fused = _up(fused) + blend
        return fused + rest

    def _blend(self, weights: Tensor, layers: Tensor, octave: int) -> Tensor:
        if octave:
            weights = F.avg_pool2d(weights, 2**octave)
        of_ir, of_vi = torch.chunk(weights * layers, 2, dim=1)
        return of_ir + of_vi


def _up(image: Tensor) -> Tensor:
    return F.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)


def make_head(config: MMAUNetConfig) -> ImageHead | BlendHead | BandsHead:
    """The head that `config.head` names."""
    if config.head == "image":
        return ImageHead()
    if config.head == "blend":
        return BlendHead()
    return BandsHead(min(_MOST_BANDS, config.size_multiple.bit_length() - 1))
