"""Local means, variances and covariances of a triple, for the metrics built on SSIM maps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mma_unet.metrics._common import PEAK
from mma_unet.metrics._filters import correlate_separable

FUSED, IR, VI = 0, 1, 2
_PAIRS = ((FUSED, IR), (FUSED, VI), (IR, VI))


@dataclass(frozen=True)
class LocalStatistics:
    """Windowed statistics of (fused, infrared, visible), each map `(B,h,w)`.

    Attributes:
        means: Local means, `(B,3,h,w)`.
        variances: Local variances without correction, `(B,3,h,w)`; exactly zero in flat windows.
        covariances: For the pairs fused-infrared, fused-visible, infrared-visible.
    """

    means: Tensor
    variances: Tensor
    covariances: Tensor

    def covariance(self, one: int, other: int) -> Tensor:
        """Local covariance of two of the three images."""
        return self.covariances[:, _PAIRS.index((min(one, other), max(one, other)))]

    def contrast_structure(self, one: int, other: int, c2: float) -> Tensor:
        """The second factor of SSIM: `(2 cov + c2) / (var + var + c2)`."""
        energy = self.variances[:, one] + self.variances[:, other]
        return (2 * self.covariance(one, other) + c2) / (energy + c2)

    def similarity(self, one: int, other: int, c1: float, c2: float) -> Tensor:
        """The SSIM map of two of the three images."""
        mean_one, mean_other = self.means[:, one], self.means[:, other]
        cross, squares = mean_one * mean_other, mean_one**2 + mean_other**2
        energy = self.variances[:, one] + self.variances[:, other]
        upper = (2 * cross + c1) * (2 * self.covariance(one, other) + c2)
        return upper / ((squares + c1) * (energy + c2))


def local_statistics(images: Tensor, window: tuple[float, ...]) -> LocalStatistics:
    """Statistics of `(B,3,H,W)` under a square window that sums to one, over its valid part.

    A window whose variance is within rounding error of zero counts as flat: its variance and its
    covariances are set to zero, so that no result depends on the order of additions.
    """
    local = raw_statistics(images - PEAK / 2, window, window)
    rounding = 64 * torch.finfo(images.dtype).eps * (PEAK / 2) ** 2
    textured = ~(local.variances <= rounding)  # What is not a number stays so.
    both = torch.stack([textured[:, one] & textured[:, other] for one, other in _PAIRS], dim=1)
    zero = torch.zeros_like(local.means)
    return LocalStatistics(
        local.means + PEAK / 2,
        torch.where(textured, local.variances, zero),
        torch.where(both, local.covariances, zero),
    )


def raw_statistics(
    images: Tensor, rows: tuple[float, ...], columns: tuple[float, ...]
) -> LocalStatistics:
    """Statistics as the plain formulas give them, for any separable window."""
    products = torch.stack([images[:, one] * images[:, other] for one, other in _PAIRS], dim=1)
    local = correlate_separable(torch.cat([images, images**2, products], dim=1), rows, columns)
    means = local[:, :3]
    crossed = torch.stack([means[:, one] * means[:, other] for one, other in _PAIRS], dim=1)
    return LocalStatistics(means, local[:, 3:6] - means**2, local[:, 6:] - crossed)


def share(first: Tensor, second: Tensor) -> Tensor:
    """`first / (first + second)`; one half where both are exactly zero."""
    nothing = (first == 0) & (second == 0)
    half = nothing * 0.5
    return (first + half) / (first + second + 2 * half)
