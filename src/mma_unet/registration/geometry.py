"""Matrices between pixel grids: 3x3, acting on ``(column, row, 1)`` of pixel centers.

See also `mma_unet.registration.search` and `mma_unet.registration.refine`, which find them.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "Array",
    "Size",
    "corner_error",
    "corners",
    "move",
    "resizing",
    "similarity",
    "warp",
]

Array: TypeAlias = npt.NDArray[Any]
Size: TypeAlias = tuple[int, int]
"""Height and width."""


def resizing(old: Size, new: Size) -> Array:
    """The matrix from the pixels of a picture to those of the same picture resized.

    Example:
        >>> resizing((100, 200), (50, 100)) @ [0.5, 0.5, 1]
        array([0., 0., 1.])
    """
    sy, sx = new[0] / old[0], new[1] / old[1]
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def similarity(scale: float, degrees: float, center: tuple[float, float]) -> Array:
    """The matrix that scales and turns about ``center`` (column, row)."""
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D(center, degrees, scale)
    return matrix


def corners(size: Size) -> Array:
    """The centers of the four corner pixels, ``(4, 2)``, clockwise from the upper left."""
    right, bottom = size[1] - 1.0, size[0] - 1.0
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]])


def move(matrix: Array, points: Array) -> Array:
    """Points ``(N, 2)`` of (column, row) through a matrix."""
    moved = np.c_[points, np.ones(len(points))] @ matrix.T
    result: Array = moved[:, :2] / moved[:, 2:]
    return result


def corner_error(found: Array, true: Array, vi: Size) -> float:
    """How far off a matrix is: mean over the corners of VI, in pixels of a picture 640 wide.

    Args:
        found: IR pixels to VI pixels.
        true: What it should be.
        vi: Height and width of VI.

    Example:
        >>> shifted = np.array([[1, 0, 3], [0, 1, 4], [0, 0, 1]])
        >>> corner_error(shifted, np.eye(3), (480, 640))
        5.0
    """
    at = corners(vi)
    off = move(found @ np.linalg.inv(true), at) - at
    return float(np.linalg.norm(off, axis=1).mean() * 640 / vi[1])


def warp(
    image: Array,
    matrix: Array,
    size: Size,
    *,
    interpolation: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> Array:
    """Resample an image.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``.
        matrix: Its pixels to those of the result.
        size: Height and width of the result.
        interpolation: One of OpenCV's.
        border: What stands outside of the image, one of OpenCV's; 0 fills with zeros.
    """
    warped: Array = cv2.warpPerspective(
        image, matrix, size[::-1], flags=interpolation, borderMode=border
    )
    return warped
