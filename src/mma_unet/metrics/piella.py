"""Qs, Qw and Qe: SSIM maps weighted by where the sources have something to show (Piella)."""

from __future__ import annotations

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, prepare, safe_sqrt, spatial_mean
from mma_unet.metrics._filters import gaussian_window, prewitt
from mma_unet.metrics._structure import FUSED, IR, VI, local_statistics, share
from mma_unet.metrics.registry import metric

MIN_SIZE = 11
_WINDOW = gaussian_window(11, 1.5)
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


@metric("Qs", "SSIM mixed by local variance (Piella)", suites={"canonical": 18}, min_size=11)
def qs(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """SSIM of the fused image with both sources, mixed at each place by their local variances.

    -1 to 1; higher is better. Where both sources are flat they share equally. A constant fused
    image is compared as any other and scores near 0; three equal constants score 1.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range, at least 11x11.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit, or the images are smaller than 11x11.

    Example:
        >>> image = torch.rand(1, 1, 16, 16, dtype=torch.float64)
        >>> round(qs(image, image, image).item(), 6)
        1.0
    """
    quality, _ = _quality(*prepare(fused, ir, vi, data_range, MIN_SIZE))
    return spatial_mean(quality)


@metric("Qw", "Qs weighted by local variance (Piella)", suites={"canonical": 19}, min_size=11)
def qw(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """As `qs`, averaged with the larger local variance as weight, so that flat areas count less."""
    return _weighted(*prepare(fused, ir, vi, data_range, MIN_SIZE))


@metric("Qw_edges", "Qw of Prewitt edges", min_size=11)
def qw_edges(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`qw` of the Prewitt edge strengths instead of the images."""
    images = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _weighted(*(_edge_strength(image) for image in images))


@metric(
    "Qe", "Qw of the images times Qw of their edges (Piella)", suites={"canonical": 20}, min_size=11
)
def qe(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Edge-dependent quality: `qw` times `qw_edges`.

    The public MATLAB function stops with an error at this point; the product is what its author
    and the paper mean, with the exponent 1.
    """
    images = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _weighted(*images) * _weighted(*(_edge_strength(image) for image in images))


def _edge_strength(image: Tensor) -> Tensor:
    right, down = prewitt(image)
    return safe_sqrt(right**2 + down**2)


def _quality(fused: Tensor, ir: Tensor, vi: Tensor) -> tuple[Tensor, Tensor]:
    """The mixed SSIM map, and the larger of the sources' local variances."""
    local = local_statistics(torch.cat([fused, ir, vi], dim=1), _WINDOW)
    first, second = local.variances[:, IR], local.variances[:, VI]
    of_ir = share(first, second)
    with_ir = local.similarity(FUSED, IR, _C1, _C2)
    with_vi = local.similarity(FUSED, VI, _C1, _C2)
    # The reference gives windows where both sources are flat a variance of 0.5.
    flat = (first + second == 0) * 0.5
    return of_ir * with_ir + (1 - of_ir) * with_vi, torch.maximum(first, second) + flat


def _weighted(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    quality, saliency = _quality(fused, ir, vi)
    return (quality * saliency).flatten(1).sum(dim=1) / saliency.flatten(1).sum(dim=1)
