"""FMI, feature mutual information in 3x3 windows (Haghighat et al., fast version)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mma_unet.metrics._common import divide, full_precision, prepare
from mma_unet.metrics.registry import metric

MIN_SIZE = 3
_SIDE = 3
_CHUNK = 1 << 14
"""Windows worked on at a time: 81 numbers each for the joint distribution."""


@metric(
    "FMI",
    "Feature mutual information of gradients",
    suites={"canonical": 17},
    min_size=3,
    smooth=False,
)
def fmi(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Feature mutual information of the horizontal gradients, mean of both sources.

    Each 3x3 window is read as a distribution over its nine places. The joint distribution of two
    windows is the one between independence and the strongest possible dependence that has their
    correlation. Its mutual information, doubled and divided by both entropies, is averaged over
    the image. 0 to 1; higher is better. Flat windows are read as uniform: equal ones score 1, a
    flat one and a textured one 0.

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
        >>> fmi(image, image, image).item()
        1.0
    """
    images = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _score(*(torch.gradient(image.detach(), dim=-1)[0] for image in images))


@metric("FMI_pixel", "FMI of gray values", min_size=3, smooth=False)
def fmi_pixel(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """As `fmi`, of the gray values themselves.

    Tables that print "FMI_pixel" mostly hold the edge feature instead, by a slip in
    Evaluation-for-Image-Fusion.
    """
    return _score(*(image.detach() for image in prepare(fused, ir, vi, data_range, MIN_SIZE)))


@metric("FMI_dct", "FMI of cosine coefficients", min_size=3, smooth=False)
def fmi_dct(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """As `fmi`, of the coefficients of one cosine transform of the whole image."""
    images = prepare(fused, ir, vi, data_range, MIN_SIZE)
    return _score(*(_cosine_transform(image.detach()) for image in images))


def _cosine_transform(image: Tensor) -> Tensor:
    down, across = (_cosines(side).to(image) for side in image.shape[-2:])
    with full_precision(image):
        return down @ image @ across.T


def _cosines(side: int) -> Tensor:
    """Orthonormal matrix of the type II cosine transform."""
    places = torch.arange(side, dtype=torch.float64)
    matrix = torch.cos(math.pi / side * (places + 0.5) * places[:, None]) * math.sqrt(2 / side)
    matrix[0] /= math.sqrt(2)
    return matrix


def _score(fused: Tensor, ir: Tensor, vi: Tensor) -> Tensor:
    own, first, second = (_windows(feature) for feature in (fused, ir, vi))
    values = []
    for index in range(len(own)):
        pieces = zip(
            *(torch.split(each[index], _CHUNK) for each in (own, first, second)), strict=True
        )
        parts = [_shared(a, f).sum() + _shared(b, f).sum() for f, a, b in pieces]
        values.append(torch.stack(parts).sum() / (2 * own.shape[1]))
    return torch.stack(values)


def _windows(feature: Tensor) -> Tensor:
    """All 3x3 windows, read column by column as the reference does: `(B,N,9)`."""
    windows = feature[:, 0].unfold(1, _SIDE, 1).unfold(2, _SIDE, 1)
    return windows.transpose(-1, -2).flatten(-2).flatten(1, 2)


def _distribution(windows: Tensor) -> Tensor:
    """Windows stretched to 0..1 and divided by their sum; flat ones become uniform."""
    low, high = windows.amin(dim=1, keepdim=True), windows.amax(dim=1, keepdim=True)
    flat = high == low
    span = torch.where(flat, 1.0, high - low)
    stretched = torch.where(flat, 1.0, (windows - low) / span)
    return stretched / stretched.sum(dim=1, keepdim=True)


def _shared(first: Tensor, second: Tensor) -> Tensor:
    """Normalized mutual information of pairs of windows, `(N,9)` twice to `(N,)`."""
    p, q = _distribution(first), _distribution(second)
    p_total, q_total = p.cumsum(dim=1), q.cumsum(dim=1)
    p_step, q_step = p_total.unsqueeze(2), q_total.unsqueeze(1)

    p_off, q_off = p - p.mean(dim=1, keepdim=True), q - q.mean(dim=1, keepdim=True)
    norm = torch.sqrt((p_off**2).sum(dim=1) * (q_off**2).sum(dim=1))
    correlation = divide((p_off * q_off).sum(dim=1), norm, norm == 0, 0.0)

    # The extreme joint distribution functions with these margins (Frechet's bounds).
    rising = (correlation >= 0).view(-1, 1, 1)
    extreme = torch.where(rising, torch.minimum(p_step, q_step), (p_step + q_step - 1).clamp(min=0))
    covariance = (extreme - p_step * q_step).sum(dim=(1, 2))
    spreads = _spread(p) * _spread(q)
    strongest = divide(covariance, spreads, spreads == 0, 0.0)
    blend = divide(correlation, strongest, strongest == 0, 0.0).view(-1, 1, 1)

    edged = torch.nn.functional.pad(extreme, (1, 0, 1, 0))
    dependent = edged.diff(dim=1).diff(dim=2)
    joint = blend * dependent + (1 - blend) * p.unsqueeze(2) * q.unsqueeze(1)
    own = _entropy(p) + _entropy(q)
    value = divide(2 * (own - _entropy(joint.flatten(1))), own, own == 0, 0.0)
    return torch.where((first == second).all(dim=1), 1.0, value)


def _spread(distribution: Tensor) -> Tensor:
    """Standard deviation of the place 1..9."""
    places = torch.arange(1, 10, dtype=distribution.dtype, device=distribution.device)
    mean = (places * distribution).sum(dim=1)
    return torch.sqrt(((places**2 * distribution).sum(dim=1) - mean**2).clamp(min=0))


def _entropy(distribution: Tensor) -> Tensor:
    """Entropy; the blend can overshoot to negative shares, which count as p log|p| (reference)."""
    size = torch.where(distribution == 0, 1.0, distribution.abs())
    return -(distribution * torch.log(size)).sum(dim=1)
