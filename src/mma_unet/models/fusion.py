"""Asymmetric, cross-scale fusion of two feature pyramids (paper section 3.2)."""

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
    """

    def __init__(self, config: MMAUNetConfig, vi_level: int, ir_level: int) -> None:
        super().__init__()
        channels = config.channels
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

    def mix(self, vi: Tensor, ir: Tensor) -> Tensor:
        """The sum of the two maps of one pair, before attention."""
        mixed: Tensor = self.vi_down(vi) + self.ir_down(ir)
        return mixed

    def forward(self, vi: Tensor, ir: Tensor) -> Tensor:
        """Fuse the two maps of one pair."""
        fused: Tensor = self.attention(self.mix(vi, ir))
        return fused


class AsymmetricFusion(nn.Module):
    """All pairs of `config.pairing`: two feature pyramids in, one fused map per pair out."""

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__()
        self.pairing = config.pairing
        self.pairs = nn.ModuleList(PairFusion(config, vi, ir) for vi, ir in config.pairing)

    def forward(self, vi: Sequence[Tensor], ir: Sequence[Tensor]) -> list[Tensor]:
        """Fused maps in the order of `config.pairing`, each at its pair's deeper level."""
        return [
            fuse(vi[v - 1], ir[i - 1])
            for fuse, (v, i) in zip(self.pairs, self.pairing, strict=True)
        ]

    def mix(self, vi: Sequence[Tensor], ir: Sequence[Tensor]) -> list[Tensor]:
        """The sums of all pairs before attention, in the order of `config.pairing`."""
        return [
            fuse.mix(vi[v - 1], ir[i - 1])
            for fuse, (v, i) in zip(self._pairs(), self.pairing, strict=True)
        ]

    def attentions(self) -> list[ChannelAttention]:
        """The attention of each pair in the order of `config.pairing`; none if there is none."""
        found = (fuse.attention for fuse in self._pairs())
        return [attention for attention in found if isinstance(attention, ChannelAttention)]

    def _pairs(self) -> list[PairFusion]:
        return [fuse for fuse in self.pairs if isinstance(fuse, PairFusion)]
