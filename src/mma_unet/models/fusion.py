"""Asymmetric, cross-scale fusion of two feature pyramids (paper section 3.2).

See also: `mma_unet.models.mma_unet`, the whole network, whose decoder comes next.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from mma_unet.models.blocks import ChannelAttention
from mma_unet.models.config import MMAUNetConfig

__all__ = ["AsymmetricFusion", "PairFusion"]


def _descend(channels: int, octaves: int, downsampling: str) -> nn.Sequential:
    """Bring a map down by `octaves`: for each, halve the size, then a 1x1 convolution."""
    steps: list[nn.Module] = []
    for octave in range(octaves):
        width = channels * 2**octave
        if downsampling == "average":
            steps += [nn.AvgPool2d(2), nn.Conv2d(width, 2 * width, 1)]
        else:
            steps += [nn.PixelUnshuffle(2), nn.Conv2d(4 * width, 2 * width, 1)]
    return nn.Sequential(*steps)


class PairFusion(nn.Module):
    """Fuse one VI level with one IR level at the scale of the deeper one.

    The shallower map is brought down, the two are added, channel attention weighs the sum. The
    result has the shape of the deeper map.

    Args:
        config: The network.
        pair: `(vi_level, ir_level)`, 1-based, as in `config.pairing`.
    """

    def __init__(self, config: MMAUNetConfig, pair: tuple[int, int]) -> None:
        super().__init__()
        channels = config.channels
        vi_level, ir_level = pair
        self.vi_down = _descend(
            channels[vi_level - 1], max(ir_level - vi_level, 0), config.downsampling
        )
        self.ir_down = _descend(
            channels[ir_level - 1], max(vi_level - ir_level, 0), config.downsampling
        )
        fused = channels[max(vi_level, ir_level) - 1]
        self.attention: nn.Module = (
            ChannelAttention(fused, config.reduction)
            if config.attention == "cbam"
            else nn.Identity()
        )

    def add(self, ir: Tensor, vi: Tensor) -> Tensor:
        """The sum of the two maps at the scale of the deeper one, before attention."""
        added: Tensor = self.vi_down(vi) + self.ir_down(ir)
        return added

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuse the two maps of one pair."""
        fused: Tensor = self.attention(self.add(ir, vi))
        return fused


class AsymmetricFusion(nn.Module):
    """All pairs of `config.pairing`: two feature pyramids in, one fused map per pair out."""

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__()
        self.pairing = config.pairing
        self.pairs = nn.ModuleList(PairFusion(config, pair) for pair in config.pairing)

    def forward(self, ir: Sequence[Tensor], vi: Sequence[Tensor]) -> list[Tensor]:
        """Fused maps in the order of `config.pairing`, each at its pair's deeper level."""
        return [
            fuse(ir[i - 1], vi[v - 1])
            for fuse, (v, i) in zip(self.pairs, self.pairing, strict=True)
        ]
