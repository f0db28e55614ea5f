"""MFEIF: features of three dilations, weighted by attention to edges.

Jinyuan Liu et al., "Learning a Deep Multi-Scale Feature Ensemble and an Edge-Attention Guidance for
Image Fusion", TCSVT 2022. Written from the paper and the names and shapes of its checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork

__all__ = ["CARD", "MFEIF"]

_PATHS = {"a": 0.1, "b": 0.1, "c": 1.0}
"""The paths, of dilation 1, 2 and 3, and what the last feature of each weighs."""


class _Block(nn.Module):
    """A 3x3 convolution, batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Extraction(nn.Module):
    """Features of one image: the deepest, 64 channels, and two for the decoder, 48 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = _Block(1, 16)
        for dilation, path in enumerate(_PATHS, 1):
            self.add_module(f"conv_{path}1", _Block(16, 32, dilation))
            self.add_module(f"conv_{path}2", _Block(32, 48))
            self.add_module(f"conv_{path}3", _Block(48, 64))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = dict.fromkeys(_PATHS, self.conv_1(image))
        levels = []
        for depth in (1, 2, 3):
            features = {
                path: self.get_submodule(f"conv_{path}{depth}")(x) for path, x in features.items()
            }
            levels.append(features)
        shallow, middle, _ = (sum(level.values()) for level in levels)
        deep = sum(weight * levels[2][path] for path, weight in _PATHS.items())
        return deep, middle, shallow  # type: ignore[return-value]  # sums of tensors


class _Pair(nn.Module):
    """Two convolutions, the second dilated, with a ReLU between them."""

    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(inputs, inner, 3, padding=1)
        self.conv_2 = nn.Conv2d(inner, outputs, 3, padding=2, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv_2(F.relu(self.conv_1(x)))
        return out


class _Attention(nn.Module):
    """The weight of each pixel of an image, which its edges guide."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = _Pair(1, 32, 32)
        self.conv_2 = _Pair(32, 64, 128)
        self.conv_3 = _Pair(128, 64, 32)
        self.conv_4 = nn.Conv2d(32, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        guided = image + F.max_pool2d(gradient(image), 3, stride=1, padding=1)
        out: Tensor = self.conv_4(self.conv_3(self.conv_2(self.conv_1(guided))))
        return out


class _Construction(nn.Module):
    """The decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_1 = _Block(64, 16)
        self.conv_2 = _Block(16 + 48, 32)
        self.conv_3 = _Block(32 + 32, 16)
        self.conv_4 = _Block(16, 1)

    def forward(self, deep: Tensor, middle: Tensor, shallow: Tensor) -> Tensor:
        x = self.conv_2(torch.cat([self.conv_1(deep), middle], 1))
        out: Tensor = self.conv_4(self.conv_3(torch.cat([x, shallow], 1)))
        return out


class MFEIF(RivalNetwork):
    """The network; both sources go through the same extraction and attention."""

    radius = 15
    bytes_per_pixel = 4_000

    def __init__(self) -> None:
        super().__init__()
        self.ext = _Extraction()
        self.att = _Attention()
        self.con = _Construction()

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`."""
        (ir_deep, *ir_skips), (vi_deep, *vi_skips) = self.ext(ir), self.ext(vi)
        deep = (ir_deep * self.att(ir) + vi_deep * self.att(vi)).softmax(dim=1)
        skips = [(x + y + torch.minimum(x, y)) / 3 for x, y in zip(ir_skips, vi_skips, strict=True)]
        out: Tensor = self.con(deep, *skips)
        return out


def gradient(image: Tensor) -> Tensor:
    """Length of the gradient of `(B, 1, H, W)`: central differences, replicated borders.

    Example:
        >>> gradient(torch.tensor([[[[0.0, 1.0, 4.0]]]]))
        tensor([[[[0.5000, 2.0000, 1.5000]]]])
    """
    wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
    across = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
    down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
    return (across.square() + down.square()).sqrt()


CARD = Card(
    name="mfeif",
    title="MFEIF",
    network=MFEIF,
    paper=(
        'Jinyuan Liu, Xin Fan, Ji Jiang, Risheng Liu, Zhongxuan Luo, "Learning a Deep Multi-Scale '
        'Feature Ensemble and an Edge-Attention Guidance for Image Fusion", TCSVT 2022'
    ),
    code="https://github.com/JinyuanLiu-CV/MFEIF",
    code_license="no license stated",
    weights="https://github.com/JinyuanLiu-CV/MFEIF, weights/default.pth",
    weights_license="no license stated",
    digests=("de730170d4e7c794c476bdf1ace00b3f949ce12fe332dec4d83aa0a961d809b6",),
    images="gray in [0, 1], as it is; the result clipped and rounded",
    differs=(
        "the authors' script decodes color files straight to gray, which for JPEG moves levels by "
        "up to 8; here they are decoded to color and reduced to luminance"
    ),
)
