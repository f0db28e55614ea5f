"""DDFM: an unconditional diffusion whose every step is drawn towards both sources by one EM step.

Zixiang Zhao et al., "DDFM: Denoising Diffusion Model for Multi-Modality Image Fusion", ICCV 2023.
Written from the paper.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.rivals.card import Card
from mma_unet.rivals.diffusion_unet import DiffusionUNet
from mma_unet.rivals.network import stretch

__all__ = ["CARD", "DDFM", "Rectifier", "from_ycbcr", "to_ycbcr"]

STEPS = 100
_ALL_STEPS = 1000
_SEED = 3407
_LAMBDA, _RHO = 0.5, 0.001
_SMALL = 1e-6
_YCBCR = torch.tensor(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]],
    dtype=torch.float64,
)
"""From RGB in [0, 1] to Y, Cb and Cr of BT.601 in 16..235 and 16..240, less the offsets."""
_OFFSETS = torch.tensor([16.0, 128.0, 128.0], dtype=torch.float64)


def to_ycbcr(image: Tensor) -> Tensor:
    """RGB `(B, 3, H, W)` as YCbCr, 255 as 1."""
    turned = torch.einsum("dc,bchw->bdhw", _YCBCR.to(image), image)
    return (turned + _OFFSETS.to(image)[:, None, None]) / 255


def from_ycbcr(image: Tensor) -> Tensor:
    """The inverse of `to_ycbcr`."""
    shifted = image * 255 - _OFFSETS.to(image)[:, None, None]
    return torch.einsum("dc,bchw->bdhw", _YCBCR.inverse().to(image), shifted)


class Rectifier:
    """The EM iteration: likelihood of the sources given an image, under total variation.

    Its state is kept from one diffusion step to the next.

    Args:
        one: Source I of the paper, `(1, 1, H, W)` in [-1, 1].
        other: Source V.
    """

    def __init__(self, one: Tensor, other: Tensor) -> None:
        self.one, self.other = one, other
        self._tau_one = self._tau_other = torch.ones((), device=one.device)
        self._across = self._down = torch.zeros_like(one)
        kernel = torch.zeros_like(one)
        kernel[..., 0, 0], kernel[..., 0, -1] = -1, 1
        self._by_x = torch.fft.fft2(kernel)
        kernel = torch.zeros_like(one)
        kernel[..., 0, 0], kernel[..., -1, 0] = -1, 1
        self._by_y = torch.fft.fft2(kernel)

    def __call__(self, image: Tensor) -> Tensor:
        """One iteration.

        Args:
            image: `(1, 1, H, W)`.

        Returns:
            The image, nearer to both sources.
        """
        apart = self.one - self.other
        x = image - self.other
        d = (2 / self._tau_other / (x.square() + _SMALL)).sqrt()
        c = (2 / self._tau_one / (apart - x + _SMALL).square()).sqrt()
        d = torch.minimum(d, 2 * c)
        self._tau_other = (1 / (d + 1e-10) + self._tau_other / 2).mean()
        self._tau_one = (1 / (c + 1e-10) + self._tau_one / 2).mean()
        wanted = (
            torch.fft.fft2(apart - x)
            + self._by_x.conj() * torch.fft.fft2(self._across)
            + self._by_y.conj() * torch.fft.fft2(self._down)
        )
        damping = 1 + self._by_x.abs().square() + self._by_y.abs().square()
        smooth = torch.fft.ifft2(wanted / damping).real
        share = _RHO / (2 * _LAMBDA + _RHO)
        self._across = share * (smooth - F.pad(smooth[..., 1:], (0, 1)))
        self._down = share * (smooth - F.pad(smooth[..., 1:, :], (0, 0, 0, 1)))
        x = (2 * c * apart + _RHO * (apart - smooth)) / (2 * c + 2 * d + _RHO)
        nearer: Tensor = self.one - x
        return nearer


class DDFM(DiffusionUNet):
    """The sampler over the network; 100 passes for one pair."""

    bytes_per_pixel = 15_000
    passes = STEPS

    def __init__(self, width: int = 256, head: int = 64) -> None:
        super().__init__(width, head)
        betas = torch.linspace(1e-4, 0.02, _ALL_STEPS, dtype=torch.float64, device="cpu")
        kept = (1 - betas).cumprod(0)
        self.times = [round(i * (_ALL_STEPS - 1) / (STEPS - 1)) for i in range(STEPS)]
        self.kept = [float(kept[time]) for time in self.times]

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`; the authors' I is the visible image, their V the infrared."""
        rectify = Rectifier(vi, ir)
        noise = torch.Generator().manual_seed(_SEED)
        x = torch.randn((1, 3, *ir.shape[-2:]), generator=noise).to(ir)
        for index in reversed(range(STEPS)):
            x = self.step(x, index, rectify)
            self.on_pass(STEPS - index, STEPS)
        return x

    def step(self, x: Tensor, index: int, rectify: Rectifier) -> Tensor:
        """One step of the diffusion (DDIM, without new noise).

        Args:
            x: `(1, 3, H, W)`.
            index: From 99, all noise, down to 0.
            rectify: The EM iteration, applied to the luminance of the clean image.
        """
        now = self.kept[index]
        before = self.kept[index - 1] if index else 1.0
        noise = self.predict(x, self.times[index])[:, :3]
        by_x, by_noise = math.sqrt(1 / now), math.sqrt(1 / now - 1)
        clean = (by_x * x - by_noise * noise).clamp(-1, 1)
        ycbcr = to_ycbcr(clean)
        clean = from_ycbcr(torch.cat([rectify(ycbcr[:, :1]), ycbcr[:, 1:]], 1))
        noise = (by_x * x - clean) / by_noise
        x = math.sqrt(before) * clean + math.sqrt(1 - before) * noise
        return x

    def once(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.once`."""
        return self.predict(torch.cat([ir, vi, ir], 1), 0)

    def prepare(self, image: Tensor) -> Tensor:
        """See `RivalNetwork.prepare`."""
        height, width = image.shape[-2:]
        return F.pad(image, (0, -width % 32, 0, -height % 32), mode="replicate") * 2 - 1

    def fuse_images(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.fuse_images`."""
        height, width = ir.shape[-2:]
        fused: Tensor = self(self.prepare(ir), self.prepare(vi))[..., :height, :width]
        weights = torch.tensor([0.299, 0.587, 0.114]).to(fused)
        return stretch(torch.einsum("c,bchw->bhw", weights, fused)[:, None])


CARD = Card(
    name="ddfm",
    title="DDFM",
    network=DDFM,
    paper=(
        'Zixiang Zhao et al., "DDFM: Denoising Diffusion Model for Multi-Modality Image Fusion", '
        "ICCV 2023"
    ),
    code="https://github.com/Zhaozixiang1228/MMIF-DDFM",
    code_license="no license found",
    weights=(
        "https://github.com/openai/guided-diffusion, 256x256_diffusion_uncond.pt (2.2 GB), which "
        "is not trained for fusion"
    ),
    weights_license="MIT",
    images=(
        "gray in [-1, 1]; 100 of 1000 steps from fixed noise; the luminance of the result "
        "stretched min-max to the full range and rounded"
    ),
    differs=(
        "the authors' script reads the visible image as I and the infrared as V of its formulas, "
        "and so it is here; it crops to multiples of 32 pixels, here the sources are padded; "
        "checked with filled weights alone, as no official file was at hand"
    ),
)
