"""The one rule by which infrared samples become gray levels in [0, 1].

Samples of 8 bits mean what they say, and so do those of 16 bits or floats in [0, 1] that fill their
range. Raw counts, centi-kelvin and degrees fill little of it and look like fog: of those the 0.1 %
to 99.9 % quantiles are stretched to the full range, without what is no value
(`mma_unet.data.validity`). `Fuser`, video, the benchmark and training all ask here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mma_unet.data.images import to_float
from mma_unet.errors import InputError

__all__ = [
    "IR_RANGES", "IrRange", "Range", "RangeMemory", "check_ir_range", "fills_its_type",
    "find_range", "quantiles", "scaled",
]  # fmt: skip

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

Range: TypeAlias = tuple[float, float]
"""The two sample values that become 0 and 1."""
IrRange: TypeAlias = "str | Range"
"""A word of `IR_RANGES`, or the range itself."""

IR_RANGES = ("auto", "full", "stretch")
"""`auto` stretches what fills little of the range of its type; `full` nothing; `stretch` all."""

_LITTLE = 0.25
"""Share of the type's range up to which samples are raw: 14 bits of 16."""
_SPOT = 4
"""Pixels of a bright spot; a few dead pixels side by side are fewer."""
_QUANTILES = (0.001, 0.999)
_STEP = 0.5 / 255
"""By how much of itself a range may move from frame to frame: half a gray level, of which the
network makes up to two of 255."""
_ROWS = 256
"""Rows that are counted at once."""


def check_ir_range(ir_range: IrRange) -> None:
    """Refuse what is neither a word of `IR_RANGES` nor two rising numbers.

    Raises:
        InputError: One sentence.
    """
    if isinstance(ir_range, str):
        good = ir_range in IR_RANGES
    else:
        good = len(ir_range) == 2 and bool(np.isfinite(ir_range).all()) and np.diff(ir_range)[0] > 0
    if not good:
        raise InputError(
            f"ir_range must be {', '.join(IR_RANGES)} or two rising numbers, not {ir_range!r}"
        )


def scaled(samples: Array, range_: Range | None, name: str) -> npt.NDArray[np.float32]:
    """Samples of any shape as float32 in [0, 1].

    Args:
        samples: Of any real type.
        range_: What becomes 0 and 1, all beyond being clipped; None for the range of the type.
        name: What to call the image in an error.

    Raises:
        InputError: As `to_float`, where `range_` is None.

    Example:
        >>> scaled(np.array([7000, 7500, 9000], np.uint16), (7000, 8000), "ir").tolist()
        [0.0, 0.5, 1.0]
    """
    if range_ is None:
        return to_float(samples, name)
    low, high = range_
    wide = samples.dtype.kind in "iu" and samples.dtype.itemsize > 2
    result: Array = samples.astype(np.float64) if wide else samples.astype(np.float32)
    result = (result - low) / max(high - low, 1e-6)
    clipped: npt.NDArray[np.float32] = np.clip(result, 0, 1, out=result).astype(
        np.float32, copy=False
    )
    return clipped


def find_range(planes: Array, used: Mask | None) -> Range | None:
    """The range of a picture by the rule of this module.

    Args:
        planes: `(C, H, W)` samples.
        used: `(H, W)`, False where there is no value.

    Returns:
        The range to stretch; None if the samples mean what they say, or are all the same.
    """
    if planes.dtype == np.uint8:
        return None
    low, high = quantiles(planes, used)
    whole = _type_range(planes)
    if whole is None:
        return low, high
    if planes.dtype.kind == "f" and (low < -_LITTLE or high > 1 + _LITTLE):
        return low, high
    fills = high - low > _LITTLE * whole or low == high
    if not fills and low < 0.01 * whole:  # black, and a few bright spots: stretched before
        samples = planes if used is None else planes[:, used]
        fills = bool(np.count_nonzero(samples > 0.75 * whole) >= _SPOT)
    return None if fills or _is_eight_bit(planes, used) else (low, high)


