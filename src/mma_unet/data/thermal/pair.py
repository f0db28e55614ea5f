"""The thermal picture and the photograph of one file, brought to the same pixels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.thermal.frame import Counts, Field, ThermalFrame
from mma_unet.errors import InputError

__all__ = ["ThermalPair", "aligned"]

_DARK = 24
"""Level of 255 that the black surround of a photograph does not exceed, JPEG's noise included."""
_UNEVEN = 0.02
"""Share of the picture by which opposite sides of a surround may differ."""


@dataclass(frozen=True)
class ThermalPair:
    """Both pictures of one file, of one size.

    Attributes:
        ir: `(H, W)` `uint16` counts.
        vi: `(H, W, 3)` RGB `uint8`: the part of the photograph that both cameras see.
        note: What was done, in a sentence.
    """

    ir: Counts
    vi: npt.NDArray[np.uint8]
    note: str


def aligned(frame: ThermalFrame) -> ThermalPair:
    """Lay the thermal picture over the photograph with the scale and offset of the camera.

    The camera knows where its two lenses look at one distance; what is nearer or farther is off by
    a few pixels. What only one of the two sees, and a black surround of the photograph, is cut off.

    Raises:
        InputError: The file holds no photograph, or the two do not overlap.
    """
    vi = frame.visible
    if vi is None:
        raise InputError(
            f"{frame.name} {frame.lacking}: give the picture of the visible camera as VI."
        )
    field = frame.field or Field(1.0, 0.0, 0.0)
    height, width = vi.shape[:2]
    ir_height, ir_width = frame.counts.shape
    step = width / field.scale / ir_width  # pixels of the photograph for one of the sensor
    left = width / 2 + field.right - step * ir_width / 2
    top = height / 2 + field.down - step * ir_height / 2
    rows, cols = _lit(vi)
    y0, y1 = max(round(top), rows[0]), min(round(top + step * ir_height), rows[1])
    x0, x1 = max(round(left), cols[0]), min(round(left + step * ir_width), cols[1])
    if y1 - y0 < ir_height // 8 or x1 - x0 < ir_width // 8:
        raise InputError(
            f"{frame.name}: by its own scale and offset the thermal picture lies beside the "
            "visible one: give the two as two files."
        )
    inverse = np.array(
        [
            [1 / step, 0, (x0 + 0.5 - left) / step - 0.5],
            [0, 1 / step, (y0 + 0.5 - top) / step - 0.5],
        ]
    )
    flags = (cv2.INTER_CUBIC if step > 1 else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    levels = cv2.warpAffine(
        frame.counts.astype(np.float32),
        inverse,
        (x1 - x0, y1 - y0),
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )
    ir = np.rint(np.clip(levels, frame.counts.min(), frame.counts.max())).astype(np.uint16)
    how = "by the camera's own scale and offset" if frame.field else "by their middle"
    note = (
        f"{frame.name}: thermal {ir_width}x{ir_height} laid over visible {width}x{height} {how}; "
        f"both see {x1 - x0}x{y1 - y0} pixels"
    )
    return ThermalPair(ir, np.ascontiguousarray(vi[y0:y1, x0:x1]), note)


def _lit(vi: npt.NDArray[np.uint8]) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row and column of the photograph inside a black surround.

    Some cameras store it scaled down, in the middle of a black frame of fixed size. Its sides are
    even then, unlike those of a dark scene.
    """
    bright = vi.max(axis=2) > _DARK
    return _span(bright.mean(axis=1) > 0.05), _span(bright.mean(axis=0) > 0.05)


def _span(lit: npt.NDArray[np.bool_]) -> tuple[int, int]:
    places = np.flatnonzero(lit)
    count = len(lit)
    if not len(places):
        return 0, count
    first, last = int(places[0]), int(places[-1]) + 1
    even = abs(first - (count - last)) <= _UNEVEN * count
    return (first, last) if even and last - first >= count // 2 else (0, count)
