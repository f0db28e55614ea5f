"""Small linear filters, written as banded matrix products: fast in float64 and differentiable."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as tnf
from torch import Tensor

from mma_unet.metrics._common import full_precision

_BLOCK = 16
"""Output rows of one matrix product on a CPU: few, since most of a band matrix is zero."""

_STRIP = 5 << 16
"""About how many bytes of each map are worked on at a time, so that they stay in the cache."""


@lru_cache(maxsize=64)
def gaussian_window(size: int, sigma: float, *, normalized: bool = True) -> tuple[float, ...]:
    """One-dimensional Gaussian window of odd or even `size`, as plain numbers.

    Args:
        size: Number of taps.
        sigma: Standard deviation in pixels.
        normalized: Whether the taps sum to one; otherwise the peak is one.

    Example:
        >>> [round(v, 4) for v in gaussian_window(3, 0.6)]
        [0.1664, 0.6672, 0.1664]
    """
    places = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    window = torch.exp(-(places**2) / (2 * sigma**2))
    if normalized:
        window = window / window.sum()
    return tuple(window.tolist())


@lru_cache(maxsize=128)
def _band_matrix(
    taps: tuple[float, ...], step: int, outputs: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Matrix that correlates a column with the taps at every `step`-th place, a row per output."""
    with torch.inference_mode(False):  # Kept for later calls, which may want gradients.
        rows = torch.arange(outputs)
        matrix = torch.zeros(outputs, _reach(taps, step, outputs), dtype=torch.float64)
        for offset, tap in enumerate(taps):
            matrix[rows, step * rows + offset] = tap
        return matrix.to(device=device, dtype=dtype)


def _reach(taps: tuple[float, ...], step: int, outputs: int) -> int:
    """Inputs that so many outputs draw on."""
    return (outputs - 1) * step + len(taps)


def _correlate_columns(stack: Tensor, taps: tuple[float, ...], step: int) -> Tensor:
    """Valid correlation along the rows axis of `(N,H,W)`, in blocks of output rows."""
    count, height, width = stack.shape
    outputs = (height - len(taps)) // step + 1
    result = stack.new_empty(count, outputs, width)
    block = _BLOCK if stack.device.type == "cpu" else 2 * _BLOCK
    blocks = outputs // block
    if blocks:
        matrix = _band_matrix(taps, step, block, stack.dtype, stack.device)
        matrix = matrix.expand(blocks, *matrix.shape)
        windows = stack.unfold(-2, matrix.shape[-1], step * block).transpose(-1, -2)
        for source, target in zip(windows, result, strict=True):
            body = target[: blocks * block].view(blocks, block, width)
            torch.bmm(matrix, source[:blocks], out=body)
    done = blocks * block
    if done < outputs:
        matrix = _band_matrix(taps, step, outputs - done, stack.dtype, stack.device)
        first = step * done
        result[:, done:] = matrix @ stack[:, first : first + matrix.shape[-1]]
    return result


class _ColumnCorrelation(torch.autograd.Function):
    """Valid correlation of columns; its backward pass is a correlation with the mirrored taps."""

    @staticmethod
    def forward(ctx: Any, stack: Tensor, taps: tuple[float, ...], step: int) -> Tensor:
        """Correlate without recording the blocks."""
        ctx.taps, ctx.step, ctx.height = taps, step, stack.shape[-2]
        return _correlate_columns(stack, taps, step)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        """Spread the gradient back, again through this function, so that it can be repeated."""
        edge = len(ctx.taps) - 1
        if ctx.step > 1:
            spread = grad.new_zeros(len(grad), ctx.height - edge, grad.shape[-1])
            spread[:, :: ctx.step] = grad
            grad = spread
        padded = tnf.pad(grad, (0, 0, edge, edge))
        return _correlate(padded, ctx.taps[::-1], 1), None, None


def _correlate(stack: Tensor, taps: tuple[float, ...], step: int) -> Tensor:
    with full_precision(stack):
        result: Tensor = _ColumnCorrelation.apply(stack, taps, step)  # type: ignore[no-untyped-call]
    return result


def correlate_separable(
    images: Tensor,
    rows: tuple[float, ...],
    columns: tuple[float, ...] | None = None,
    *,
    step: int = 1,
) -> Tensor:
    """Correlate `(...,H,W)` with a separable window, keeping the fully covered ('valid') part.

    Args:
        images: Any number of leading dimensions.
        rows: Taps along the height.
        columns: Taps along the width; the same as `rows` when left out.
        step: Keep every `step`-th row and column of the result, starting at the first.

    Returns:
        `(...,H-len(rows)+1,W-len(columns)+1)`, divided by `step` and rounded up.
    """
    stack = images.reshape(-1, *images.shape[-2:])
    down = _correlate(stack, rows, step)
    result = _correlate(down.transpose(-1, -2), columns or rows, step).transpose(-1, -2)
    return result.reshape(*images.shape[:-2], *result.shape[-2:])


def row_strips(images: Tensor, reach: int) -> Iterator[Tensor]:
    """Cut `(B,C,H,W)` into strips that overlap by `reach` rows, for windows of `reach + 1`.

    The valid parts of the strips make up the valid part of the whole. On the CPU this keeps the
    many maps of a metric in the cache; elsewhere there is one strip.
    """
    height = images.shape[-2] - reach
    rows = height
    if images.device.type == "cpu":
        row = images.shape[0] * images.shape[-1] * images.element_size()
        rows = max(_STRIP // row // _BLOCK, 1) * _BLOCK
    for top in range(0, height, rows):
        yield images[..., top : top + rows + reach, :]


def pad_same(images: Tensor, reach: int, mode: str = "constant") -> Tensor:
    """Add `reach` pixels on every side of `(B,C,H,W)`: zeros, or 'replicate', or 'reflect'."""
    return tnf.pad(images, (reach, reach, reach, reach), mode=mode) if reach else images


def sobel(images: Tensor, mode: str | None = "constant") -> tuple[Tensor, Tensor]:
    """Sobel differences to the right and downwards, `(B,C,H,W)` in, two of that size out.

    Args:
        images: Gray images.
        mode: How the border continues: 'constant' (zeros), 'replicate', 'reflect', or `None` for
            images that have their border already.

    Example:
        >>> right, down = sobel(torch.arange(9.0).reshape(1, 1, 3, 3))
        >>> right[0, 0, 1, 1].item(), down[0, 0, 1, 1].item()
        (8.0, 24.0)
    """
    padded = pad_same(images, 1, mode) if mode else images
    top, middle, bottom = padded[..., :-2, :], padded[..., 1:-1, :], padded[..., 2:, :]
    smooth = top + 2 * middle + bottom
    step = bottom - top
    right = smooth[..., 2:] - smooth[..., :-2]
    down = step[..., :-2] + 2 * step[..., 1:-1] + step[..., 2:]
    return right, down


def prewitt(images: Tensor) -> tuple[Tensor, Tensor]:
    """Prewitt differences to the right and downwards with a border of zeros, sizes kept."""
    padded = pad_same(images, 1)
    top, middle, bottom = padded[..., :-2, :], padded[..., 1:-1, :], padded[..., 2:, :]
    smooth, step = top + middle + bottom, bottom - top
    right = smooth[..., 2:] - smooth[..., :-2]
    return right, step[..., :-2] + step[..., 1:-1] + step[..., 2:]
