"""How the fused image comes out of what the decoder yields: drawn, or blended from the sources.

The maps may be of lower precision than the sources; the result has that of the sources.

See also: `mma_unet.models.weights`, how a trained network is kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.models.config import MMAUNetConfig

__all__ = ["BandsHead", "BlendHead", "CellsHead", "ImageHead", "make_head"]

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
        bands: Octaves of detail, at least one; what is coarser is blended as a last band.
    """

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.bands = bands
        self.maps = 2 * (bands + 1) + 1

    def forward(self, maps: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuse by `maps`, `(B, maps * C, H, W)`; H and W are multiples of `2**bands`."""
        finest, coarser, rest = torch.split(maps, self.sizes(ir.shape[1]), dim=1)
        cells = F.pixel_unshuffle(torch.cat([finest, rest], dim=1), 2)
        return self.from_cells(torch.cat([cells, F.avg_pool2d(coarser, 2)], dim=1), ir, vi)

    def sizes(self, channels: int) -> list[int]:
        """Maps of the finest band, of all others and the one to add, for C channels."""
        return [2 * channels, 2 * channels * self.bands, channels]

    def from_cells(self, cells: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuse by maps at half the size, with a fraction of the traffic of memory.

        Args:
            cells: `(B, 4 * 2C + 4 * C + bands * 2C, H/2, W/2)`: the weights of the finest band
                and the map to add with the four pixels of each 2x2 cell in the channels, then the
                weights of the other bands averaged over each cell.
            ir: `(B, C, H, W)`.
            vi: The same shape.
        """
        channels = ir.shape[1]
        of_finest, of_coarser, of_rest = self.sizes(channels)
        finest, rest, coarser = torch.split(cells, [4 * of_finest, 4 * of_rest, of_coarser], dim=1)
        pixels = F.pixel_unshuffle(torch.cat([ir, vi], dim=1), 2)
        level = torch.unflatten(pixels, 1, (2 * channels, 4)).mean(dim=2)
        fused = _blend_bands(coarser, level)
        upsampled = _upsampled_cells(torch.cat([level, fused], dim=1))
        smooth, fused = _parted(upsampled, 4 * of_finest)
        return F.pixel_shuffle(_blend(finest, pixels - smooth) + fused + rest, 2)


def _blend_bands(weights: Tensor, level: Tensor) -> Tensor:
    """The blend of a pyramid of `level`, `(B, 2C, H, W)`, by `weights` `(B, bands * 2C, H, W)`."""
    channels = level.shape[1]
    if weights.shape[1] == channels:
        return _blend(weights, level)
    first, coarser = _parted(weights, channels)
    half = F.avg_pool2d(torch.cat([level, coarser], dim=1), 2)
    half, coarser = _parted(half, channels)
    fused = _blend_bands(coarser, half)
    upsampled = F.pixel_shuffle(_upsampled_cells(torch.cat([half, fused], dim=1)), 2)
    smooth, fused = _parted(upsampled, channels)
    return _blend(first, level - smooth) + fused


def _parted(maps: Tensor, first: int) -> tuple[Tensor, ...]:
    """The first channels and the others."""
    return torch.split(maps, [first, maps.shape[1] - first], dim=1)


def _blend(weights: Tensor, layers: Tensor) -> Tensor:
    of_ir, of_vi = torch.chunk(weights * layers, 2, dim=1)
    return of_ir + of_vi


def _upsampled_cells(image: Tensor) -> Tensor:
    """Bilinear interpolation to twice the size, `(B, C, H, W)` to the cells `(B, 4C, H, W)`.

    Spelled out because runtimes keep plain arithmetic on images in float32, and an interpolation
    not: in bfloat16 an image has steps of a gray level of 255.
    """
    rows = F.pad(image, (0, 0, 1, 1), mode="replicate")
    upper, lower = (0.25 * rows[..., i : i + image.shape[2], :] for i in (0, 2))
    phases = []
    for row in (0.75 * image + upper, 0.75 * image + lower):
        columns = F.pad(row, (1, 1, 0, 0), mode="replicate")
        phases += [0.75 * row + 0.25 * columns[..., i : i + image.shape[3]] for i in (0, 2)]
    return torch.stack(phases, dim=2).flatten(1, 2)


class CellsHead(nn.Module):
    """`BandsHead.from_cells` as the head of a network whose last convolution yields cells."""

    def __init__(self, head: BandsHead) -> None:
        super().__init__()
        self.bands = head

    def forward(self, cells: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
        """See `BandsHead.from_cells`."""
        return self.bands.from_cells(cells, ir, vi)


def make_head(config: MMAUNetConfig) -> ImageHead | BlendHead | BandsHead:
    """The head that `config.head` names."""
    if config.head == "image":
        return ImageHead()
    bands = min(_MOST_BANDS, config.size_multiple.bit_length() - 1)
    if config.head == "blend" or bands == 0:
        return BlendHead()
    return BandsHead(bands)
