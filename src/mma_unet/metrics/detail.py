"""Metrics of the fused image's own detail: spread, frequencies, gradients, edges."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, divide, prepare, safe_sqrt, spatial_mean
from mma_unet.metrics._filters import sobel
from mma_unet.metrics.registry import metric

MIN_SIZE = 2


@metric(
    "SD",
    "Standard deviation of the fused image, gray levels",
    suites={"canonical": 7, "cddfuse": 2, "vifb": 8},
)
def sd(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Standard deviation of the fused image in gray levels (0..127.5), over all pixels.

    Higher means more contrast. The sources are checked but do not enter.

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
        >>> half = torch.tensor([0.0, 1.0]).repeat(8).reshape(1, 1, 4, 4)
        >>> sd(half, half, half).item()
        127.5
    """
    fused, _, _ = prepare(fused, ir, vi, data_range)
    return safe_sqrt(spatial_mean((fused - fused.mean(dim=(-2, -1), keepdim=True)) ** 2))


@metric("SD_uint8", "SD with the 8-bit overflow of Metric_TNO.xlsx", smooth=False)
def sd_uint8(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """The SD printed in Evaluation-for-Image-Fusion's tables, which is an 8-bit overflow.

    Differences are rounded and cut to 0..255, their squares cut at 255: values of 6 to 12 where
    `sd` is 25 to 75.
    """
    fused, _, _ = prepare(fused, ir, vi, data_range)
    above = torch.floor(fused - fused.mean(dim=(-2, -1), keepdim=True) + 0.5).clamp(min=0)
    return torch.sqrt(spatial_mean((above**2).clamp(max=PEAK)))


def _steps(image: Tensor) -> tuple[Tensor, Tensor]:
    down = image[..., 1:, :] - image[..., :-1, :]
    across = image[..., 1:] - image[..., :-1]
    return down, across


@metric(
    "SF",
    "Spatial frequency of the fused image, gray levels",
    suites={"canonical": 8, "cddfuse": 3},
    min_size=2,
)
def sf(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Spatial frequency: root of the mean squared steps down plus those across, in gray levels.

    Each mean runs over its own steps. Higher means more detail (or noise). At least 2x2 pixels.
    """
    fused, _, _ = prepare(fused, ir, vi, data_range, MIN_SIZE)
    down, across = _steps(fused)
    return safe_sqrt(spatial_mean(down**2) + spatial_mean(across**2))


@metric("SF_unit", "SF / 255: Evaluation-for-Image-Fusion", min_size=2)
def sf_unit(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`sf` on the 0..1 scale (`sf / 255`), as Evaluation-for-Image-Fusion's tables print it."""
    return sf(fused, ir, vi, data_range=data_range) / PEAK


@metric("SF_vifb", "VIFB: sums over the number of pixels", suites={"vifb": 9}, min_size=2)
def vifb_sf(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """VIFB's spatial frequency: both sums are divided by the number of pixels, not of steps."""
    fused, _, _ = prepare(fused, ir, vi, data_range, MIN_SIZE)
    down, across = _steps(fused)
    total = (down**2).flatten(1).sum(dim=1) + (across**2).flatten(1).sum(dim=1)
    return safe_sqrt(total / (fused.shape[-1] * fused.shape[-2]))


def _gradient_strength(fused: Tensor) -> Tensor:
    down, across = torch.gradient(fused, dim=(-2, -1))
    return safe_sqrt((down**2 + across**2) / 2)


@metric(
    "AG", "Average gradient of the fused image, gray levels", suites={"canonical": 9}, min_size=2
)
def ag(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Average gradient: mean of `sqrt((gx^2 + gy^2) / 2)`, central differences, in gray levels.

    One-sided differences at the border. Higher means sharper (or noisier). At least 2x2 pixels.
    """
    fused, _, _ = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return spatial_mean(_gradient_strength(fused))


@metric("AG_matlab", "Sum over (H-1)(W-1): VIFB and others", suites={"vifb": 5}, min_size=2)
def ag_matlab(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`ag` with the sum divided by (H-1)(W-1): Evaluation-for-Image-Fusion and VIFB."""
    fused, _, _ = prepare(fused, ir, vi, data_range, MIN_SIZE)
    height, width = fused.shape[-2:]
    return _gradient_strength(fused).flatten(1).sum(dim=1) / ((height - 1) * (width - 1))


@metric("EI", "Edge intensity of the fused image, gray levels", suites={"canonical": 10, "vifb": 6})
def ei(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Edge intensity: mean Sobel magnitude with a replicated border, in gray levels.

    Higher means more edges. VIFB's convention.
    """
    fused, _, _ = prepare(fused, ir, vi, data_range)
    right, down = sobel(fused, "replicate")
    return spatial_mean(safe_sqrt(right**2 + down**2))


@metric("EI_zoo", "IVIF_ZOO: zero border")
def ei_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`ei` with a border of zeros, as IVIF_ZOO has it; the frame counts as an edge."""
    fused, _, _ = prepare(fused, ir, vi, data_range)
    right, down = sobel(fused)
    return spatial_mean(safe_sqrt(right**2 + down**2))


@metric(
    "Qsf",
    "Relative spatial frequency (Zheng)",
    suites={"canonical": 28},
    min_size=2,
    better=None,
    ideal=0.0,
)
def qsf(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Relative error of spatial frequency in four directions (Zheng): (SF_F - SF_R) / SF_R.

    The reference takes the larger step of the two sources at each place. Best at 0; negative
    means lost detail, positive means added noise. NaN when both sources are constant.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    ideal = torch.zeros_like(fused[:, 0, 0, 0])
    found = torch.zeros_like(ideal)
    steps = zip(*(_four_steps(image) for image in (fused, ir, vi)), strict=True)
    for weight, (own, one, two) in zip((1, 1, math.sqrt(0.5), math.sqrt(0.5)), steps, strict=True):
        found = found + weight * (own**2).flatten(1).sum(dim=1)
        ideal = ideal + weight * torch.maximum(one**2, two**2).flatten(1).sum(dim=1)
    return safe_sqrt(divide(found, ideal, ideal == 0, torch.nan)) - 1


def _four_steps(image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    down, across = _steps(image)
    falling = image[..., 1:, 1:] - image[..., :-1, :-1]
    rising = image[..., 1:, :-1] - image[..., :-1, 1:]
    return across, down, falling, rising
