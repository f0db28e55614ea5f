"""MMA-UNet: two encoders, the asymmetric fusion and the pixel-shuffle decoder (paper Fig. 2).

See also: `mma_unet.models.heads`, the last step, and `mma_unet.losses`, what it is trained with
(paper section 3.3).

Paper: Huang, Li, Tan, Li, Ye, "MMA-UNet: A Multi-Modal Asymmetric UNet Architecture for Infrared
and Visible Image Fusion", 2024.

Example:
    >>> import torch
    >>> model = MMAUNet(preset("tiny")).eval()
    >>> ir, vi = torch.rand(1, 1, 32, 48), torch.rand(1, 1, 32, 48)
    >>> model(ir, vi).shape
    torch.Size([1, 1, 32, 48])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mma_unet.models.blocks import DoubleConv, PixelShuffleUp
from mma_unet.models.config import MMAUNetConfig, preset
from mma_unet.models.descriptor import Descriptor
from mma_unet.models.fusion import AsymmetricFusion
from mma_unet.models.heads import make_head
from mma_unet.models.hub import HubNetwork
from mma_unet.models.unet import Encoder, IRUNet, VIUNet

__all__ = ["FusionDecoder", "MMAUNet", "run_padded"]


class FusionDecoder(nn.Module):
    """From the deepest fused map up to the image, by convolution and pixel shuffle.

    On the way up, the fused map of a level joins as a skip (concatenation and a double
    convolution); a level without one is passed through. The last step up ends in a 1x1
    convolution to the image.
    """

    def __init__(self, config: MMAUNetConfig) -> None:
        super().__init__()
        channels = config.channels
        deepest = max(config.fused_levels)
        levels = range(deepest - 1, 0, -1)
        self.slots = [
            config.fused_levels.index(level) if level in config.fused_levels else None
            for level in levels
        ]
        self.start = config.fused_levels.index(deepest)
        self.ups = nn.ModuleList(
            PixelShuffleUp(channels[level], channels[level - 1]) for level in levels
        )
        self.blocks = nn.ModuleList(
            nn.Identity()
            if slot is None
            else DoubleConv(2 * channels[level - 1], channels[level - 1])
            for level, slot in zip(levels, self.slots, strict=True)
        )
        last = nn.Conv2d(config.width, config.in_channels * make_head(config).maps, 1)
        if last.bias is not None:
            # Start inside the range: from mid-gray, or from the average of the sources.
            nn.init.constant_(last.bias, 0.5)
            if config.head != "image":
                nn.init.zeros_(last.bias[-config.in_channels :])
        self.to_image: nn.Module = last

    def forward(self, fused: Sequence[Tensor]) -> Tensor:
        """Fused maps in the order of `config.pairing` to what the head takes."""
        x = fused[self.start]
        for up, block, slot in zip(self.ups, self.blocks, self.slots, strict=True):
            x = up(x)
            if slot is not None:
                x = block(torch.cat([fused[slot], x], dim=1))
        image: Tensor = self.to_image(x)
        return image


class MMAUNet(nn.Module, HubNetwork):
    """The fusion network that runs at inference: no stage-I decoder is part of it.

    Args:
        config: The network, as `MMAUNetConfig` or as the plain values of its `to_dict` (which is
            what `from_pretrained` passes). `MMAUNet()` is the paper's.
    """

    def __init__(self, config: MMAUNetConfig | dict[str, Any] | None = None) -> None:
        super().__init__()
        if config is None:
            config = preset("paper")
        self.config = (
            config if isinstance(config, MMAUNetConfig) else MMAUNetConfig.from_dict(config)
        )
        self.vi_encoder = Encoder(self.config, depth=self.config.vi_depth)
        self.ir_encoder = Encoder(
            self.config, depth=self.config.ir_depth, guided=self.config.guided
        )
        self.fusion = AsymmetricFusion(self.config)
        self.decoder = FusionDecoder(self.config)
        self.head: nn.Module = make_head(self.config)

    @classmethod
    def from_stage_one(
        cls, ir_unet: IRUNet, vi_unet: VIUNet, config: MMAUNetConfig | None = None
    ) -> MMAUNet:
        """A new fusion network on trained stage-I encoders (paper section 3.2).

        Args:
            ir_unet: Trained IR-UNet.
            vi_unet: Trained VI-UNet.
            config: Config of the fusion network, that of `ir_unet` by default; only `pairing` and
                `attention` may differ from it.
        """
        model = cls(config if config is not None else ir_unet.config)
        for encoder, source in (
            (model.ir_encoder, ir_unet.encoder),
            (model.vi_encoder, vi_unet.encoder),
        ):
            wanted = encoder.state_dict()
            encoder.load_state_dict({k: v for k, v in source.state_dict().items() if k in wanted})
        return model

    def describe(self) -> Descriptor:
        """What the network can do, for whoever runs it."""
        config = self.config
        return Descriptor(config.in_channels, config.size_multiple, True, ("fp32", "bf16"))

    def features(self, ir: Tensor, vi: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Features `(ir_levels, vi_levels)` of two images as `forward` takes them: section 3.1."""
        vi_features = self.vi_encoder(vi)
        return self.ir_encoder(ir, vi_features), vi_features

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuse two registered images.

        Args:
            ir: `(B, in_channels, H, W)` in [0, 1]; H and W multiples of `config.size_multiple`.
            vi: The same shape and range.

        Returns:
            The fused image of the same shape, nominally in [0, 1] but not clipped.
        """
        ir_features, vi_features = self.features(ir, vi)
        fused = self.fusion(ir_features, vi_features)
        maps = self.decoder(fused)
        image: Tensor = self.head(maps, ir, vi)
        return image

    def forward_padded(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Like `forward` for any height and width: pad by replication, fuse, crop back."""
        return run_padded(self, self.config.size_multiple, ir, vi)


def run_padded(
    network: Callable[[Tensor, Tensor], Tensor], multiple: int, ir: Tensor, vi: Tensor
) -> Tensor:
    """`network(ir, vi)` for any height and width: pad by replication, run, crop back.

    Args:
        network: What takes and returns `(B, C, H, W)` with H and W multiples of `multiple`.
        multiple: See `MMAUNetConfig.size_multiple`.
        ir: `(B, C, H, W)` of any size.
        vi: The same shape.
    """
    height, width = ir.shape[-2:]
    pad = (0, -width % multiple, 0, -height % multiple)
    if any(pad):
        ir, vi = (nn.functional.pad(x, pad, mode="replicate") for x in (ir, vi))
    return network(ir, vi)[..., :height, :width]
