"""Where an infrared picture has no value: no-data marks, dead pixels, the surround of its field.

A mask of this module is `(H, W)` bool and True where there is no value. What has none takes part in
no range (`mma_unet.data.ranges`) and is filled from its neighbors, so that the network sees no
edge there; where more than a few pixels are lost, the fused image is the visible one (`seam`).
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.exif import is_tiff, read_tags

__all__ = ["absent", "areas", "fill", "marks_and_dead", "nodata_tag", "seam", "surround"]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

_MARKS = (-99999, -32768, -32767, -9999, -999, 0, 65535)
"""Values that software writes where a camera has measured nothing."""
_ABSURD = 1e20
"""From here on a float is a mark, as GDAL's -3.4e38."""
_FEW = 16
"""Fewer different values than this are a drawing: nothing in it is judged by its look."""
_STRAIGHT, _STRAIGHT_IF_SMALL, _SMALL = 0.5, 0.75, 0.02
"""Share of a field's sides that its pixels reach, dark ones apart, and what it must be where the
surround is a small share of the frame. Of 1,356 real images, dark skies reach 0.35 and 0.67, warped
fields 0.83; JPEG takes 0.25."""

_SEAM, _THIN_SEAM = 8.0, 3.0
"""Pixels over which the fused image goes over into VI, beside areas and beside lines."""
_GDAL_NODATA = 42113


def nodata_tag(data: bytes) -> float | None:
    """The value that means "no data" by GDAL's tag of a TIFF file.

    Args:
        data: The file, of whatever format.
    """
    try:
        tag = read_tags(data).get(_GDAL_NODATA) if is_tiff(data) else None
        return None if tag is None else float(tag.data.decode("ascii", "replace").strip("\0 "))
    except (ValueError, struct.error):  # nothing that is a number
        return None


def absent(planes: Array, nodata: float | None = None) -> Mask | None:
    """Where samples are NaN, infinite, absurdly large or `nodata`.

    Args:
        planes: `(C, H, W)`, of any sample type.
        nodata: The value that means "no data", if the file names one.

    Returns:
        The mask, or None if every sample is a value.

    Example:
        >>> absent(np.array([[[1.0, np.nan, -9.0]]]), -9).tolist()
        [[False, True, True]]
    """
    mask: Mask = np.zeros(planes.shape[1:], bool)
    if planes.dtype.kind == "f":
        np.logical_not((np.abs(planes) < _ABSURD).all(axis=0), out=mask)
        nodata = None if nodata is None else float(planes.dtype.type(nodata))
    if nodata is not None:
        mask |= (planes == nodata).all(axis=0)
    return mask if mask.any() else None


def surround(dark: Mask, gray: Array) -> Mask | None:
    """The black surround of a field that is smaller than the frame, or warped into it.

    It reaches a corner of the frame, and what it leaves is convex with straight sides: a black sky
    ends in a ragged line, so it is not taken for one.

    Args:
        dark: `(H, W)`, where the picture is black.
        gray: `(H, W)` samples.

    Returns:
        The mask, or None if the field fills the frame.
    """
    height, width = gray.shape
    ends = np.ix_((0, height - 1), (0, width - 1))
    if min(height, width) < _FEW or not dark[ends].any():
        return None
    labels = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)[1]
    outer = np.isin(labels, labels[ends][dark[ends]])
    contours = cv2.findContours(
        (~outer).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )[0]
    if not contours:
        return None
    field = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(field, cv2.convexHull(max(contours, key=cv2.contourArea)), 1)
    inside = field > 0
    ring = inside & (cv2.erode(field, np.ones((7, 7), np.uint8)) == 0)  # not along the frame
    straight = float((ring & ~outer).sum()) / max(float(ring.sum()), 1)
    share = inside.mean()
    enough = _STRAIGHT if share < 1 - _SMALL else _STRAIGHT_IF_SMALL
    if straight < enough or not 0.15 < share < 0.999 or _is_drawing(gray[inside]):
        return None
    return np.asarray(cv2.erode(field, np.ones((3, 3), np.uint8)) == 0)


