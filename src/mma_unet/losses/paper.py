"""The loss terms of the paper (equations 1 to 4), as functions.

The paper leaves several things open or contradicts itself; what is chosen here, and why, stands in
docs/paper-notes.md. The other readings are values of `FusionLossConfig`.

See also: `mma_unet.losses.fusion`, their weighted sum (equation 5).
"""

from __future__ import annotations

import torch
from kornia.filters import spatial_gradient
from kornia.metrics import ssim as ssim_map
from torch import Tensor
from torch.nn import functional as F

__all__ = ["gradient_loss", "reconstruction_loss", "sobel_magnitude", "ssim_loss"]


def reconstruction_loss(image: Tensor, output: Tensor) -> Tensor:
    """Mean squared error of two `(B, C, H, W)` images, a scalar (equation 1)."""
    return F.mse_loss(output, image)


def sobel_magnitude(image: Tensor) -> Tensor:
    """`|gx| + |gy|` by the Sobel operator, `(B, C, H, W)`, the nabla of equation 4.

    The kernels are those of the textbook (-1 0 1, -2 0 2, -1 0 1), not normalized; borders are
    replicated.
    """
    gradient: Tensor = spatial_gradient(image, mode="sobel", normalized=False)
    return gradient.abs().sum(dim=2)


def ssim_loss(fused: Tensor, source: Tensor, window: int = 11, *, halved: bool = False) -> Tensor:
    """`1 - SSIM` of two `(B, C, H, W)` images in [0, 1], a scalar in [0, 2] (equation 2).

    Args:
        fused: The fused image.
        source: A source image.
        window: Side of the Gaussian window (sigma 1.5).
        halved: Return the structural dissimilarity `(1 - SSIM) / 2`, clipped to [0, 1], that the
            authors' code takes from kornia.
    """
    value: Tensor = 1 - ssim_map(fused, source, window)
    return (value / 2).clamp(0, 1).mean() if halved else value.mean()


def gradient_loss(fused: Tensor, ir: Tensor, vi: Tensor, *, squared: bool = True) -> Tensor:
    """Distance of the fused gradient from the stronger source gradient (equation 4), a scalar.

    Args:
        fused: Fused image, `(B, C, H, W)`.
        ir: Infrared image of the same shape.
        vi: Visible image of the same shape.
        squared: Mean of squares as printed; otherwise the mean of absolute values.
    """
    target = torch.maximum(sobel_magnitude(ir), sobel_magnitude(vi))
    difference = sobel_magnitude(fused) - target
    return difference.square().mean() if squared else difference.abs().mean()
