"""Peak signal-to-noise ratio between the fused image and both sources, and its variants."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, prepare, safe_sqrt, spatial_mean
from mma_unet.metrics.registry import metric


def _decibel(peak_squared: Tensor | float, error: Tensor) -> Tensor:
    """`10 log10(peak^2 / error)`; infinite where the error is zero, with a zero gradient there."""
    exact = error <= 0
    ratio = peak_squared / torch.where(exact, 1.0, error)
    return torch.where(exact, torch.inf, 10 * torch.log10(ratio))


def _errors(fused: Tensor, ir: Tensor, vi: Tensor) -> tuple[Tensor, Tensor]:
    return spatial_mean((ir - fused) ** 2), spatial_mean((vi - fused) ** 2)


@metric("PSNR", "10 log10(255^2 / averaged MSE), decibel", suites={"canonical": 3, "paper": 3})
def psnr(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """PSNR in decibel, from the mean squared error averaged over the two sources.

    `10 log10(255^2 / ((MSE_ir + MSE_vi) / 2))`; higher is better; infinite when the three images
    are one. The paper's convention as far as its numbers tell (METRICS.md section 1).

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
        >>> black, white = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
        >>> round(psnr(black, black, white).item(), 4)
        3.0103
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    error_ir, error_vi = _errors(fused, ir, vi)
    return _decibel(PEAK**2, (error_ir + error_vi) / 2)


@metric("PSNR_maxF", "CDDFuse: peak is the fused maximum")
def psnr_maxf(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """PSNR with the fused image's own maximum as peak (CDDFuse's evaluator); see `psnr`."""
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    error_ir, error_vi = _errors(fused, ir, vi)
    return _decibel(fused.flatten(1).amax(dim=1) ** 2, (error_ir + error_vi) / 2)


@metric("PSNR_mean", "Mean of the two PSNRs")
def psnr_mean(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Average of the two PSNRs, instead of the PSNR of the average error; see `psnr`."""
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    error_ir, error_vi = _errors(fused, ir, vi)
    return (_decibel(PEAK**2, error_ir) + _decibel(PEAK**2, error_vi)) / 2


@metric("PSNR_eval", "PSNR + 48.13: Evaluation-for-Image-Fusion, IVIF_ZOO")
def psnr_evalrepo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """PSNR with errors on 0..1 but a peak of 255: always 48.13 dB above `psnr`.

    What Linfeng-Tang/Evaluation-for-Image-Fusion and IVIF_ZOO print (values near 60).
    """
    return psnr(fused, ir, vi, data_range=data_range) + 20 * math.log10(PEAK)


@metric("PSNR_vifb", "VIFB: sqrt(sum of squares) / pixels for the MSE", suites={"vifb": 4})
def psnr_vifb(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """PSNR of VIFB and MEFB: `sqrt(sum of squares) / pixels` stands where the MSE belongs.

    Grows with the image size, so values of different sizes cannot be compared.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    return _decibel(PEAK**2, _root_by_pixels(fused, ir, vi))


@metric(
    "MSE",
    "Mean squared error, gray levels squared, mean of two",
    suites={"canonical": 30},
    better=False,
)
def mse(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Mean squared error on 0..255, averaged over the two sources; lower is better."""
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    error_ir, error_vi = _errors(fused, ir, vi)
    return (error_ir + error_vi) / 2


@metric("MSE_unit", "MSE on 0..1: Evaluation-for-Image-Fusion", better=False)
def mse_unit(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Mean squared error on 0..1 (`mse / 255^2`), as Evaluation-for-Image-Fusion prints it."""
    return mse(fused, ir, vi, data_range=data_range) / PEAK**2


@metric("RMSE", "Root of MSE, gray levels", suites={"canonical": 31}, better=False)
def rmse(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Root of `mse`, in gray levels; lower is better."""
    return safe_sqrt(mse(fused, ir, vi, data_range=data_range))


@metric("RMSE_vifb", "VIFB: sqrt(sum of squares) / pixels", suites={"vifb": 10}, better=False)
def rmse_vifb(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """VIFB's RMSE: `sqrt(sum of squares) / pixels`, averaged over the sources; lower is better.

    Shrinks with the image size, so values of different sizes cannot be compared.
    """
    return _root_by_pixels(*prepare(fused, ir, vi, data_range))


def _root_by_pixels(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    """VIFB's error, sqrt(sum of squares) / pixels = sqrt(MSE / pixels), mean of both sources."""
    pixels = fused.shape[-1] * fused.shape[-2]
    error_ir, error_vi = _errors(fused, ir, vi)
    return (safe_sqrt(error_ir / pixels) + safe_sqrt(error_vi / pixels)) / 2