def _is_drawing(samples: Array) -> bool:
    return len(np.unique(samples[:: max(len(samples) // 4096, 1)])) < _FEW


def marks_and_dead(gray: Array, known: Mask | None) -> tuple[Mask, Mask]:
    """Marks for "no value" and isolated dead pixels of a picture of raw counts or degrees.

    A mark lies far outside of what the rest of the picture holds. The largest value of the type
    may be a saturated target as well: it is a mark in lines and across the frame, and elsewhere a
    value that takes no part in the range. A dead pixel lies outside of the range of the picture
    after a 5x5 median, and at most two of its neighbors follow it, as those of a small hot target
    do by the blur of the optics.

    Args:
        gray: `(H, W)` samples.
        known: Where it is known that there is no value.

    Returns:
        Where there is no value, and where there is one that must not enter the range.
    """
    lost: Mask = np.zeros(gray.shape, bool) if known is None else known.copy()
    aside: Mask = np.zeros(gray.shape, bool)
    values = gray if gray.dtype == np.uint16 else gray.astype(np.float32)
    top = float(np.iinfo(gray.dtype).max) if gray.dtype.kind in "iu" else 65535.0
    candidates = np.isin(gray, (*_MARKS, top))
    rest = ~(candidates | lost)
    if not rest.any() or _is_drawing(values[rest]):
        return lost, aside
    middle = np.median(values[rest]).astype(values.dtype)
    plain = np.where(rest, values, middle)
    calm = cv2.medianBlur(plain, 5)
    low, high = float(calm.min()), float(calm.max())
    far = (high - low) / 16
    for mark in np.unique(gray[candidates & ~lost]):
        if low - far <= mark <= high + far:
            continue
        found = (gray == mark) & ~lost
        missing = found if mark != top else found & _lines(found)
        lost |= missing
        aside |= found & ~missing
    lost |= rest & _dead(plain, calm, low - 2 * far, high + 2 * far)
    return lost, aside


def _lines(mask: Mask) -> Mask:
    """What of a mask is at most two pixels wide or reaches across the frame."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    wide, high = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    line = (np.minimum(wide, high) <= 2) | (wide == mask.shape[1]) | (high == mask.shape[0])
    line[0] = False
    return np.asarray(line[labels])


def _dead(plain: Array, calm: Array, low: float, high: float) -> Mask:
    """Pixels outside of the range that at most two of their neighbors follow."""
    mask: Mask = np.zeros(plain.shape, bool)
    rows, cols = np.nonzero((plain < low) | (plain > high))
    if len(rows) > 0.05 * plain.size:
        return mask
    padded = np.pad(plain, 1, mode="edge").astype(np.float32)
    ring = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    local = calm[rows, cols].astype(np.float32)
    excess = plain[rows, cols] - local
    near = np.stack([padded[rows + y, cols + x] for y, x in ring], axis=1) - local[:, None]
    third = np.sort(near * np.sign(excess)[:, None], axis=1)[:, -3]
    mask[rows, cols] = third < 0.15 * np.abs(excess)
    return mask


def fill(planes: Array, mask: Mask) -> Array:
    """A copy of `(C, H, W)` samples in which each that is missing is the nearest that is not."""
    labels = cv2.distanceTransformWithLabels(
        mask.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    filled = planes.copy()
    for plane in filled:
        nearest = np.zeros(labels.max() + 1, planes.dtype)
        nearest[labels[~mask]] = plane[~mask]
        plane[mask] = nearest[labels[mask]]
    return filled


def areas(mask: Mask) -> Mask:
    """A mask without its spots of at most 3x3 pixels, which are mended from their neighbors."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    spot = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]) <= 3
    return np.asarray(mask & ~spot[labels])


def seam(mask: Mask) -> FloatArray | None:
    """The share of the fused image at each pixel, the rest being VI.

    Args:
        mask: Where IR has no value.

    Returns:
        `(H, W)`: 0 in `mask`, rising to 1 over 8 pixels beside areas and over 3 beside lines of
        less than 5 pixels; None if that is 1 everywhere.
    """
    if not mask.any():
        return None
    wide = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
    share = np.minimum(_rise(wide, _SEAM), _rise(mask, _THIN_SEAM))
    return np.asarray(share, np.float32)


def _rise(mask: Mask, over: float) -> FloatArray:
    """Smooth steps from 0 in a mask to 1 at a distance from it."""
    if not mask.any():
        return np.ones(mask.shape, np.float32)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    t = np.minimum(distance / over, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
