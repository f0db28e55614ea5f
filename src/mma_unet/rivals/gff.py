"""GFF: two scales, weighed by saliency that the guided filter ties to the sources. No learning.

Shutao Li, Xudong Kang, Jianwen Hu, "Image Fusion with Guided Filtering", TIP 2013; the guided
filter: Kaiming He et al., "Guided Image Filtering", TPAMI 2013.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork

__all__ = ["CARD", "GFF", "guided_filter"]

Gray = npt.NDArray[np.float32]

_BASE = (31, 31)
"""Window whose mean is the base layer."""
_SALIENCY = (11, 11)
_SIGMA = 5
_FILTERS = ((45, 0.3), (7, 1e-6))
"""Radius and regularization of the guided filter for the base and for the detail layer."""
_LEAST = 1e-12


def guided_filter(guide: Gray, image: Gray, radius: int, regularization: float) -> Gray:
    """Smooth `image` but for the edges of `guide`.

    Args:
        guide: `(H, W)` in [0, 1].
        image: `(H, W)`.
        radius: Of the square window, in pixels.
        regularization: Variance of the guide below which all is smoothed.
    """

    def mean(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        side = 2 * radius + 1
        return np.asarray(cv2.blur(x, (side, side), borderType=cv2.BORDER_REFLECT), np.float64)

    i, p = guide.astype(np.float64), image.astype(np.float64)
    mean_i, mean_p = mean(i), mean(p)
    slope = (mean(i * p) - mean_i * mean_p) / (mean(i * i) - mean_i**2 + regularization)
    offset = mean_p - slope * mean_i
    return (mean(slope) * i + mean(offset)).astype(np.float32)


def _saliency(image: Gray) -> Gray:
    strength = np.abs(cv2.Laplacian(image, cv2.CV_32F))
    return np.asarray(cv2.GaussianBlur(strength, _SALIENCY, _SIGMA), np.float32)


def _fuse(ir: Gray, vi: Gray) -> Gray:
    chosen = (_saliency(ir) > _saliency(vi)).astype(np.float32)
    bases: list[Gray] = [
        np.asarray(cv2.blur(image, _BASE, borderType=cv2.BORDER_REFLECT), np.float32)
        for image in (ir, vi)
    ]
    details = [image - base for image, base in zip((ir, vi), bases, strict=True)]
    fused = np.zeros_like(ir)
    both = (bases, details)
    for layers, (radius, regularization) in zip(both, _FILTERS, strict=True):
        weights = [
            guided_filter(image, choice, radius, regularization).clip(0, 1)
            for image, choice in ((ir, chosen), (vi, 1 - chosen))
        ]
        total = weights[0] + weights[1] + _LEAST
        fused += (weights[0] * layers[0] + weights[1] * layers[1]) / total
    return fused


class GFF(RivalNetwork):
    """The method, which has no parameters."""

    bytes_per_pixel = 200

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`."""
        pairs = zip(ir.cpu().numpy()[:, 0], vi.cpu().numpy()[:, 0], strict=True)
        return torch.from_numpy(np.stack([_fuse(*pair) for pair in pairs]))[:, None].to(ir.device)


CARD = Card(
    name="gff",
    title="GFF",
    network=GFF,
    paper='Shutao Li, Xudong Kang, Jianwen Hu, "Image Fusion with Guided Filtering", TIP 2013',
    images="gray in [0, 1], clipped and rounded after it",
    differs="the radii and regularizations are the paper's; weights are clipped to [0, 1]",
)
