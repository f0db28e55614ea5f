"""Whether a camera drew into its picture: readings, a scale, a logo, a cross in the middle."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["shows_graphics"]

_JUMP = 150
"""Levels between neighbors that no lens gives, but drawn letters have."""
_SHARE = 0.001
_LINE = 0.1
"""The most of a row or column that counts: more is the straight edge of a surround."""
_MARGIN = 6
"""Graphics stand in the outer sixth on each side ..."""
_OUTSIDE = 0.65
"""... by this share."""


def shows_graphics(gray: npt.NDArray[Any]) -> bool:
    """Whether text or graphics are drawn along the sides of a picture.

    Of 638 thermal pictures of five data sets none is taken for one, of the pictures of four FLIR
    cameras with their usual readings each is.

    Args:
        gray: ``(H, W)`` `uint8`.
    """
    height, width = gray.shape
    if min(height, width) < 8 * _MARGIN:
        return False
    levels = gray.astype(np.int16)
    across = (np.abs(np.diff(levels, axis=1)) >= _JUMP).astype(np.float32)
    down = (np.abs(np.diff(levels, axis=0)) >= _JUMP).astype(np.float32)
    across *= np.minimum(1, _LINE * height / np.maximum(across.sum(axis=0, keepdims=True), 1))
    down *= np.minimum(1, _LINE * width / np.maximum(down.sum(axis=1, keepdims=True), 1))
    total = float(across.sum() + down.sum())
    rows = slice(height // _MARGIN, height - height // _MARGIN)
    cols = slice(width // _MARGIN, width - width // _MARGIN)
    inside = float(across[rows, cols].sum() + down[rows, cols].sum())
    return total >= _SHARE * gray.size and total - inside >= _OUTSIDE * total
