"""What a fourth channel is: alpha, or the infrared image of a camera that has both in one file."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["is_picture"]

_SAMPLES = 1 << 16
_LEVELS = 16
_EXTREME = 0.5


def is_picture(plane: npt.NDArray[Any]) -> bool:
    """Whether a channel that files call alpha varies as a picture does.

    Alpha is clear or opaque nearly everywhere; a picture has many levels, few of them extreme.

    Args:
        plane: ``(H, W)``, the channel beyond RGB.

    Example:
        >>> cut_out = np.zeros((48, 64), np.uint8)
        >>> cut_out[10:30, 10:50] = 255
        >>> is_picture(cut_out), is_picture(np.arange(48 * 64).reshape(48, 64) % 251)
        (False, True)
    """
    step = max(1, round((plane.size / _SAMPLES) ** 0.5))
    part = plane[::step, ::step]
    top = np.iinfo(plane.dtype).max if plane.dtype.kind in "ui" else 1
    extreme = float(((part == 0) | (part == top)).mean())
    return extreme < _EXTREME and len(np.unique(part)) >= _LEVELS
