"""Multi-scale SSIM (Wang, Simoncelli, Bovik 2003) of the fused image with both sources."""

from __future__ import annotations

import torch
import torch.nn.functional as tnf
from torch import Tensor

from mma_unet.metrics._common import PEAK, prepare, spatial_mean
from mma_unet.metrics._filters import gaussian_window
from mma_unet.metrics._structure import FUSED, IR, VI, local_statistics
from mma_unet.metrics.registry import metric

MIN_SIZE = 161
"""Below 161 pixels the 11x11 window does not fit the fifth scale."""

_WINDOW = gaussian_window(11, 1.5)
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


@metric("MS-SSIM", "Wang's five-scale SSIM, mean of two", suites={"canonical": 15}, min_size=161)
def ms_ssim(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Wang's five-scale SSIM, the mean of both sources; not the MEF index of the same name.

    Window and constants of `ssim`, 2x2 averaging between scales (odd sizes get a line of zeros,
    as in the common Python packages), negative factors cut to 0. 0 to 1; higher is better.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range, at least 161x161.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit, or the images are smaller than 161x161.

    Example:
        >>> image = torch.rand(1, 1, 176, 176)
        >>> round(ms_ssim(image, image, image).item(), 4)
        1.0
    """
    images = torch.cat(prepare(fused, ir, vi, data_range, MIN_SIZE), dim=1)
    return _multi_scale(images, PEAK).mean(dim=1)


@metric("MS-SSIM_zoo", "IVIF_ZOO: range 1, sum", min_size=161)
def ms_ssim_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's MS-SSIM: an effective range of 1 on 0..255 images, summed over both sources."""
    images = torch.cat(prepare(fused, ir, vi, data_range, MIN_SIZE), dim=1)
    return _multi_scale(images, 1.0).sum(dim=1)


def _multi_scale(level: Tensor, peak: float) -> Tensor:
    """MS-SSIM of the fused image with each source, `(B,2)`."""
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    result = torch.ones_like(level[:, :2, 0, 0])
    for scale, weight in enumerate(_WEIGHTS):
        local = local_statistics(level, _WINDOW)
        last = scale == len(_WEIGHTS) - 1
        maps = [
            local.similarity(FUSED, source, c1, c2)
            if last
            else local.contrast_structure(FUSED, source, c2)
            for source in (IR, VI)
        ]
        factor = torch.stack([spatial_mean(each) for each in maps], dim=1)
        negative = factor <= 0
        power = torch.where(negative, 1.0, factor) ** weight
        result = result * torch.where(negative, 0.0, power)
        if not last:
            odd = [side % 2 for side in level.shape[-2:]]
            level = tnf.avg_pool2d(level, 2, padding=odd)
    return result
