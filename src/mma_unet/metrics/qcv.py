"""Qcv, error seen by a model of contrast sensitivity, weighted by local edges (Chen-Varshney)."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as tnf
from torch import Tensor

from mma_unet.metrics._common import prepare, safe_sqrt, stretch
from mma_unet.metrics._filters import sobel
from mma_unet.metrics.registry import metric

MIN_SIZE = 3
_REGION = 16


@metric(
    "Qcv",
    "Perceived error by region (Chen-Varshney)",
    suites={"canonical": 21, "vifb": 13},
    min_size=3,
    better=False,
)
def qcv(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Perceived squared error of the fused image, weighted by the sources' edges per region.

    Images are stretched to 0..255 and rounded; the differences to both sources pass the
    Mannos-Sakrison contrast sensitivity; their mean squares in 16x16 regions are averaged with
    the regions' summed fifth powers of Sobel strength. 0 and up; lower is better. NaN when an
    image is constant. The rounding passes gradients straight through.

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
        >>> image = torch.rand(1, 1, 32, 32)
        >>> qcv(image, image, image).item()
        0.0
    """
    images = stretch(torch.cat(prepare(fused, ir, vi, data_range, MIN_SIZE), dim=1))
    images = images + (torch.floor(images + 0.5) - images).detach()
    target, sources = images[:, :1], images[:, 1:]

    right, down = sobel(sources)
    # Scaled before the fifth power, which would overflow in float32; it cancels in the ratio.
    strength = safe_sqrt(right**2 + down**2) / 1024
    saliency = _region_sums(strength**5)

    height, width = images.shape[-2:]
    curve = _sensitivity(height, width, images.dtype, images.device)
    seen = torch.fft.irfft2(torch.fft.rfft2(sources - target) * curve, s=(height, width))
    error = _region_sums(seen**2) / _REGION**2
    return (saliency * error).flatten(1).sum(dim=1) / saliency.flatten(1).sum(dim=1)


def _region_sums(maps: Tensor) -> Tensor:
    """Sums over 16x16 regions; the last ones are filled up with zeros."""
    height, width = maps.shape[-2:]
    padded = tnf.pad(maps, (0, -width % _REGION, 0, -height % _REGION))
    return tnf.avg_pool2d(padded, _REGION) * _REGION**2


@lru_cache(maxsize=8)
def _sensitivity(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # Kept for later calls, which may want gradients.
        down = torch.fft.fftfreq(height, dtype=torch.float64) * (2 * height / 8)
        across = torch.fft.rfftfreq(width, dtype=torch.float64) * (2 * width / 8)
        radius = 0.144 * torch.sqrt(down[:, None] ** 2 + across[None, :] ** 2)
        curve = 2.6 * (0.0192 + radius) * torch.exp(-(radius**1.1))
        return curve.to(device=device, dtype=dtype)
