"""Metrics of linear correlation between fused image and sources."""

from __future__ import annotations

import torch
from torch import Tensor

from mma_unet.metrics._common import prepare
from mma_unet.metrics.registry import metric


@metric("CC", "Pearson correlation, mean of two", suites={"canonical": 12})
def cc(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Mean of the two Pearson correlations of the fused image with its sources, -1 to 1.

    Higher is better. NaN when one of the images is constant.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit.

    Example:
        >>> image = torch.rand(1, 1, 8, 8, dtype=torch.float64)
        >>> round(abs(cc(image, image, 1 - image).item()), 6)
        0.0
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    return (_pearson(ir, fused) + _pearson(vi, fused)) / 2


@metric("SCD", "Sum of the correlations of differences", suites={"canonical": 13, "cddfuse": 5})
def scd(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Sum of the correlations of differences: r(F - V, I) + r(F - I, V), -2 to 2.

    What the fused image adds to one source should look like the other. Higher is better. NaN
    when a source is constant or the fused image equals one.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    return _pearson(fused - vi, ir) + _pearson(fused - ir, vi)


def _pearson(one: Tensor, other: Tensor) -> Tensor:
    """Pearson correlation per image; NaN (without a gradient) where one of them is constant."""
    constant = _is_constant(one) | _is_constant(other)
    one, other = one.flatten(1), other.flatten(1)
    one = one - one.mean(dim=1, keepdim=True)
    other = other - other.mean(dim=1, keepdim=True)
    energy = (one**2).sum(dim=1) * (other**2).sum(dim=1)
    energy = torch.where(constant, 1.0, energy)
    value = (one * other).sum(dim=1) / torch.sqrt(energy)
    return torch.where(constant, torch.nan, value)


def _is_constant(image: Tensor) -> Tensor:
    low, high = torch.aminmax(image.detach().flatten(1), dim=1)
    return low == high