def _type_range(planes: Array) -> float | None:
    """What is white of a sample type, 0 being black; None if it holds counts only."""
    if planes.dtype == np.uint16:
        return 65535.0
    return 1.0 if planes.dtype.kind == "f" else None


def _is_eight_bit(planes: Array, used: Mask | None) -> bool:
    """Whether it is an 8-bit picture in wider samples: such a one is dark because it is dark."""
    samples = planes if used is None else planes[:, used]
    if planes.dtype == np.uint16:
        return any(not (samples % factor).any() for factor in (257, 256))
    levels = samples * 255
    return bool((np.abs(levels - np.rint(levels)) < 1e-3).all() and levels.max() <= 256)


def quantiles(
    planes: Array, used: Mask | None = None, shares: tuple[float, float] = _QUANTILES
) -> Range:
    """Two quantiles of the samples, 0.1 % and 99.9 % by default.

    Args:
        planes: `(C, H, W)` finite samples.
        used: `(H, W)`, False where there is no value.
        shares: Which quantiles.

    Example:
        >>> quantiles(np.arange(1001, dtype=np.uint16).reshape(1, 7, 143))
        (1.0, 999.0)
    """
    if planes.dtype in (np.uint8, np.uint16):
        return _quantiles_of(_counts(planes, used), shares)
    samples = planes if used is None else planes[:, used]
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float32, copy=False)
    low, high = np.quantile(samples, shares)
    return float(low), float(high)


def _counts(planes: Array, used: Mask | None) -> npt.NDArray[np.int64]:
    """How often each value occurs, without a copy of the image."""
    counts = np.zeros(np.iinfo(planes.dtype).max + 1, np.int64)
    for top in range(0, planes.shape[1], _ROWS):
        rows = slice(top, top + _ROWS)
        part = planes[:, rows] if used is None else planes[:, rows][:, used[rows]]
        counts += np.bincount(part.ravel(), minlength=len(counts))
    return counts


def _quantiles_of(counts: npt.NDArray[np.int64], shares: tuple[float, float]) -> Range:
    ranks = np.cumsum(counts)
    places = (ranks[-1] - 1) * np.array(shares)
    below = np.searchsorted(ranks, np.floor(places), side="right")
    above = np.searchsorted(ranks, np.ceil(places), side="right")
    low, high = below + (above - below) * (places % 1)
    return float(low), float(high)


def fills_its_type(planes: Array, used: Mask | None) -> bool:
    """Whether it is plain at once that 16-bit samples fill their range, marks and all left out."""
    if planes.dtype != np.uint16:
        return False
    counts = _counts(planes, used)
    counts[[0, -1]] = 0
    low, high = _quantiles_of(counts, (0.02, 0.98)) if counts.any() else (0.0, 0.0)
    return high - low > _LITTLE * 65535


class RangeMemory:
    """The range of a video, which follows its frames by at most half a gray level at a time.

    So a hot object that enters does not darken what was there. Whether the samples are stretched
    is settled by the first frame that is not all of one value. The range starts anew where the
    middle of a frame lies outside of it, as after a cut or when the camera has recalibrated.

    Example:
        >>> memory = RangeMemory()
        >>> [memory.follow((7000, high), 7500, 8000, 8500) for high in (9550, 20000)]
        [(7000, 9550), (7000.0, 9555.0)]
    """

    def __init__(self) -> None:
        self.range: Range | None = None
        self.stretches: bool | None = None
        """None as long as that is not settled."""
        self.surround: Mask | None = None
        """The surround of the field in the frames so far."""

    def follow(self, found: Range, first: float, middle: float, third: float) -> Range:
        """The range for a frame of which `found` is its own, and the rest are the quartiles."""
        if self.range is None or self._is_new(first, middle, third):
            self.range = found
        else:
            step = _STEP * (self.range[1] - self.range[0])
            low, high = (
                old + float(np.clip(new - old, -step, step))
                for old, new in zip(self.range, found, strict=True)
            )
            self.range = low, high
        return self.range

    def _is_new(self, first: float, middle: float, third: float) -> bool:
        assert self.range is not None
        low, high = self.range
        return not low <= middle <= high or third - first > 4 * (high - low)
