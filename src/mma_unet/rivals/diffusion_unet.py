"""The unconditional diffusion network of 256x256 images that DDFM samples with.

Prafulla Dhariwal, Alex Nichol, "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021.
Written from the paper and the names and shapes of its checkpoint.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.rivals.network import RivalNetwork

__all__ = ["DiffusionUNet"]

_MULTIPLIERS = (1, 1, 2, 2, 4, 4)
"""Width of each level, in units of the base width; the size is halved from one to the next."""
_ATTENTIVE = (3, 4, 5)
"""Levels with self-attention."""
_BLOCKS = 2
_GROUPS = 32


class _Residual(nn.Module):
    """Two convolutions, the second under scale and shift of the time, beside the identity.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        time: Values of the time vector.
        factor: By what the size changes: 1, 0.5 or 2.
    """

    def __init__(self, inputs: int, outputs: int, time: int, factor: float = 1) -> None:
        super().__init__()
        self.factor = factor
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.in_layers = nn.Sequential(nn.GroupNorm(_GROUPS, inputs), nn.SiLU(), conv)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * outputs))
        conv = nn.Conv2d(outputs, outputs, 3, padding=1)
        norm = nn.GroupNorm(_GROUPS, outputs)
        self.out_layers = nn.Sequential(norm, nn.SiLU(), nn.Identity(), conv)
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        norm, act, conv = self.in_layers
        h: Tensor = conv(self._resized(act(norm(x))))
        norm, *rest = self.out_layers
        scale, shift = self.emb_layers(time)[..., None, None].chunk(2, dim=1)
        h = norm(h) * (1 + scale) + shift
        for layer in rest:
            h = layer(h)
        out: Tensor = self.skip_connection(self._resized(x)) + h
        return out

    def _resized(self, x: Tensor) -> Tensor:
        if self.factor < 1:
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2) if self.factor > 1 else x


class _Attention(nn.Module):
    """Attention of every place to every other, in heads."""

    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.norm = nn.GroupNorm(_GROUPS, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, _: Tensor) -> Tensor:
        flat = x.flatten(2)
        batch, channels, places = flat.shape
        by_head = self.qkv(self.norm(flat)).reshape(batch, -1, 3, self.head, places)
        q, k, v = by_head.transpose(-2, -1).unbind(2)
        attended = F.scaled_dot_product_attention(q, k, v)
        attended = attended.transpose(-2, -1).reshape(batch, channels, places)
        out: Tensor = (flat + self.proj_out(attended)).reshape(x.shape)
        return out


class _First(nn.Conv2d):
    """The first convolution, which knows no time."""

    def forward(self, x: Tensor, _: Tensor | None = None) -> Tensor:
        return super().forward(x)


class DiffusionUNet(RivalNetwork):
    """The network that predicts the noise of an image, and a variance that is not used here.

    Args:
        width: Base width.
        head: Channels of an attention head.
    """

    def __init__(self, width: int = 256, head: int = 64) -> None:
        super().__init__()
        self.width, time = width, 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        last = len(_MULTIPLIERS) - 1
        channels, kept = width, [width]
        down: list[list[nn.Module]] = [[_First(3, width, 3, padding=1)]]
        for level, multiplier in enumerate(_MULTIPLIERS):
            for _ in range(_BLOCKS):
                parts: list[nn.Module] = [_Residual(channels, multiplier * width, time)]
                channels = multiplier * width
                parts += [_Attention(channels, head)] if level in _ATTENTIVE else []
                down.append(parts)
                kept.append(channels)
            if level < last:
                down.append([_Residual(channels, channels, time, 0.5)])
                kept.append(channels)
        up: list[list[nn.Module]] = []
        wide = channels
        for level, multiplier in reversed(list(enumerate(_MULTIPLIERS))):
            for place in range(_BLOCKS + 1):
                parts = [_Residual(channels + kept.pop(), multiplier * width, time)]
                channels = multiplier * width
                parts += [_Attention(channels, head)] if level in _ATTENTIVE else []
                if level and place == _BLOCKS:
                    parts.append(_Residual(channels, channels, time, 2))
                up.append(parts)
        self.input_blocks = nn.ModuleList(map(nn.ModuleList, down))
        self.middle_block = nn.ModuleList(
            [_Residual(wide, wide, time), _Attention(wide, head), _Residual(wide, wide, time)]
        )
        self.output_blocks = nn.ModuleList(map(nn.ModuleList, up))
        self.out = nn.Sequential(
            nn.GroupNorm(_GROUPS, width), nn.SiLU(), nn.Conv2d(width, 6, 3, padding=1)
        )

    def predict(self, x: Tensor, step: int) -> Tensor:
        """The noise in an image, and the variance.

        Args:
            x: `(1, 3, H, W)`, about [-1, 1] with noise; H and W multiples of 32.
            step: Of 1000, the amount of noise.

        Returns:
            `(1, 6, H, W)`: noise, then variance.
        """
        half = self.width // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half, device=x.device) / half)
        phases = (step * rates)[None].to(x.dtype)
        time = self.time_embed(torch.cat([phases.cos(), phases.sin()], 1))
        kept = []
        for block in self.input_blocks:
            x = _through(block, x, time)
            kept.append(x)
        x = _through(self.middle_block, x, time)
        for block in self.output_blocks:
            x = _through(block, torch.cat([x, kept.pop()], 1), time)
        out: Tensor = self.out(x)
        return out


def _through(parts: nn.Module, x: Tensor, time: Tensor) -> Tensor:
    for part in parts.children():
        x = part(x, time)
    return x
