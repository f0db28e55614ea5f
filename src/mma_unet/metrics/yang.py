"""Qy (Yang) and Qc (Cvejic): SSIM maps chosen or mixed by how alike the sources are."""

from __future__ import annotations

import torch
from torch import Tensor

from mma_unet.metrics._common import prepare, spatial_mean
from mma_unet.metrics._filters import gaussian_window, pad_same
from mma_unet.metrics._structure import (
    FUSED,
    IR,
    VI,
    LocalStatistics,
    local_statistics,
    raw_statistics,
    share,
)
from mma_unet.metrics.registry import metric

MIN_SIZE = 11
_WINDOW = gaussian_window(7, 1.5)
_C = 2e-16


@metric(
    "Qy",
    "SSIM mixed or chosen by agreement (Yang)",
    suites={"canonical": 24},
    min_size=11,
    smooth=False,
)
def qy(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Yang's similarity: mixes both SSIM maps where the sources agree, else takes the better.

    Gaussian 7x7 window, sigma 1.5, constants of 2e-16, agreement from an SSIM of 0.75 on. At
    most 1; higher is better. Where both sources are flat, as in black areas of night images, the
    definition divides zero by zero; they share equally there, and the value stays defined. A
    constant fused image scores 0 unless the sources are constant, too.

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
        >>> round(qy(image, image, image).item(), 6)
        1.0
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    local = local_statistics(torch.cat([fused, ir, vi], dim=1), _WINDOW)
    return _choose(local, _C, _C)


@metric("Qy_zoo", "IVIF_ZOO: other window and constants", min_size=11, smooth=False)
def qy_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's `qy`: a window constant along columns and summing to 7, border of zeros.

    Its constants are 0.0001 and 0.0009.
    """
    images = torch.cat(prepare(fused, ir, vi, data_range, MIN_SIZE), dim=1)
    local = raw_statistics(pad_same(images, 3), (1.0,) * 7, _WINDOW)
    return _choose(local, 0.01**2, 0.03**2)


@metric(
    "Qc", "SSIM mixed by covariance (Cvejic)", suites={"canonical": 26}, min_size=11, smooth=False
)
def qc(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Cvejic's second metric: SSIM maps mixed by the covariances with the fused image.

    Shares outside 0..1 count as a similarity of 0 (below) or 1 (above), as the reference has it.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    local = local_statistics(torch.cat([fused, ir, vi], dim=1), _WINDOW)
    of_ir = share(local.covariance(FUSED, IR), local.covariance(FUSED, VI))
    with_ir = local.similarity(FUSED, IR, _C, _C)
    mixed = of_ir * with_ir + (1 - of_ir) * local.similarity(FUSED, VI, _C, _C)
    mixed = torch.where(of_ir < 0, 0.0, mixed)
    return spatial_mean(torch.where(of_ir > 1, 1.0, mixed))


def _choose(local: LocalStatistics, c1: float, c2: float) -> Tensor:
    alike = local.similarity(IR, VI, c1, c2) >= 0.75
    with_ir = local.similarity(FUSED, IR, c1, c2)
    with_vi = local.similarity(FUSED, VI, c1, c2)
    of_ir = share(local.variances[:, IR], local.variances[:, VI])
    mixed = of_ir * with_ir + (1 - of_ir) * with_vi
    return spatial_mean(torch.where(alike, mixed, torch.maximum(with_ir, with_vi)))
