"""Nabf, the share of edges in the fused image that neither source has (Shreyamsha Kumar)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, prepare, safe_sqrt
from mma_unet.metrics._filters import sobel
from mma_unet.metrics.registry import metric

MIN_SIZE = 3
_EDGE = 2.0
_WEAK_WEIGHT = 0.001
_STEADY = 1e-3


@metric(
    "Nabf", "Share of edges neither source has", suites={"canonical": 14}, min_size=3, better=False
)
def nabf(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Fusion artifacts: weight of edges stronger in the fused image than in both sources.

    Sobel/8 on 0..255 with a mirrored border; edges below 2 gray levels weigh 0.001, others
    strength^1.5. 0 to 1; lower is better.

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
        >>> image = torch.rand(1, 1, 8, 8)
        >>> nabf(image, image, image).item()
        0.0
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _artifacts(fused, ir, vi, _WEAK_WEIGHT)


@metric(
    "Nabf_misordered",
    "Nabf with arguments mixed up: Evaluation-for-Image-Fusion",
    min_size=3,
    better=None,
)
def nabf_misordered(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`nabf` with its arguments mixed up as Evaluation-for-Image-Fusion calls it.

    The infrared image stands for the fused one, and visible and fused image for the sources.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _artifacts(ir, vi, fused, _WEAK_WEIGHT)


@metric("Nabf_unit", "Nabf of 0..1 images", min_size=3, better=False)
def nabf_unit(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`nabf` on 0..1 images: no edge reaches the threshold of 2, so all edges weigh the same."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _artifacts(fused / PEAK, ir / PEAK, vi / PEAK, _WEAK_WEIGHT)


@metric("Nabf_zoo", "IVIF_ZOO: weak edges left out", min_size=3, better=False)
def nabf_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's `nabf`, where edges below the threshold weigh nothing."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _artifacts(fused, ir, vi, 0.0)


def _edges(images: Tensor) -> tuple[Tensor, Tensor]:
    right, down = sobel(images, "reflect")
    right, down = right / 8, down / 8
    strength = safe_sqrt(right**2 + down**2)
    # The reference measures the angle from the vertical; 0 where there is no edge.
    steady = down.abs() > _STEADY
    slope = torch.where(
        steady,
        right / torch.where(steady, down, 1.0),
        (right / down).detach(),
    )
    return strength, torch.where(strength == 0, 0.0, torch.atan(slope))


def _artifacts(fused: Tensor, first: Tensor, second: Tensor, weak: float) -> Tensor:
    strength, angle = _edges(torch.cat([fused, first, second], dim=1))
    own, sources = strength[:, :1], strength[:, 1:]
    blank = (own == 0) | (sources == 0)
    stronger = torch.where(blank, 1.0, torch.maximum(own, sources))
    ratio = torch.where(blank, 0.0, torch.minimum(own, sources)) / stronger
    alignment = ((angle[:, 1:] - angle[:, :1]).abs() - math.pi / 2).abs() * (2 / math.pi)

    kept_strength = 0.9999 * torch.sigmoid(19 * (ratio - 0.5))
    kept_angle = 0.9995 * torch.sigmoid(22 * (alignment - 0.5))
    kept = torch.sqrt(kept_strength * kept_angle)

    strong = sources >= _EDGE
    raised = torch.where(strong, sources, 1.0) ** 1.5
    weights = torch.where(strong, raised, weak)
    new = (own > sources).all(dim=1, keepdim=True)
    lost = (weights * (1 - kept) * new).flatten(1).sum(dim=1)
    return lost / weights.flatten(1).sum(dim=1)
