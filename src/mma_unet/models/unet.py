"""Stage I: VI-UNet, and IR-UNet guided by the VI features (paper section 3.1).

See also: `mma_unet.models.fusion`, which fuses what the two encoders yield.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mma_unet.models.blocks import DoubleConv, SqueezeExciteGate
from mma_unet.models.config import MMAUNetConfig

__all__ = ["Encoder", "IRUNet", "UNetDecoder", "VIUNet"]


class Encoder(nn.Module):
    """U-Net encoder: a double convolution per level, max pooling between levels.

    Level `k` (1-based) of an image `(B, in_channels, H, W)` is
    `(B, width * 2**(k-1), H / 2**(k-1), W / 2**(k-1))`.

    Args:
        config: The network; `width`, `in_channels` and `reduction` are used.
        depth: Levels to build, `config.depth` by default.
        guided: Whether each level is gated by the features of another encoder.
    """

    def __init__(
        self, config: MMAUNetConfig, *, depth: int | None = None, guided: bool = False
    ) -> None:
        super().__init__()
        channels = config.channels[:depth]
        self.levels = nn.ModuleList(
            DoubleConv(a, b) for a, b in pairwise((config.in_channels, *channels))
        )
        self.pool = nn.MaxPool2d(2)
        self.gates = nn.ModuleList(
            SqueezeExciteGate(c, config.reduction) for c in (channels if guided else ())
        )

    def forward(self, image: Tensor, guide: Sequence[Tensor] = ()) -> list[Tensor]:
        """Features of all levels.

        Args:
            image: `(B, in_channels, H, W)`, H and W multiples of `2**(depth-1)`.
            guide: VI features, one map per level, if this encoder is guided; else unused.

        Raises:
            ValueError: If the encoder is guided and `guide` has too few levels.
        """
        if len(guide) < len(self.gates):
            raise ValueError(f"a guided encoder needs {len(self.gates)} levels of VI features")
        features: list[Tensor] = []
        x = image
        for level, block in enumerate(self.levels):
            x = block(self.pool(x) if level else x)
            if self.gates:
                x = x * self.gates[level](guide[level])
            features.append(x)
        return features


class UNetDecoder(nn.Module):
    """U-Net decoder of stage I: transposed convolutions with the encoder maps as skips.

    Maps the features of an `Encoder` back to an image `(B, in_channels, H, W)`.
    """

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__()
        deep_to_shallow = config.channels[::-1]
        steps = list(pairwise(deep_to_shallow))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in steps)
        self.blocks = nn.ModuleList(DoubleConv(2 * b, b) for _, b in steps)
        self.to_image = nn.Conv2d(config.width, config.in_channels, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Reconstruct the image from all levels of features."""
        x = features[-1]
        for up, block, skip in zip(self.ups, self.blocks, features[-2::-1], strict=True):
            x = block(torch.cat([skip, up(x)], dim=1))
        image: Tensor = self.to_image(x)
        return image


class VIUNet(nn.Module):
    """The original U-Net, image in, same image out: stage I for the visible images."""

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = UNetDecoder(config)

    def forward(self, vi: Tensor) -> Tensor:
        """Reconstruct `vi` of shape `(B, in_channels, H, W)` in [0, 1]; the output is unclipped."""
        image: Tensor = self.decoder(self.encoder(vi))
        return image


class IRUNet(nn.Module):
    """The same U-Net for IR; if `config.guided`, VI features gate each encoder level."""

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, guided=config.guided)
        self.decoder = UNetDecoder(config)

    def forward(self, ir: Tensor, guide: Sequence[Tensor] = ()) -> Tensor:
        """Reconstruct `ir` of shape `(B, in_channels, H, W)`, given VI features if guided."""
        image: Tensor = self.decoder(self.encoder(ir, guide))
        return image
