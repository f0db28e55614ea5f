"""Qp, agreement of phase congruency: edges and corners found without regard to contrast (Zhao)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.fft as fft
from torch import Tensor

from mma_unet.metrics._common import prepare
from mma_unet.metrics._filters import correlate_separable, gaussian_window, pad_same
from mma_unet.metrics.registry import metric

MIN_SIZE = 11
_SCALES, _ORIENTATIONS = 4, 6
_SHORTEST_WAVE, _WAVE_STEP, _BANDWIDTH = 3.0, 2.1, 0.55
_ANGLE_SIGMA = math.pi / _ORIENTATIONS / 1.2
_EPSILON = 1e-4
_FEATURE = 0.1
_C = 1e-4
_WINDOW = gaussian_window(11, 1.5)


@metric("Qp", "Phase congruency kept (Zhao)", suites={"canonical": 25}, min_size=11, smooth=False)
def qp(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """How well the features of the sources, found by phase congruency, are kept.

    Product of three local correlations: of the congruency and of its largest and smallest moment
    (edges, corners), each taking at every place the best of infrared, visible and the stronger
    of both. 0 to 1; higher is better. NaN when an image is constant or no feature is found. The
    slowest metric here: 72 Fourier transforms.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range, at least 11x11.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit, or the images are smaller than 11x11.
    """
    images = torch.cat(prepare(fused, ir, vi, data_range, MIN_SIZE), dim=1).detach()
    own, first, second = (_phase_features(images[:, index]) for index in range(3))
    stronger = (first[:, :1] > second[:, :1]).to(images.dtype)
    best = stronger * first + (1 - stronger) * second
    candidates = torch.stack([first, second, best], dim=1)
    present = candidates[:, :, :1] > _FEATURE
    areas = present[:, 2].flatten(1).sum(dim=1).to(images.dtype)

    agreement = _local_correlation(candidates * present, own.unsqueeze(1).expand_as(candidates))
    agreement = torch.where(present, agreement, 0.0).amax(dim=1)
    product = (agreement.sum(dim=(-2, -1)) / areas.unsqueeze(1)).prod(dim=1)
    low, high = images.amin(dim=(-2, -1)), images.amax(dim=(-2, -1))
    return torch.where((low < high).all(dim=1), product, torch.nan)


def _local_correlation(features: Tensor, own: Tensor) -> Tensor:
    """Correlation under a Gaussian window with a border of zeros, maps `(B,3,3,H,W)`."""
    moments = torch.stack([features, own, features**2, own**2, features * own])
    shape = moments.shape
    padded = pad_same(moments.flatten(0, 2), len(_WINDOW) // 2)
    local = correlate_separable(padded, _WINDOW).view(shape)
    mean, mean_own, square, square_own, product = local.unbind()
    energy = (square - mean**2) * (square_own - mean_own**2)
    agreement: Tensor = (product - mean * mean_own + _C) / (torch.sqrt(energy.abs()) + _C)
    return agreement


@dataclass(frozen=True)
class _Bank:
    """Log-Gabor filters of one orientation and what noise of unit power does to them."""

    angle: float
    filters: Tensor
    noise_gain: float


@lru_cache(maxsize=2)
def _filter_bank(
    height: int, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[_Bank, ...]:
    down, across = _half_range(height), _half_range(width)
    radius = fft.ifftshift(torch.sqrt(down[:, None] ** 2 + across[None, :] ** 2))
    theta = fft.ifftshift(torch.atan2(-down[:, None], across[None, :]))
    radius[0, 0] = 1.0
    # The reference shifts its low-pass by fftshift, one pixel off for odd sizes; so must we.
    low_down, low_across = _unit_range(height), _unit_range(width)
    low_pass = fft.fftshift(
        1 / (1 + (torch.sqrt(low_down[:, None] ** 2 + low_across[None, :] ** 2) / 0.45) ** 30)
    )
    waves = _SHORTEST_WAVE * _WAVE_STEP ** torch.arange(_SCALES, dtype=torch.float64)
    radial = torch.exp(
        -(torch.log(radius * waves[:, None, None]) ** 2) / (2 * math.log(_BANDWIDTH) ** 2)
    )
    radial = radial * low_pass
    radial[:, 0, 0] = 0.0

    banks = []
    for index in range(_ORIENTATIONS):
        angle = index * math.pi / _ORIENTATIONS
        away = torch.atan2(torch.sin(theta - angle), torch.cos(theta - angle))
        filters = radial * torch.exp(-(away**2) / (2 * _ANGLE_SIGMA**2))
        impulse = fft.ifft2(filters).real * math.sqrt(height * width)
        own = float((impulse**2).sum())
        crossed = (float((impulse.sum(dim=0) ** 2).sum()) - own) / 2
        gain = (2 * own + 4 * crossed) / float((filters[0] ** 2).sum())
        banks.append(_Bank(angle, filters.to(device=device, dtype=dtype), gain))
    return tuple(banks)


def _half_range(size: int) -> Tensor:
    """Centerd places normalized to +-0.5, in the reference's way for odd sizes."""
    places = torch.arange(size, dtype=torch.float64) - size // 2
    return places / (size - 1 if size % 2 else size)


def _unit_range(size: int) -> Tensor:
    return (torch.arange(size, dtype=torch.float64) - size // 2) / size


def _phase_features(image: Tensor) -> Tensor:
    """Phase congruency and its largest and smallest moment, `(B,H,W) -> (B,3,H,W)`."""
    height, width = image.shape[-2:]
    spectrum = fft.fft2(image).unsqueeze(1)
    energy_sum, amplitude_sum = torch.zeros_like(image), torch.zeros_like(image)
    xx, yy, xy = torch.zeros_like(image), torch.zeros_like(image), torch.zeros_like(image)
    for bank in _filter_bank(height, width, image.dtype, image.device):
        response = fft.ifft2(spectrum * bank.filters)
        amplitude = response.abs()
        total = amplitude.sum(dim=1)
        summed = response.sum(dim=1)
        direction = summed / (summed.abs() + _EPSILON)
        turned = response * direction.conj().unsqueeze(1)
        energy = (turned.real - turned.imag.abs()).sum(dim=1)
        energy = (energy - _noise_threshold(amplitude[:, 0], bank.noise_gain)).clamp(min=0)

        width_used = total / (amplitude.amax(dim=1) + _EPSILON) / _SCALES
        energy = energy * torch.sigmoid(10 * (width_used - 0.5))
        energy_sum, amplitude_sum = energy_sum + energy, amplitude_sum + total
        congruency = energy / total
        along, beside = congruency * math.cos(bank.angle), congruency * math.sin(bank.angle)
        xx, yy, xy = xx + along**2, yy + beside**2, xy + along * beside
    half = _ORIENTATIONS / 2
    xx, yy, xy = xx / half, yy / half, xy / _ORIENTATIONS
    spread = torch.sqrt(xy**2 + (xx - yy) ** 2) + _EPSILON
    congruency = energy_sum / (amplitude_sum + _EPSILON)
    return torch.stack([congruency, (xx + yy + spread) / 2, (xx + yy - spread) / 2], dim=1)


def _noise_threshold(finest: Tensor, gain: float) -> Tensor:
    """What noise of the power seen at the finest scale reaches, `(B,1,1)`."""
    ordered = (finest**2).flatten(1).sort(dim=1).values
    count = ordered.shape[1]
    median = (ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2
    tau = torch.sqrt(median / math.log(2) * gain / 2)
    threshold = tau * (math.sqrt(math.pi / 2) + 2 * math.sqrt(2 - math.pi / 2)) / 1.7
    return threshold.view(-1, 1, 1)
