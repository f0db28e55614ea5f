"""Visual information fidelity in the pixel domain (Sheikh and Bovik), from four scales."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, centered, divide, prepare
from mma_unet.metrics._filters import correlate_separable, gaussian_window, pad_same, row_strips
from mma_unet.metrics.registry import metric

MIN_SIZE = 41
"""Below 41 pixels the fourth scale has no window left."""

_NOISE = 2.0
_FLAT = 1e-10


@metric(
    "VIF",
    "Visual information fidelity (VIFp), mean of two",
    suites={"canonical": 1, "paper": 1},
    min_size=41,
)
def vif(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Visual information fidelity, the mean of VIFp(ir, fused) and VIFp(vi, fused).

    How much of the information a viewer could draw from each source is still in the fused
    image: 0 nothing, 1 all; above 1 when contrast was raised. Higher is better. A constant
    source holds no information and counts as fully kept (1), as in CDDFuse's evaluator.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range, at least 41x41.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit, or the images are smaller than 41x41.

    Example:
        >>> image = torch.rand(1, 1, 48, 48, dtype=torch.float64)
        >>> round(vif(image, image, image).item(), 6)
        1.0
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    from_ir, from_vi = _vif_pair(fused, ir, vi)
    return (from_ir + from_vi) / 2


@metric(
    "VIF_sum", "2 x VIF: CDDFuse, Evaluation-for-Image-Fusion", suites={"cddfuse": 6}, min_size=41
)
def vif_sum(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """VIFp(ir, fused) + VIFp(vi, fused): twice `vif`, the number many papers print."""
    return 2 * vif(fused, ir, vi, data_range=data_range)


@metric("VIF_ir", "The infrared half of VIF", min_size=41)
def vif_ir(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """The infrared half of `vif`: VIFp(ir, fused)."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _vif_pair(fused, ir, vi)[0]


@metric("VIF_vi", "The visible half of VIF", min_size=41)
def vif_vi(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """The visible half of `vif`: VIFp(vi, fused)."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _vif_pair(fused, ir, vi)[1]


@metric("VIF_sum_uint8", "VIF_sum with the 8-bit overflow of Metric_TNO.xlsx", min_size=41)
def vif_sum_uint8(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """The VIF printed in Evaluation-for-Image-Fusion's tables, which is an 8-bit overflow.

    Products on the first scale are cut at 255; 0.14 off `vif_sum` in the median, up to 0.53 above.
    """
    images = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return torch.stack(_vif_of(torch.cat(images, dim=1), ceiling=PEAK)).sum(dim=0)


@metric("VIF_zoo", "IVIF_ZOO: zero border, shifted window, sum", min_size=16)
def vif_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's VIF: borders of zeros and a window off its center; the sum of both sources."""
    images = prepare(fused, ir, vi, data_range, 16)
    return torch.stack(_vif_of(torch.cat(images, dim=1), shifted=True)).sum(dim=0)


def _vif_pair(fused: Tensor, ir: Tensor, vi: Tensor) -> tuple[Tensor, Tensor]:
    return _vif_of(torch.cat([centered(fused), centered(ir), centered(vi)], dim=1))


def _vif_of(
    level: Tensor, *, ceiling: float | None = None, shifted: bool = False
) -> tuple[Tensor, Tensor]:
    """VIFp of both sources from (fused, ir, vi); the fused statistics are computed once."""
    kept = level.new_zeros(level.shape[0], 2)
    there = level.new_zeros(level.shape[0], 2)
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        window = _off_center(size) if shifted else gaussian_window(size, size / 5)
        margin = size // 2 if shifted else 0
        level = pad_same(level, margin)
        if scale > 1:
            level = pad_same(correlate_separable(level, window, step=2), margin)
        for strip in row_strips(level, size - 1):
            limit = ceiling if scale == 1 else None
            kept_here, there_here = _information(strip, window, limit)
            kept, there = kept + kept_here, there + there_here
        level = level[..., margin : level.shape[-2] - margin, margin : level.shape[-1] - margin]
    empty = (there == 0) & (kept == 0)
    ratio = divide(kept, there, empty, 1.0)
    return ratio[:, 0], ratio[:, 1]


@lru_cache(maxsize=8)
def _off_center(size: int) -> tuple[float, ...]:
    """IVIF_ZOO's window: places from -(size // 2 + 1) to size // 2, in equal steps."""
    places = torch.linspace(-(size // 2) - 1, size // 2, size, dtype=torch.float64)
    window = torch.exp(-(places**2) / (2 * (size / 5) ** 2))
    return tuple((window / window.sum()).tolist())


def source_gain(
    level: Tensor, window: tuple[float, ...], ceiling: float | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """How the fused image follows each source at one scale: the model that VIF and VIFF share.

    Args:
        level: (fused, ir, vi), `(B,3,h,w)`.
        window: Weights of the local statistics.
        ceiling: Squares and products are cut there, if given.

    Returns:
        Gain, variance of the source and variance of what the gain does not explain, each
        `(B,2,h,w)`; a gain without detail in source or fused image, or below 0, counts as none.
    """
    maps = torch.cat([level, level**2, level[:, 1:] * level[:, :1]], dim=1)
    if ceiling is not None:
        maps = torch.cat([maps[:, :3], maps[:, 3:].clamp(max=ceiling)], dim=1)
    local = correlate_separable(maps, window)
    means, squares, products = local[:, :3], local[:, 3:6], local[:, 6:]
    variances = (squares - means**2).clamp(min=0)
    covariance = products - means[:, 1:] * means[:, :1]
    var_fused, var_source = variances[:, :1], variances[:, 1:]

    has_detail = var_source >= _FLAT
    var_source = torch.where(has_detail, var_source, 0.0)
    gain = covariance / (var_source + _FLAT)
    faithful = has_detail & (var_fused >= _FLAT) & (gain >= 0)
    gain = torch.where(faithful, gain, 0.0)
    residual = (var_fused - gain * covariance).clamp(min=_FLAT)
    return gain, var_source, residual


def _information(
    level: Tensor, window: tuple[float, ...], ceiling: float | None
) -> tuple[Tensor, Tensor]:
    """Information kept and information there in one strip: `(B,3,h,w) -> (B,2), (B,2)`."""
    gain, var_source, residual = source_gain(level, window, ceiling)
    kept = torch.log1p(gain**2 * var_source / (residual + _NOISE))
    there = torch.log1p(var_source / _NOISE)
    return kept.sum(dim=(-2, -1)), there.sum(dim=(-2, -1))
