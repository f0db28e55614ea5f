"""VIFF, visual information fidelity for fusion (Han et al. 2013)."""

from __future__ import annotations

import torch
from torch import Tensor

from mma_unet.metrics._common import centered, prepare
from mma_unet.metrics._filters import correlate_separable, gaussian_window
from mma_unet.metrics.registry import metric
from mma_unet.metrics.vif import MIN_SIZE, source_gain

_NOISE = 0.005 * 255**2
_GUARD = 1e-7
_SCALE_WEIGHTS = (1 / 2.15, 0.0, 0.15 / 2.15, 1 / 2.15)


@metric(
    "VIFF", "Visual information fidelity for fusion (Han)", suites={"canonical": 16}, min_size=41
)
def viff(fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Visual information fidelity for fusion: one value from both sources at once.

    As in `vif`, but with a stronger visual noise, and at every place only the source that the
    fused image follows with the smaller gain counts. One ratio per scale, averaged with the
    weights 1, 0, 0.15, 1. 0 and up; higher is better. A constant source is always the less
    followed one and holds nothing, so the value then says nothing: 1 if the fused image follows
    the other source everywhere, else anything down to 0.

    Args:
        fused: Fused images, `(B,1,H,W)` in 0..data_range, at least 41x41.
        ir: Infrared images, same shape.
        vi: Visible images, same shape.
        data_range: 1.0 or 255.0.

    Returns:
        One value per image, `(B,)`.

    Raises:
        InputError: Shapes or ranges do not fit, or the images are smaller than 41x41.

    Example:
        >>> image = torch.rand(1, 1, 48, 48, dtype=torch.float64)
        >>> round(viff(image, image, image).item(), 6)
        1.0
    """
    fused, ir, vi = prepare(fused, ir, vi, data_range, MIN_SIZE)
    level = torch.cat([centered(fused), centered(ir), centered(vi)], dim=1)
    total = torch.zeros_like(level[:, 0, 0, 0])
    for scale, weight in enumerate(_SCALE_WEIGHTS, start=1):
        size = 2 ** (5 - scale) + 1
        window = gaussian_window(size, size / 5)
        if scale > 1:
            level = correlate_separable(level, window, step=2)
        if weight:
            kept, there = _information(level, window)
            total = total + weight * kept / there
    return total


def _information(level: Tensor, window: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Summed information kept and there at one scale, from the less followed source."""
    gain, var_source, residual = source_gain(level, window)
    kept = torch.log10(1 + gain**2 * var_source / (residual + _NOISE))
    there = torch.log10(1 + var_source / _NOISE)
    first = gain[:, 0] < gain[:, 1]
    chosen_kept = torch.where(first, kept[:, 0], kept[:, 1])
    chosen_there = torch.where(first, there[:, 0], there[:, 1])
    return (chosen_kept + _GUARD).sum(dim=(-2, -1)), (chosen_there + _GUARD).sum(dim=(-2, -1))
