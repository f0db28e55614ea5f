"""LRRNet: low-rank and sparse codes of both images, by unfolded iterations, and a small decoder.

Hui Li et al., "LRRNet: A Novel Representation Learning Guided Fusion Network for Infrared and
Visible Images", TPAMI 2023. Written from the paper and the names and shapes of its checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork, stretch

__all__ = ["CARD", "LRRNet"]

_CODES = 128
_ITERATIONS = 4
_SPARE = 1e-5 / 255
"""What the authors add to the range of 0..255 before they divide by it."""


class _Conv(nn.Module):
    """A 3x3 convolution with reflected borders."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2d(x)
        return out


class _Step(nn.Module):
    """One iteration: the codes, corrected by what they leave of the image unexplained."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_Wdz = _Conv(2 * _CODES, 1)
        self.conv_Wdtz = _Conv(1, 2 * _CODES)

    def forward(self, image: Tensor, codes: Tensor) -> Tensor:
        out: Tensor = self.conv_Wdtz(image - self.conv_Wdz(codes))
        return out


class _Encoder(nn.Module):
    """Learned iterative shrinkage: image `(B, 1, H, W)` to codes `(B, 256, H, W)`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_W00 = _Conv(1, 2 * _CODES)
        self.lamj = nn.Parameter(torch.full((1, 2 * _CODES), 0.01))
        self.lamz = nn.Parameter(torch.ones(1, 1))
        for number in range(_ITERATIONS):
            self.add_module(f"lrrblock{number}", _Step())

    def forward(self, image: Tensor) -> Tensor:
        codes = self._shrink(self.conv_W00(image))
        for number in range(_ITERATIONS):
            step = self.get_submodule(f"lrrblock{number}")
            codes = self._shrink(self.lamz * codes + step(image, codes))
        return codes

    def _shrink(self, codes: Tensor) -> Tensor:
        """Soft thresholding, a threshold for each channel."""
        threshold = self.lamj[..., None, None]
        return codes.sign() * (codes.abs() - threshold).clamp(min=0)


class _Decoder(nn.Module):
    """A map from each of the four codes; the two low-rank ones and the two sparse ones merged."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_ReZx = _Conv(_CODES, 1)
        self.conv_ReUx = _Conv(_CODES, 1)
        self.conv_ReZy = _Conv(_CODES, 1)
        self.conv_ReUy = _Conv(_CODES, 1)
        self.conv_ReL = _Conv(2, 1)
        self.conv_ReH = _Conv(2, 1)

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        (ir_low, ir_sparse), (vi_low, vi_sparse) = ir.chunk(2, 1), vi.chunk(2, 1)
        low = torch.cat([self.conv_ReZx(ir_low), self.conv_ReZy(vi_low)], 1)
        high = torch.cat([self.conv_ReUx(ir_sparse), self.conv_ReUy(vi_sparse)], 1)
        out: Tensor = self.conv_ReL(low) + self.conv_ReH(high)
        return out


class LRRNet(RivalNetwork):
    """The network; both sources and the result are stretched to the full range."""

    radius = 2 * _ITERATIONS + 3
    bytes_per_pixel = 6_000
    least = 2
    truncates = True

    def __init__(self) -> None:
        super().__init__()
        self.get_ls1 = _Encoder()
        self.get_ls2 = _Encoder()
        self.decoder = _Decoder()

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`."""
        out: Tensor = self.decoder(self.get_ls1(ir), self.get_ls2(vi))
        return out

    def prepare(self, image: Tensor) -> Tensor:
        """See `RivalNetwork.prepare`."""
        return stretch(image, _SPARE)

    def finish(self, fused: Tensor) -> Tensor:
        """See `RivalNetwork.finish`."""
        return stretch(fused, 1e-5)


CARD = Card(
    name="lrrnet",
    title="LRRNet",
    network=LRRNet,
    paper=(
        'Hui Li, Tianyang Xu, Xiao-Jun Wu, Jiwen Lu, Josef Kittler, "LRRNet: A Novel '
        'Representation Learning Guided Fusion Network for Infrared and Visible Images", TPAMI 2023'
    ),
    code="https://github.com/hli1221/imagefusion-LRRNet",
    code_license="no license stated",
    weights=(
        "https://github.com/hli1221/imagefusion-LRRNet, "
        "model/final_lrr_net_lam2_1.5_wir_3.0_lam3_gram_2000_epoch_4_block_4.model"
    ),
    weights_license="no license stated",
    digests=("1de9dd8dee9b650ce69c74ea53e3b9a6b749222f1059a689aabf28f68ee63e29",),
    images=(
        "gray; each source stretched min-max to the full range, the result too, then cut off to 8 "
        "bits, not rounded"
    ),
    differs=(
        "the authors' script decodes color files straight to gray, which for JPEG moves levels by "
        "up to 8; here they are decoded to color and reduced to luminance"
    ),
)
