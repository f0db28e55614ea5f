"""TGFuse: two transformers, over channels and over places, weigh the features of an encoder.

Dongyu Rao, Tianyang Xu, Xiao-Jun Wu, "TGFuse: An Infrared and Visible Image Fusion Approach Based
on Transformer and Generative Adversarial Network", TIP 2023. Written from the paper and the names
and shapes of its checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork

__all__ = ["CARD", "TGFuse"]

_WIDTH = 64
_BLOCKS = 4
_HEADS = 4
_LEVELS = 4
_PAD_TO = 256
_BORDER = 128.0
"""Gray level, of 255, of what is added at the bottom and at the right."""


class _Layer(nn.Module):
    """A convolution with reflected borders and a leaky ReLU, which the last one lacks."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, *, last: bool = False) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(
            inputs, outputs, kernel, padding=kernel // 2, padding_mode="reflect"
        )
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2d(x)
        return out if self.last else F.leaky_relu(out)


class _Residual(nn.Module):
    """Two convolutions, each with batch norm, beside the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = _Layer(_WIDTH, _WIDTH, 3), nn.BatchNorm2d(_WIDTH)
        self.conv2, self.bn2 = _Layer(_WIDTH, _WIDTH, 3), nn.BatchNorm2d(_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + x)


class _Level(nn.Module):
    """One scale of the encoder."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv1, self.res, self.conv2 = (
            _Layer(inputs, _WIDTH),
            _Residual(),
            _Layer(_WIDTH, _WIDTH),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.res(self.conv1(x)))
        return out


class _Attention(nn.Module):
    """Attention of tokens `(B, N, dim)` to each other."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, _HEADS, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return out


class _MLP(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class _Block(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim), _Attention(dim)
        self.norm2, self.mlp = nn.LayerNorm(dim), _MLP(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _Stack(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(dim) for _ in range(_BLOCKS)))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.blocks(x))
        return out


class _Depatch(nn.Module):
    def __init__(self, dim: int, values: int) -> None:
        super().__init__()
        self.projection = nn.Sequential(nn.Linear(dim, values))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.projection(x)
        return out


class _Transformer(nn.Module):
    """Tokens of `inputs` values to tokens of `outputs` values.

    Args:
        inputs: Values of a token that comes in.
        dim: Values of a token inside.
        outputs: Values of a token that goes out.
    """

    def __init__(self, inputs: int, dim: int, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Sequential(nn.Identity(), nn.Linear(inputs, dim))
        self.en = _Stack(dim)
        self.depatch = _Depatch(dim, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.depatch(self.en(self.embedding(tokens)))
        return out


class TGFuse(RivalNetwork):
    """The generator. Its discriminators serve the training alone and are not here.

    It takes gray levels 0..255, height and width multiples of 128; `prepare` pads to more.
    """

    bytes_per_pixel = 3_200
    truncates = True

    def __init__(self) -> None:
        super().__init__()
        self.conv_in1 = _Layer(2, 2)
        for level in range(_LEVELS):
            self.add_module(f"en{level}", _Level(_WIDTH if level else 2))
        self.ctrans3 = _Transformer(16 * 16, 128, 16 * 16)
        self.strans3 = _Transformer(4 * 4 * _WIDTH, 2048, 4 * 4)
        self.conv_out = _Layer(_WIDTH, 1, last=True)

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`."""
        x = self.conv_in1(torch.cat([vi, ir], 1))
        levels = []
        for level in range(_LEVELS):
            x = self.get_submodule(f"en{level}")(F.avg_pool2d(x, 2) if level else x)
            levels.append(x)
        masks = self._masks(x)
        weighed = [
            _larger(x * mask, 2**level)
            for level, (x, mask) in enumerate(zip(levels, masks, strict=True))
        ]
        out: Tensor = self.conv_out(weighed[3] + weighed[2] + weighed[1] + weighed[0])
        return out

    def _masks(self, deep: Tensor) -> list[Tensor]:
        """The weight of every place at the four scales, the finest first."""
        batch, channels, height, width = deep.shape
        rows, columns = height // 16, width // 16
        # every patch by itself; its channels are the tokens
        patches = deep.reshape(batch, channels, rows, 16, columns, 16).permute(0, 2, 4, 1, 3, 5)
        tokens = self.ctrans3(patches.reshape(-1, channels, 16 * 16))
        patches = tokens.reshape(batch, rows, columns, channels, 16, 16)
        x = patches.permute(0, 3, 1, 4, 2, 5).reshape(deep.shape)
        rows, columns = height // 4, width // 4
        # the whole image; its patches are the tokens
        patches = x.reshape(batch, channels, rows, 4, columns, 4).permute(0, 2, 4, 3, 5, 1)
        tokens = self.strans3(patches.reshape(batch, rows * columns, -1))
        mask = tokens.reshape(batch, rows, columns, 4, 4).transpose(2, 3)
        coarsest = mask.reshape(batch, 1, height, width)
        coarse = _larger(coarsest, 2)
        fine = _larger(coarse, 2) + _larger(coarsest, 4)
        return [
            _larger(fine, 2) + _larger(coarse, 4) + _larger(coarsest, 8),
            fine,
            coarse,
            coarsest,
        ]

    def prepare(self, image: Tensor) -> Tensor:
        """See `RivalNetwork.prepare`."""
        height, width = image.shape[-2:]
        beyond = (0, _PAD_TO - width % _PAD_TO, 0, _PAD_TO - height % _PAD_TO)
        return F.pad(image * 255, beyond, value=_BORDER)

    def finish(self, fused: Tensor) -> Tensor:
        """See `RivalNetwork.finish`."""
        return fused.clamp(0, 255) / 255

    def fuse_images(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.fuse_images`."""
        height, width = ir.shape[-2:]
        return super().fuse_images(ir, vi)[..., :height, :width]


def _larger(image: Tensor, factor: int) -> Tensor:
    """An image enlarged, its corners in the corners."""
    if factor == 1:
        return image
    return F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=True)


CARD = Card(
    name="tgfuse",
    title="TGFuse",
    network=TGFuse,
    paper=(
        'Dongyu Rao, Tianyang Xu, Xiao-Jun Wu, "TGFuse: An Infrared and Visible Image Fusion '
        'Approach Based on Transformer and Generative Adversarial Network", TIP 2023'
    ),
    code="https://github.com/dongyuya/TGFuse",
    code_license="no license found",
    weights="not in the repository of the code; its authors give them elsewhere",
    weights_license="no license found",
    images=(
        "gray levels 0..255, a border of 128 at the bottom and at the right up to a multiple of "
        "256 (a full one where none is needed); the result clipped and cut off to 8 bits"
    ),
    differs="checked with filled weights alone, as no official file was at hand",
)
