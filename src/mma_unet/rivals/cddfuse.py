"""CDDFuse: what the images share, split into base (attention) and detail (invertible) features.

Zixiang Zhao et al., "CDDFuse: Correlation-Driven Dual-Branch Feature Decomposition for
Multi-Modality Image Fusion", CVPR 2023. Written from the paper and the names and shapes of its
checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork, stretch

__all__ = ["CARD", "CDDFuse"]

_WIDTH = 64
_HEADS = 8


def _conv(inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)


class _Norm(nn.Module):
    """Layer norm over the channels of each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LayerNorm(_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x.movedim(1, -1)).movedim(-1, 1)
        return out


def _attend(queries_keys_values: Tensor, scale: Tensor) -> Tensor:
    """Attention of channels to channels, in heads: `(B, 192, H, W)` to `(B, 64, H, W)`."""
    size = queries_keys_values.shape[-2:]
    batch = len(queries_keys_values)
    q, k, v = queries_keys_values.reshape(batch, 3, _HEADS, _WIDTH // _HEADS, -1).unbind(1)
    similar = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
    return ((similar * scale).softmax(dim=-1) @ v).reshape(batch, _WIDTH, *size)


class _Attention(nn.Module):
    """Channel attention behind a depthwise convolution (Restormer)."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(_HEADS, 1, 1))
        self.qkv = _conv(_WIDTH, 3 * _WIDTH)
        self.qkv_dwconv = _conv(3 * _WIDTH, 3 * _WIDTH, 3, groups=3 * _WIDTH)
        self.project_out = _conv(_WIDTH, _WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        attended = _attend(self.qkv_dwconv(self.qkv(x)), self.temperature)
        out: Tensor = self.project_out(attended)
        return out


class _BaseAttention(nn.Module):
    """Channel attention behind a full convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(_HEADS, 1, 1))
        self.qkv1 = _conv(_WIDTH, 3 * _WIDTH)
        self.qkv2 = _conv(3 * _WIDTH, 3 * _WIDTH, 3)
        self.proj = _conv(_WIDTH, _WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(_attend(self.qkv2(self.qkv1(x)), self.scale))
        return out


class _FeedForward(nn.Module):
    """Two 3x3 convolutions of groups, one of which opens and closes the other."""

    def __init__(self, inner: int, groups: int) -> None:
        super().__init__()
        self.project_in = _conv(_WIDTH, 2 * inner)
        self.dwconv = _conv(2 * inner, 2 * inner, 3, groups=groups)
        self.project_out = _conv(inner, _WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        out: Tensor = self.project_out(F.gelu(gate) * value)
        return out


class _Transformer(nn.Module):
    """A block of the encoder and of the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn = _Norm(), _Attention()
        self.norm2, self.ffn = _Norm(), _FeedForward(2 * _WIDTH, groups=4 * _WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.ffn(self.norm2(x))
        return out


class _Base(nn.Module):
    """The block of the base features."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn = _Norm(), _BaseAttention()
        self.norm2, self.mlp = _Norm(), _FeedForward(_WIDTH, groups=_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _Bottleneck(nn.Module):
    """What one half of the channels adds to, or multiplies on, the other."""

    def __init__(self) -> None:
        super().__init__()
        self.bottleneckBlock = nn.Sequential(
            _conv(_WIDTH // 2, _WIDTH),
            nn.ReLU6(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(_WIDTH, _WIDTH, 3, groups=_WIDTH, bias=False),
            nn.ReLU6(),
            _conv(_WIDTH, _WIDTH // 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bottleneckBlock(x)
        return out


class _Node(nn.Module):
    """An invertible step on the two halves of the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.theta_phi, self.theta_rho, self.theta_eta = _Bottleneck(), _Bottleneck(), _Bottleneck()
        self.shffleconv = nn.Conv2d(_WIDTH, _WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.shffleconv(x).chunk(2, dim=1)
        two = two + self.theta_phi(one)
        one = one * self.theta_rho(two).exp() + self.theta_eta(two)
        return torch.cat([one, two], 1)


class _Detail(nn.Module):
    """The block of the detail features."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.net = nn.Sequential(*(_Node() for _ in range(nodes)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class _Embedding(nn.Module):
    """The first convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = _conv(1, _WIDTH, 3)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.proj(image)
        return out


class _Encoder(nn.Module):
    """Base and detail features of one image."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = _Embedding()
        self.encoder_level1 = nn.Sequential(*(_Transformer() for _ in range(4)))
        self.baseFeature = _Base()
        self.detailFeature = _Detail(3)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.encoder_level1(self.patch_embed(image))
        return self.baseFeature(shared), self.detailFeature(shared)


class _Decoder(nn.Module):
    """From features to an image, as a change of the visible one."""

    def __init__(self) -> None:
        super().__init__()
        self.reduce_channel = _conv(2 * _WIDTH, _WIDTH)
        self.encoder_level2 = nn.Sequential(*(_Transformer() for _ in range(4)))
        self.output = nn.Sequential(_conv(_WIDTH, 32, 3), nn.LeakyReLU(), _conv(32, 1, 3))

    def forward(self, vi: Tensor, base: Tensor, detail: Tensor) -> Tensor:
        x = self.encoder_level2(self.reduce_channel(torch.cat([base, detail], 1)))
        return torch.sigmoid(self.output(x) + vi)


class CDDFuse(RivalNetwork):
    """The network; one encoder serves both sources."""

    bytes_per_pixel = 5_000
    least = 2

    def __init__(self) -> None:
        super().__init__()
        self.DIDF_Encoder, self.DIDF_Decoder = _Encoder(), _Decoder()
        self.BaseFuseLayer, self.DetailFuseLayer = _Base(), _Detail(1)

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`."""
        (ir_base, ir_detail), (vi_base, vi_detail) = self.DIDF_Encoder(ir), self.DIDF_Encoder(vi)
        base = self.BaseFuseLayer(vi_base + ir_base)
        detail = self.DetailFuseLayer(vi_detail + ir_detail)
        out: Tensor = self.DIDF_Decoder(vi, base, detail)
        return out

    def finish(self, fused: Tensor) -> Tensor:
        """See `RivalNetwork.finish`."""
        return stretch(fused)


CARD = Card(
    name="cddfuse",
    title="CDDFuse",
    network=CDDFuse,
    paper=(
        'Zixiang Zhao et al., "CDDFuse: Correlation-Driven Dual-Branch Feature Decomposition for '
        'Multi-Modality Image Fusion", CVPR 2023'
    ),
    code="https://github.com/Zhaozixiang1228/MMIF-CDDFuse",
    code_license="no license found",
    weights="https://github.com/Zhaozixiang1228/MMIF-CDDFuse, models/CDDFuse_IVF.pth",
    weights_license="no license found",
    images="gray in [0, 1], as it is; the result stretched min-max to the full range and rounded",
    differs="checked with filled weights alone, as no official file was at hand",
)
