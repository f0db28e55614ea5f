"""Whether an alignment still holds, in numbers and as a picture to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mma_unet.errors import InputError
from mma_unet.registration.estimation import Picture, gray_of, locate
from mma_unet.registration.geometry import Array, Size, corners, move
from mma_unet.registration.refine import Level, refine
from mma_unet.registration.rig import Rig
from mma_unet.registration.warping import apply, cover

__all__ = ["Check", "check_rig", "checkerboard"]

_SIDES = (112, 224)
"""Longer sides of VI, in pixels, at which the drift is looked for."""
_ACCEPTED = 0.2
"""Agreement at the larger of them below which it is chance."""
_DRIFTED = 0.03
"""Corners off by this part of the width mean that the cameras have moved."""
_FIELDS = 8
"""Fields of a checkerboard along the longer side."""


@dataclass(frozen=True)
class Check:
    """How a rig fits pairs.

    Attributes:
        agreement: Of the edges of each pair under the rig, at most 1.
        better: That of all pairs together if the rig is allowed to move.
        drift: By how far it would move: mean over the corners, in pixels of VI.
        holds: Whether the rig still fits.
        why: A sentence.
    """

    agreement: tuple[float, ...]
    better: float
    drift: float
    holds: bool
    why: str


def check_rig(rig: Rig, pairs: Sequence[tuple[Picture, Picture]]) -> Check:
    """Look whether the cameras have moved since a rig was made.

    Args:
        rig: From `calibrate` or `from_points`.
        pairs: ``(ir, vi)`` of now, all of one size.

    Raises:
        InputError: There is no pair, or one is of another shape than the cameras.
    """
    if not pairs:
        raise InputError("there is no pair to check the rig with")
    gray = [(gray_of(ir, "ir"), gray_of(vi, "vi")) for ir, vi in pairs]
    if len({(ir.shape, vi.shape) for ir, vi in gray}) > 1:
        raise InputError("the pairs differ in size: check pictures of one size together")
    matrix = rig.matrix_for(gray[0][0].shape, gray[0][1].shape)
    levels = [Level(gray, side) for side in _SIDES]
    now = tuple(fit.ncc for fit in levels[-1].agreement(matrix))
    moved = levels[-1].agreement(matrix)[0]
    for level in levels:
        moved = refine(level, moved.matrix, "similarity")
    if moved.ncc < _ACCEPTED and (found := locate(gray)).accepted:  # too far to get there by steps
        moved = refine(levels[-1], found.matrix, "similarity")
    at = corners(gray[0][0].shape)
    drift = float(np.linalg.norm(move(moved.matrix, at) - move(matrix, at), axis=1).mean())
    mean, limit = float(np.mean(now)), _DRIFTED * gray[0][1].shape[1]
    if max(mean, moved.ncc) < _ACCEPTED:
        holds, why = False, "the edges do not agree: other cameras, or too little to see"
    elif drift > limit:
        holds, why = False, f"the cameras have moved by about {drift:.0f} pixels: calibrate anew"
    else:
        holds, why = True, f"the rig holds, to about {drift:.0f} pixels"
    return Check(now, moved.ncc, drift, holds, why)


def checkerboard(ir: Picture, vi: Picture, matrix: Array) -> Array:
    """Fields of IR and VI in turn: where an edge goes on from field to field, they fit.

    Args:
        ir: A path or an array of any sample type.
        vi: The same.
        matrix: IR pixels to VI pixels.

    Returns:
        ``(H, W)`` ``uint8``, as large as VI. Fields that IR does not reach show VI, dimmed.
    """
    ir_gray, vi_gray = gray_of(ir, "ir"), gray_of(vi, "vi")
    size: Size = (vi_gray.shape[0], vi_gray.shape[1])
    moved = _shown(apply(ir_gray, matrix, size))
    reached = cover(ir_gray.shape, matrix, size) > 0
    side = max(max(size) // _FIELDS, 1)
    rows, cols = np.mgrid[: size[0], : size[1]] // side
    board = np.where((rows + cols) % 2 == 0, moved, _shown(vi_gray))
    result: Array = np.where(reached, board, _shown(vi_gray) // 2).astype(np.uint8)
    return result


def _shown(gray: Array) -> Array:
    """Bytes, with the contrast evened out."""
    shown: Array = cv2.createCLAHE(2.0, (8, 8)).apply(np.clip(gray, 0, 255).astype(np.uint8))
    return shown
