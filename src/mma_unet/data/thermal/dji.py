"""The thermal frame of a DJI R-JPEG, without the maker's library.

Cameras of DJI (H20N, H20T, H30T, M2EA, M30T, M3T, M4T, Zenmuse XT S ...) cut the frame into
application segments of one kind, APP3 or APP4, which joined are its samples and nothing else:
16-bit counts, little-endian, row by row. Its size is nowhere said. It follows from the number of
bytes and the shape of the picture, which the same sensor gave.
"""

from math import isqrt
from pathlib import Path

import numpy as np

from mma_unet.data.header import read_header
from mma_unet.data.thermal.frame import LARGEST, ThermalFrame, frame_of
from mma_unet.data.thermal.segments import app_segments

__all__ = ["read_dji"]

_KINDS = (3, 4, 5)
"""Segments that may hold the frame: APP1 and APP2 have meanings of their own."""
_LEAST = 80 * 60
"""Pixels of the smallest thermal sensors in cameras."""


def read_dji(data: bytes, name: str | Path) -> ThermalFrame | None:
    """The thermal frame of an R-JPEG; None if the file is none.

    Args:
        data: The whole file; its picture may be cut short.
        name: What to call it.
    """
    segments = app_segments(data)
    shown = read_header(data) if segments else None
    if shown is None:
        return None
    for kind in _KINDS:
        joined = b"".join(part for number, part in segments if number == kind)
        size = _size(len(joined), (shown.height, shown.width))
        if size is not None:
            counts = frame_of(joined, *size, name)
            if _is_picture(counts):
                return ThermalFrame(str(name), counts)
    return None


def _size(length: int, shown: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width of a frame of so many bytes in the shape of the picture.

    Example:
        >>> _size(655360, (512, 640)), _size(655360, (1024, 1280)), _size(24586, (512, 640))
        ((512, 640), (512, 640), None)
    """
    pixels, rest = divmod(length, 2)
    height = isqrt(pixels * shown[0] // shown[1])
    if rest or not _LEAST <= pixels <= LARGEST or height == 0 or pixels % height:
        return None
    width = pixels // height
    return (height, width) if height * shown[1] == width * shown[0] else None


def _is_picture(counts: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> bool:
    """Whether rows resemble the next ones, as in pictures, and not in packed data."""
    levels = counts.astype(np.float32)
    spread = float(levels.std())
    return spread > 0 and float(np.abs(np.diff(levels, axis=0)).mean()) < 0.7 * spread
