"""Qcb, contrast preservation through a model of human contrast sensitivity (Chen and Blum)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK, divide, prepare, stretch
from mma_unet.metrics._filters import correlate_separable, gaussian_window, pad_same, row_strips
from mma_unet.metrics.registry import metric

MIN_SIZE = 2
_TAPS = 31


@metric(
    "Qcb",
    "Visible contrast kept (Chen-Blum)",
    suites={"canonical": 5, "paper": 5, "vifb": 12},
    min_size=2,
)
def qcb(
    fused: Tensor,
    ir: Tensor,
    vi: Tensor,
    *,
    data_range: float = 1.0,
    rounded: bool = True,
) -> Tensor:
    """How well the local contrast a viewer sees in the sources is kept in the fused image.

    Each image is stretched to 0..255 and rounded, filtered by a contrast sensitivity function,
    and turned into local contrast from two Gaussian blurs; the kept share of contrast is
    averaged with the sources' squared contrasts as weights. 0 to 1; higher is better. NaN when
    one of the images is constant.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range, at least 2x2.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.
        rounded: Round to whole gray levels as the reference does; the gradient passes straight
            through. `False` leaves the step out, which makes the function smooth.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit.

    Example:
        >>> image = torch.rand(1, 1, 16, 16, dtype=torch.float64)
        >>> round(qcb(image, image, image).item(), 6)
        1.0
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    images = stretch(torch.cat([fused, ir, vi], dim=1))
    if rounded:
        images = images + (torch.floor(images + 0.5) - images).detach()
    return _contrast_kept(images, frequency_scale=2.0)


@metric("Qcb_uint8", "Qcb from 8-bit files in MATLAB", min_size=2)
def qcb_uint8(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """`qcb` as MATLAB computes it from 8-bit files: values pass 0..1 before the stretch.

    Rounds some halves the other way; within 7e-5 of `qcb`.
    """
    images = torch.cat(prepare(fused, ir, vi, data_range, MIN_SIZE), dim=1)
    images = stretch(images / PEAK)
    images = images + (torch.floor(images + 0.5) - images).detach()
    return _contrast_kept(images, frequency_scale=2.0)


@metric("Qcb_zoo", "IVIF_ZOO: half the frequencies, no rounding", min_size=2)
def qcb_zoo(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """IVIF_ZOO's Qcb: no rounding, 0..1 images, half the frequencies, small guards.

    Differs from `qcb` by 0.009 in the median and up to 0.1.
    """
    images = stretch(torch.cat(prepare(fused, ir, vi, data_range, MIN_SIZE), dim=1)) / PEAK
    return _contrast_kept(images, frequency_scale=1.0, guard=1e-10)


def _contrast_kept(images: Tensor, frequency_scale: float, guard: float = 0.0) -> Tensor:
    """Steps 2 to 5 of the definition, `(B,3,H,W)` of fused, infrared, visible to `(B,)`."""
    # A stretched image reaches 255 unless it was constant, or not finite: then it is NaN.
    defined = (images.amax(dim=(-2, -1)) > 0).all(dim=1)
    images = torch.where(defined.view(-1, 1, 1, 1), images, 0.0)
    padded = pad_same(_seen(images, frequency_scale), _TAPS // 2)
    total = torch.zeros_like(images[:, 0, 0, 0])
    for strip in row_strips(padded, _TAPS - 1):
        total = total + _quality(_contrast(strip, guard), guard).sum(dim=(-2, -1))
    value = total / (images.shape[-1] * images.shape[-2])
    return torch.where(defined, value, torch.nan)


def _quality(contrast: Tensor, guard: float) -> Tensor:
    """Kept share of contrast at each place, `(B,3,h,w)` to `(B,h,w)`."""
    of_fused, of_sources = contrast[:, :1], contrast[:, 1:]
    kept = _ratio(torch.minimum(of_fused, of_sources), torch.maximum(of_fused, of_sources))
    strongest = torch.maximum(of_sources[:, :1], of_sources[:, 1:])
    weights = _ratio(of_sources, strongest) ** 2
    quality = (weights * kept).sum(dim=1) / weights.sum(dim=1)
    if guard:  # The guarded weights do not quite sum to one.
        energy = (of_sources**2).sum(dim=1)
        quality = quality * (energy / (energy + guard))
    return quality


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole` for `0 <= part <= whole`; 1 where there is no contrast at all."""
    nothing = whole < torch.finfo(whole.dtype).tiny * 1e8
    return divide(part, whole, nothing, 1.0)


@lru_cache(maxsize=8)
def _sensitivity(
    height: int, width: int, scale: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Contrast sensitivity, a difference of Gaussians, on the half plane of a real FFT."""
    with torch.inference_mode(False):  # Kept for later calls, which may want gradients.
        down = torch.fft.fftfreq(height, dtype=torch.float64) * (scale * height / 30)
        across = torch.fft.rfftfreq(width, dtype=torch.float64) * (scale * width / 30)
        squared = down[:, None] ** 2 + across[None, :] ** 2
        curve = torch.exp(-squared / 15.3870**2) - 0.7622 * torch.exp(-squared / 1.3456**2)
        return curve.to(device=device, dtype=dtype)


def _seen(images: Tensor, scale: float) -> Tensor:
    height, width = images.shape[-2:]
    curve = _sensitivity(height, width, scale, images.dtype, images.device)
    seen: Tensor = torch.fft.irfft2(torch.fft.rfft2(images) * curve, s=(height, width))
    return seen


def _contrast(padded: Tensor, guard: float) -> Tensor:
    """Local band contrast |blur(2)/blur(4) - 1|, masked: C^3 / (C^2 + 1e-4)."""
    fine = correlate_separable(padded, _blur(2.0))
    coarse = correlate_separable(padded, _blur(4.0)) + guard
    tiny = 10 * torch.finfo(coarse.dtype).eps
    coarse = torch.where(coarse.abs() < tiny, tiny, coarse)
    contrast = (fine / coarse - 1).abs()
    squared = contrast**2
    return contrast * (squared / (squared + 1e-4))


@lru_cache(maxsize=4)
def _blur(sigma: float) -> tuple[float, ...]:
    """31 taps divided by sqrt(2 pi) sigma, so that the two-dimensional window is not renormed."""
    norm = math.sqrt(2 * math.pi) * sigma
    return tuple(tap / norm for tap in gaussian_window(_TAPS, sigma, normalized=False))
