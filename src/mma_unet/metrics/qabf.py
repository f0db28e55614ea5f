"""Qabf, gradient information kept (Xydeas and Petrovic), and its variants."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, divide, prepare, safe_sqrt
from mma_unet.metrics._filters import pad_same, row_strips, sobel
from mma_unet.metrics.registry import metric

MIN_SIZE = 3
_STEADY = 1e-3
"""Below this horizontal difference the edge angle is held constant in the backward pass."""


@metric(
    "Qabf",
    "Edge strength and direction kept (Xydeas-Petrovic)",
    suites={"canonical": 4, "paper": 4, "cddfuse": 7, "vifb": 7},
    min_size=3,
)
def qabf(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """How well edge strength and direction of both sources are kept, weighted by edge strength.

    Sobel with a zero border on 0..255. 0 to about 0.975 (the value of identical images; the
    published formula gives no 1). Higher is better; NaN when both sources have no edge at all.
    Ties are treated as the reference does: where fused and source strengths are equal the
    strength itself stands in for their ratio, and the angle is pi/2 where the horizontal
    difference is zero. The value jumps there, the gradient stays finite.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range, at least 3x3.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit, or the images are smaller than 3x3.

    Example:
        >>> image = torch.rand(1, 1, 16, 16)
        >>> round(qabf(image, image, image).item(), 3)
        0.975
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _qabf(fused, ir, vi)


@metric("Qabf_unit", "Qabf of 0..1 images; ties by rounding", min_size=3)
def qabf_unit(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`qabf` computed on 0..1 images; rounding decides its ties, so trust two digits only."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _qabf(fused / PEAK, ir / PEAK, vi / PEAK)


@metric("QG", "Z. Liu's Q_G: other constants, mean of ratios", min_size=3)
def qg_zliu(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Q_G of Z. Liu's toolbox: other constants, and the mean of the per-pixel ratio.

    Every pixel counts alike, edges or not; up to 0.35 away from `qabf`.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    right, down = sobel(torch.cat([fused, ir, vi], dim=1))
    strength = safe_sqrt(right**2 + down**2)
    angle = torch.atan(down / torch.where(right == 0, 1e-5, right))
    own, sources = strength[:, :1], strength[:, 1:]
    guarded = torch.where(sources == 0, 1e-5, sources)
    # The reference guards the fused strength only after the first source has been compared.
    own_guarded = torch.where(own == 0, 1e-5, own)
    compared = torch.cat([own, own_guarded], dim=1)
    ratio = torch.where(sources > compared, compared / guarded, guarded / own_guarded)
    alignment = ((angle[:, 1:] - angle[:, :1]).abs() - math.pi / 2).abs() * (2 / math.pi)
    kept = torch.sigmoid(10 * (ratio - 0.5)) * torch.sigmoid(20 * (alignment - 0.75))
    quality = (kept * guarded).sum(dim=1) / guarded.sum(dim=1)
    return quality.mean(dim=(-2, -1))


def _edges(images: Tensor) -> tuple[Tensor, Tensor]:
    """Edge strength and angle in [-pi/2, pi/2); -pi/2 where the horizontal difference is 0."""
    right, down = sobel(images, None)
    strength = safe_sqrt(right**2 + down**2)
    slope = down / right
    if slope.requires_grad:
        steady = right.abs() > _STEADY
        slope = torch.where(steady, down / torch.where(steady, right, 1.0), slope.detach())
    # The reference's vertical axis points up: all its angles have the other sign, as has its pi/2.
    return strength, torch.where(right == 0, -math.pi / 2, torch.atan(slope))


def _qabf(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    kept = there = torch.zeros_like(fused[:, 0, 0, 0])
    for strip in row_strips(pad_same(torch.cat([fused, ir, vi], dim=1), 1), 2):
        kept_here, there_here = _edges_kept(strip)
        kept, there = kept + kept_here, there + there_here
    return divide(kept, there, there == 0, torch.nan)


def _edges_kept(strip: Tensor) -> tuple[Tensor, Tensor]:
    """Strength of the sources' edges that is kept, and that is there: `(B,3,h,w)` to `(B,)`."""
    strength, angle = _edges(strip)
    of_fused, of_source = strength[:, :1], strength[:, 1:]
    tie = of_fused == of_source
    stronger = torch.maximum(of_fused, of_source)
    ratio = divide(torch.minimum(of_fused, of_source), stronger, tie, of_fused)
    turned = (angle[:, 1:] - angle[:, :1]).abs()

    kept_strength = torch.sigmoid(15 * ratio - 7.5)
    # 22 (D - 0.8) with D = 1 - turned / (pi/2)
    kept_angle = torch.sigmoid(4.4 - (44 / math.pi) * turned)
    kept = kept_strength * kept_angle * of_source
    return 0.9994 * 0.9879 * kept.flatten(1).sum(dim=1), of_source.flatten(1).sum(dim=1)
