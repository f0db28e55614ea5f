"""Laplacian pyramid fusion with selection by local energy: a strong method that learns nothing.

Burt and Kolczynski, "Enhanced image capture through fusion", ICCV 1993, with a soft choice. It is a
baseline that a learned method has to beat, and a teacher to begin training with.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["pyramid_fusion"]

_FLOOR = 1e-9
"""Energy below which a band counts as empty; 0.008 of a gray level of 255, squared."""


def pyramid_fusion(ir: Tensor, vi: Tensor, *, levels: int = 5, sharpness: float = 4.0) -> Tensor:
    """Take each band of detail from the source in which it is stronger, and average the rest.

    Args:
        ir: `(B, 1, H, W)` in [0, 1].
        vi: The same shape and range.
        levels: Bands of detail, each an octave coarser; what is coarser still is averaged. Small
            images have fewer.
        sharpness: How hard the choice is: the weight of a source is its local energy (Gaussian
            window, sigma 2) to this power over the sum of both.

    Returns:
        The fused image, `(B, 1, H, W)` in [0, 1].

    Example:
        >>> flat, texture = torch.full((1, 1, 32, 32), 0.5), torch.rand(1, 1, 32, 32)
        >>> fused = pyramid_fusion(flat, texture)
        >>> bool((fused - fused.mean() - texture + texture.mean()).abs().mean() < 0.05)
        True
    """
    from kornia.filters import gaussian_blur2d  # of an extra, and slow to load
    from kornia.geometry.transform import pyrdown

    octaves = min(levels, max(min(ir.shape[-2:]).bit_length() - 3, 0))
    stacks = [torch.cat([ir, vi], dim=1)]
    for _ in range(octaves):
        stacks.append(pyrdown(stacks[-1]))
    fused = stacks[-1].mean(dim=1, keepdim=True)
    for fine, coarse in zip(stacks[-2::-1], stacks[:0:-1], strict=True):
        detail = fine - _up(coarse, fine)
        energy = gaussian_blur2d(detail.square(), (11, 11), (2.0, 2.0), "replicate") + _FLOOR
        weights = torch.softmax(sharpness * energy.log(), dim=1)
        fused = _up(fused, fine) + (weights * detail).sum(dim=1, keepdim=True)
    return fused.clamp(0, 1)


def _up(coarse: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(coarse, size=like.shape[-2:], mode="bicubic", align_corners=False)
