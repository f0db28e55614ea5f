"""An infrared picture as everything that measures, fuses or learns takes it.

See also: `mma_unet.data.ranges` for the rule, `mma_unet.data.validity` for what is no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mma_unet.data.images import from_float, read_photo
from mma_unet.data.ranges import (
    IrRange,
    Range,
    RangeMemory,
    fills_its_type,
    find_range,
    quantiles,
    scaled,
)  # fmt: skip
from mma_unet.data.storage import as_place, read_bytes
from mma_unet.data.thermal import THERMAL_SUFFIXES, as_shown, read_thermal
from mma_unet.data.validity import absent, areas, fill, marks_and_dead, seam, surround
from mma_unet.errors import InputError

__all__ = [
    "Infrared",
    "first_note",
    "read_infrared",
    "read_infrared_eight_bit",
    "read_raw",
    "understand",
]

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_BLACK = 4
"""Level of 255 up to which a surround is black: lossy files leave a little there."""


@dataclass(frozen=True)
class Infrared:
    """An infrared picture whose range is known.

    Attributes:
        planes: `(1 or 3, H, W)` samples; those without a value are filled from beside them.
        range: The two samples that become 0 and 1; None for the range of the type.
        share: `(H, W)` share of the fused image, 0 where IR has no value; None if it is 1.
        note: What was done, in a sentence; empty if nothing.
    """

    planes: Array
    range: Range | None
    share: npt.NDArray[np.float32] | None
    note: str


def read_raw(path: str | Path) -> tuple[Array, float | None]:
    """Samples of a file as they are, of any real type and NaN and all, and what means "no data".

    Of a radiometric file they are the counts of the sensor.

    Raises:
        InputError: As `read_image`, but for sample types and NaN.
    """
    place = as_place(path)
    if place.suffix.lower() in THERMAL_SUFFIXES:
        data = read_bytes(place)
        with suppress(InputError):  # with a damaged thermal part it is a picture like others
            frame = read_thermal(data, place)
            if frame is not None:
                return as_shown(frame, data), None
    photo = read_photo(place, raw=True)
    return photo.pixels, photo.nodata


def read_infrared(path: str | Path) -> tuple[Array, str]:
    """An infrared file by the rule, for what scores or learns; and the note.

    Returns:
        `(H, W)` or `(H, W, 3)`: the `uint8` of the file, whatever is no value, or float32 in
        [0, 1].

    Raises:
        InputError: As `read_raw` and `understand`.
    """
    array, nodata = read_raw(path)
    if array.dtype == np.uint8:
        return array, ""
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    found = understand(planes, str(path), nodata=nodata)
    gray = scaled(found.planes, found.range, str(path))
    return gray[0] if array.ndim == 2 else np.ascontiguousarray(gray.transpose(1, 2, 0)), found.note


def read_infrared_eight_bit(path: str | Path) -> Array:
    """As `read_infrared`, in `uint8`."""
    array, _ = read_infrared(path)
    return array if array.dtype == np.uint8 else from_float(array, np.uint8)


def first_note(paths: Sequence[Path]) -> str:
    """What is done to the first of many infrared files; empty if nothing, or if it is bad."""
    try:
        note = read_infrared(paths[0])[1] if paths else ""
    except InputError:  # to be told where all of them are read
        return ""
    return f"{note}; each of the {len(paths)} is judged by itself" if note and paths[1:] else note


def own_range(samples: Array, name: str, nodata: float | None = None) -> Range:
    """The quantiles of one picture, whatever it fills, without what is no value.

    Args:
        samples: `(H, W)` or `(H, W, 3)`.
        name: What to call it in an error.
        nodata: The sample that means "no data".

    Raises:
        InputError: As `understand`.
    """
    planes = samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1)
    found = understand(planes, name, ir_range="stretch", nodata=nodata).range
    assert found is not None
    return found


def understand(
    planes: Array,
    name: str,
    *,
    ir_range: IrRange = "auto",
    nodata: float | None = None,
    valid: Mask | None = None,
    memory: RangeMemory | None = None,
) -> Infrared:
    """Find the range of infrared samples and where there are none.

    Args:
        planes: `(1 or 3, H, W)`, of any real type.
        name: What to call it in an error.
        ir_range: The rule, or the range itself.
        nodata: The sample that means "no data".
        valid: `(H, W)`, False where there is no value; the surround is not looked for then.
        memory: Of the video that it is a frame of.

    Raises:
        InputError: It has no value at all, a sample type that is no number, or is not in the
            range of its type with `"full"`.
    """
    if planes.dtype.kind not in "uif":
        raise InputError(f"{name} holds {planes.dtype} samples: convert it to uint16 or float32.")
    lost = absent(planes, nodata)
    if valid is not None:
        lost = ~valid if lost is None else lost | ~valid
    else:
        beyond = _surround(planes, memory)
        if beyond is not None:
            lost = beyond if lost is None else lost | beyond
    if lost is not None and lost.all():
        raise InputError(f"{name} holds NaN or no-data samples only: give one with values.")
    range_, lost = _range(planes, lost, ir_range, memory)
    if ir_range == "full" and planes.dtype not in (np.uint8, np.uint16):
        scaled(planes if lost is None else planes[:, ~lost], None, name)  # refuses what is beyond
    note = []
    if range_ is None and ir_range == "auto" and planes.dtype.kind == "f":
        range_ = (0.0, 1.0)  # what overshoots a little is clipped
    elif range_ is not None and isinstance(ir_range, str):
        note.append(f"infrared samples {range_[0]:.6g} to {range_[1]:.6g} became 0 to 1")
    share = None
    if lost is not None:
        wide = areas(lost) if valid is None else lost
        share = seam(wide)
        planes = fill(planes, lost)
        if share is not None:
            note.append(f"{wide.mean():.1%} without an infrared value is the visible image")
    return Infrared(planes, range_, share, f"{name}: {'; '.join(note)}" if note else "")


def _surround(planes: Array, memory: RangeMemory | None) -> Mask | None:
    """The black surround, or for a video the one that it had so far if it is still black."""
    black = planes <= _BLACK if planes.dtype == np.uint8 else planes == 0
    dark: Mask = np.logical_and.reduce(black, axis=0)
    if memory is None:
        return surround(dark, _gray(planes))
    if memory.surround is None or dark[memory.surround].mean() < 0.99:
        memory.surround = surround(dark, _gray(planes))
    return memory.surround


def _range(
    planes: Array, lost: Mask | None, ir_range: IrRange, memory: RangeMemory | None
) -> tuple[Range | None, Mask | None]:
    """The range to stretch, and what has no value once marks and dead pixels are known."""
    eight = planes.dtype == np.uint8
    if ir_range == "full" or (eight and ir_range == "auto"):
        return None, lost
    judged = ir_range == "auto" and (memory is None or memory.stretches is None)
    if memory is not None and memory.stretches is False:
        return None, lost
    if judged and fills_its_type(planes, None if lost is None else ~lost):
        gone, used, found = lost, None, None
    else:
        gone, aside = (lost, lost) if eight else marks_and_dead(_gray(planes), lost)
        if not isinstance(ir_range, str):
            return ir_range, _or_none(gone)
        used = _used(gone, aside)
        found = find_range(planes, used) if judged else quantiles(planes, used)
    if memory is not None and np.ptp(_gray(planes)):
        memory.stretches = found is not None
        if found is not None:
            gray = _gray(planes) if used is None else _gray(planes)[used]
            found = memory.follow(found, *np.quantile(gray, (0.25, 0.5, 0.75)).tolist())
    return found, lost if found is None else _or_none(gone)


def _used(gone: Mask | None, aside: Mask | None) -> Mask | None:
    """What takes part in the range; None for all of it."""
    if gone is None or aside is None:
        return None
    out = gone | aside
    return None if out.all() or not out.any() else ~out


def _gray(planes: Array) -> Array:
    """One plane to look at: raw counts in three planes are three times the same."""
    plane: Array = planes[len(planes) // 2]
    return plane


def _or_none(mask: Mask | None) -> Mask | None:
    return mask if mask is not None and mask.any() else None
