"""An alignment from points that a person clicked in both pictures.

See also `mma_unet.registration.calibrate`, which needs no points.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from mma_unet.errors import InputError
from mma_unet.registration.geometry import Array, Size, move
from mma_unet.registration.rig import Rig
from mma_unet.tables import read_rows

__all__ = ["from_points", "read_points"]

COLUMNS = ("ir_x", "ir_y", "vi_x", "vi_y")
_TOLERANCE = 0.03
"""How far a point may lie off, as a part of the width of VI."""


def read_points(path: str | os.PathLike[str]) -> Array:
    """Read a CSV file with the columns ``ir_x, ir_y, vi_x, vi_y``, in pixels.

    Returns:
        ``(N, 4)``.

    Raises:
        InputError: The file cannot be read, or lacks a column or a number.
    """
    rows = read_rows(Path(path))
    try:
        return np.array([[float(row[name]) for name in COLUMNS] for row in rows]).reshape(-1, 4)
    except (KeyError, ValueError):
        raise InputError(
            f"{os.fspath(path)}: give a number in each of the columns {', '.join(COLUMNS)}"
        ) from None


def from_points(points: Array, ir: Size, vi: Size) -> Rig:
    """Fit an alignment to points.

    Two points give a similarity, three to seven an affine map and eight or more a homography, by
    least squares.

    Args:
        points: ``(N, 4)``: column and row in IR, column and row in VI, of the same thing.
        ir: Height and width of IR.
        vi: Height and width of VI.

    Returns:
        The rig, with no pairs and a confidence of 0.

    Raises:
        InputError: There are too few points, one is outside of its picture, they lie on one line,
            or one does not fit the others.

    Example:
        >>> rig = from_points(np.array([[0, 0, 10, 20], [30, 0, 70, 20]]), (24, 32), (60, 80))
        >>> rig.model, (rig.matrix.round(3) + 0.0).tolist()
        ('similarity', [[2.0, 0.0, 10.0], [0.0, 2.0, 20.0], [0.0, 0.0, 1.0]])
    """
    points = np.asarray(points, np.float64)
    if len(points) < 2:
        raise InputError(
            f"{len(points)} point(s): give two at least, better six all over the picture"
        )
    for number, (ix, iy, vx, vy) in enumerate(points, 1):
        for name, x, y, size in (("IR", ix, iy, ir), ("VI", vx, vy, vi)):
            if not (-1 <= x <= size[1] and -1 <= y <= size[0]):
                raise InputError(
                    f"point {number} ({x:g}, {y:g}) is outside of {name}, which is "
                    f"{size[1]}x{size[0]} pixels"
                )
    model = "similarity" if len(points) == 2 else "affine" if len(points) < 8 else "homography"
    matrix = _fit(points, model)
    if matrix is None:
        raise InputError("the points lie in one place or on one line: spread them over the picture")
    off = np.linalg.norm(move(matrix, points[:, :2]) - points[:, 2:], axis=1) / vi[1]
    worst = int(off.argmax())
    if off[worst] > _TOLERANCE:
        raise InputError(
            f"point {_suspect(points, model) + 1} does not fit the others (they miss each other by "
            f"{off[worst] * vi[1]:.0f} pixels): click it again"
        )
    return Rig(matrix, ir, vi, model, 0.0)


def _fit(points: Array, model: str) -> Array | None:
    """The matrix by least squares; None if the points do not settle it."""
    source, target = points[:, :2], points[:, 2:]
    spread = np.linalg.svd(source - source.mean(axis=0), compute_uv=False)
    if spread[0] < 1 or (model != "similarity" and spread[1] < 0.02 * spread[0]):
        return None
    if model == "homography":
        found, _ = cv2.findHomography(source, target, 0)
        return None if found is None else np.asarray(found)
    one, none = np.ones(len(points)), np.zeros(len(points))
    x, y = source.T
    if model == "similarity":
        rows = np.r_[np.c_[x, -y, one, none], np.c_[y, x, none, one]]
        a, b, tx, ty = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
        return np.array([[a, -b, tx], [b, a, ty], [0, 0, 1]])
    linear = np.linalg.lstsq(np.c_[source, one], target, rcond=None)[0]
    affine: Array = np.r_[linear.T, [[0, 0, 1]]]
    return affine


def _suspect(points: Array, model: str) -> int:
    """The point without which the others agree best."""
    rests = []
    for index in range(len(points)):
        others = np.delete(points, index, axis=0)
        matrix = _fit(others, "affine" if model == "homography" else model)
        off = np.inf
        if matrix is not None and len(others) > 2:
            off = float(np.linalg.norm(move(matrix, others[:, :2]) - others[:, 2:], axis=1).max())
        rests.append(off)
    return int(np.argmin(rests))
