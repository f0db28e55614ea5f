"""Structural similarity (Wang et al.) of the fused image with both sources, and its variants."""

from __future__ import annotations

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, prepare
from mma_unet.metrics._filters import correlate_separable, gaussian_window, pad_same, row_strips
from mma_unet.metrics.registry import metric

MIN_SIZE = 11
_GAUSSIAN = gaussian_window(11, 1.5)
_UNIFORM7 = (1 / 7,) * 7


@metric(
    "SSIM",
    "Structural similarity, Gaussian window, mean of two",
    suites={"canonical": 2, "paper": 2},
    min_size=11,
)
def ssim(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Structural similarity, the mean of SSIM(ir, fused) and SSIM(vi, fused).

    Gaussian window 11x11 with sigma 1.5, weighted (biased) variances, fully covered windows
    only, constants for a range of 255. Between -1 and 1; higher is better. Defined for constant
    images: structure scores near 0 against one, brightness alone decides between two.

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
        >>> image = torch.rand(1, 1, 16, 16)
        >>> round(ssim(image, image, image).item(), 6)
        1.0
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _index_pair(fused, ir, vi, _GAUSSIAN, PEAK).mean(dim=1)


@metric("SSIM_ir", "The infrared half of SSIM", min_size=11)
def ssim_ir(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """The infrared half of `ssim`."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _index_pair(fused, ir, vi, _GAUSSIAN, PEAK)[:, 0]


@metric("SSIM_vi", "The visible half of SSIM", min_size=11)
def ssim_vi(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """The visible half of `ssim`."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _index_pair(fused, ir, vi, _GAUSSIAN, PEAK)[:, 1]


@metric("SSIM_sum", "2 x SSIM: VIFB", suites={"vifb": 11}, min_size=11)
def ssim_sum_vifb(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """VIFB's SSIM: the sum over both sources, twice `ssim`."""
    return 2 * ssim(fused, ir, vi, data_range=data_range)


@metric("SSIM_matlab", "MATLAB ssim with range 255, mean of two")
def ssim_matlab(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """MATLAB's built-in `ssim` with range 255: as `ssim`, but over the whole frame.

    The border continues by its last pixel. Mean of both sources. The golden values come from an
    emulation of the built-in, not from MATLAB itself.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    return _index_pair(*_replicated(fused, ir, vi), _GAUSSIAN, PEAK).mean(dim=1)


@metric("SSIM_L1", "MATLAB ssim with range 1: Evaluation-for-Image-Fusion")
def ssim_eval_l1(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """MATLAB's `ssim` given 0..255 numbers in double: its range is 1, so the constants vanish.

    What Evaluation-for-Image-Fusion prints. Noise decides in flat areas.
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range)
    return _index_pair(*_replicated(fused, ir, vi), _GAUSSIAN, 1.0).mean(dim=1)


@metric("SSIM_cdd", "CDDFuse: 7x7 window, range 2, sum", suites={"cddfuse": 8}, min_size=7)
def ssim_cdd(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """CDDFuse's SSIM: scikit-image defaults with a range of 2 on 0..255 images, summed.

    Uniform 7x7 window, sample variances (49/48), fully covered windows; between -2 and 2.
    """
    return _uniform_sum(fused, ir, vi, data_range, 2.0)


@metric("SSIM_u7_L1", "7x7 window, range 1, sum", min_size=7)
def ssim_uniform7_l1(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """As `ssim_cdd` with a range of 1."""
    return _uniform_sum(fused, ir, vi, data_range, 1.0)


@metric("SSIM_u7_L255", "7x7 window, range 255, sum", min_size=7)
def ssim_uniform7_l255(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """As `ssim_cdd` with the right range, 255."""
    return _uniform_sum(fused, ir, vi, data_range, PEAK)


@metric("SSIM_zoo", "IVIF_ZOO: range 1, sum", min_size=11)
def ssim_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's SSIM: Gaussian window, valid part, an effective range of 1, summed."""
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _index_pair(fused, ir, vi, _GAUSSIAN, 1.0).sum(dim=1)


def _uniform_sum(fused: Tensor, ir: Tensor, vi: Tensor, data_range: float, peak: float) -> Tensor:
    fused, ir, vi = prepare(fused, ir, vi, data_range, 7)
    return _index_pair(fused, ir, vi, _UNIFORM7, peak, unbiased=49 / 48).sum(dim=1)


def _replicated(fused: Tensor, ir: Tensor, vi: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    reach = len(_GAUSSIAN) // 2
    return (
        pad_same(fused, reach, "replicate"),
        pad_same(ir, reach, "replicate"),
        pad_same(vi, reach, "replicate"),
    )


def _index_pair(
    fused: Tensor,
    ir: Tensor,
    vi: Tensor,
    window: tuple[float, ...],
    peak: float,
    *,
    unbiased: float = 1.0,
) -> Tensor:
    """SSIM of the fused image with each source, `(B,2)`, from one pass of the window."""
    images = torch.cat([fused, ir, vi], dim=1)
    reach = len(window) - 1
    total = torch.zeros_like(images[:, :2, 0, 0])
    for strip in row_strips(images, reach):
        total = total + _index_maps(strip, window, peak, unbiased).sum(dim=(-2, -1))
    return total / ((images.shape[-2] - reach) * (images.shape[-1] - reach))


def _index_maps(strip: Tensor, window: tuple[float, ...], peak: float, unbiased: float) -> Tensor:
    """SSIM maps `(B,2,h,w)` of a strip of (fused, infrared, visible)."""
    shift = PEAK / 2  # Moments of centered images lose fewer digits; means get it back below.
    level = strip - shift
    target, sources = level[:, :1], level[:, 1:]
    maps = torch.cat([level, target**2 + sources**2, target * sources], dim=1)
    local = correlate_separable(maps, window)
    mean_target, mean_source = local[:, :1], local[:, 1:3]
    energy, product = local[:, 3:5], local[:, 5:]

    cross = mean_target * mean_source
    squares = mean_target**2 + mean_source**2
    covariance = unbiased * (product - cross)
    variances = unbiased * (energy - squares)
    # Put the shift back into the means: (a+s)(b+s) and (a+s)^2 + (b+s)^2.
    offset = shift * (mean_target + mean_source)
    cross = cross + offset + shift**2
    squares = squares + 2 * offset + 2 * shift**2

    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return ((2 * cross + c1) * (2 * covariance + c2)) / ((squares + c1) * (variances + c2))
