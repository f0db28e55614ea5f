"""Bringing an infrared picture onto the pixels of the visible one, and knowing where it reaches.

See also `mma_unet.inference.placement`, which does this on the way to the fused image.
"""

from __future__ import annotations

import cv2
import numpy as np

from mma_unet.errors import InputError
from mma_unet.registration.geometry import Array, Size, warp

__all__ = ["apply", "common_window", "cover"]

_SEAM = 0.03
"""Width of the seam, as a part of the longer side of VI."""


def apply(ir: Array, matrix: Array, size: Size) -> Array:
    """Resample an infrared picture onto the pixels of the visible one.

    Args:
        ir: ``(H, W)`` or ``(H, W, 3)``, of any sample type.
        matrix: IR pixels to VI pixels, of an `Alignment` or a `Rig`.
        size: Height and width of VI.

    Returns:
        ``(size[0], size[1])`` or ``(size[0], size[1], 3)`` of the same sample type; outside of
        what IR shows, its border goes on.

    Example:
        >>> ir = np.arange(12, dtype=np.uint8).reshape(3, 4)
        >>> apply(ir, np.array([[1.0, 0, 1], [0, 1, 0], [0, 0, 1]]), (3, 5))[0].tolist()
        [0, 0, 1, 2, 3]
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if scale < 0.9:  # fewer pixels than IR has: soften first, so that none is left out
        ir = cv2.GaussianBlur(ir, (0, 0), 0.4 / scale, borderType=cv2.BORDER_REPLICATE)
    return warp(ir, matrix, size)


def cover(ir: Size, matrix: Array, vi: Size) -> Array:
    """How much of the fused picture to take at each pixel of VI: 0 where IR shows nothing.

    Args:
        ir: Height and width of IR.
        matrix: IR pixels to VI pixels.
        vi: Height and width of VI.

    Returns:
        ``vi``, ``float32``: 1 well inside of what IR shows, 0 outside, and a soft seam between,
        which lies inside and is missing along the border of VI itself.
    """
    inside = _inside(ir, matrix, vi)
    if inside.all():
        return np.ones(vi, np.float32)
    # The border of the picture is no seam: go on beyond it.
    framed = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    ramp = np.clip((distance - 1) / (_SEAM * max(vi)), 0, 1)
    weight: Array = (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)
    return weight


def common_window(ir: Size, matrix: Array, vi: Size) -> tuple[slice, slice]:
    """Rows and columns of a large upright rectangle of VI that IR shows whole.

    Raises:
        InputError: They share less than a hundredth of VI.
    """
    inside = _inside(ir, matrix, vi)
    step = max(max(vi) // 256, 1)
    top, bottom, left, right = _largest(inside[::step, ::step].astype(bool))
    rows = slice(top * step, min((bottom - 1) * step + 1, vi[0]))
    cols = slice(left * step, min((right - 1) * step + 1, vi[1]))
    if (rows.stop - rows.start) * (cols.stop - cols.start) < 0.01 * vi[0] * vi[1]:
        raise InputError("the two pictures share next to nothing: there is no common part to keep")
    return rows, cols


def _inside(ir: Size, matrix: Array, vi: Size) -> Array:
    """``uint8``: 1 where all of what a pixel of VI needs lies in IR."""
    whole = warp(np.full(ir, 255, np.uint8), matrix, vi, border=cv2.BORDER_CONSTANT)
    inside: Array = (whole == 255).astype(np.uint8)
    return inside


def _largest(inside: Array) -> tuple[int, int, int, int]:
    """The largest rectangle of true pixels: top, bottom, left, right, ends excluded."""
    heights = np.zeros(inside.shape[1] + 1, int)
    best, area = (0, 1, 0, 1), 0
    for row, line in enumerate(inside):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        open_: list[tuple[int, int]] = []
        for column, height in enumerate(heights):
            start = column
            while open_ and open_[-1][1] >= height:
                start, tall = open_.pop()
                if tall * (column - start) > area:
                    area, best = tall * (column - start), (row - tall + 1, row + 1, start, column)
            open_.append((start, int(height)))
    return best
