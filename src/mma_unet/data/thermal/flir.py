"""The thermal frame, photograph and calibration of a FLIR radiometric JPEG.

The APP1 segments that begin with `FLIR` are joined to one block, a small archive: a header, a list
of records, the records. The header is written in either byte order, and the values of a record in
another than the list (layout: ExifTool's `FLIR.pm`, https://exiftool.org/TagNames/FLIR.html).

`flyr` reads such files too, but not those of DJI's XT2 (little-endian), it shows photographs in
PNG in wrong colors (they are stored as YCbCr), and it follows lengths from the file unguarded. So
it is asked for degrees only (`mma_unet.data.thermal.temperature`).
"""

import math
import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.thermal.frame import LARGEST, Counts, Field, ThermalFrame, frame_of, in_order
from mma_unet.data.thermal.pictures import decode_embedded
from mma_unet.data.thermal.segments import app_segments
from mma_unet.errors import InputError

__all__ = ["read_flir"]

_RAW, _PHOTOGRAPH, _CAMERA, _FIELD = 1, 14, 32, 42
"""Kinds of records."""
_PNG = b"\x89PNG"
_HEADER = 32
"""Bytes before the picture in a record that holds one."""


def read_flir(data: bytes, name: str | Path) -> ThermalFrame | None:
    """The thermal frame and what lies beside it; None if the file has no FLIR segments.

    Args:
        data: The whole file; its picture may be cut short.
        name: What to call it.

    Raises:
        InputError: There are such segments, but they are damaged or of a kind that is not known.
    """
    block = _joined(data, name)
    if block is None:
        return None
    records = _records(block, name)
    raw = records.get(_RAW)
    if raw is None:
        raise InputError(
            f"{name} has FLIR segments without a thermal frame: save it as a radiometric JPEG."
        )
    counts, camera = _counts(raw, name), records.get(_CAMERA)
    if _PHOTOGRAPH not in records:
        return ThermalFrame(str(name), counts, calibration=camera)
    visible = _photograph(records[_PHOTOGRAPH])
    lacking = "holds a visible picture that is damaged or of a kind that is not known"
    field = _field(records.get(_FIELD, b""))
    return ThermalFrame(str(name), counts, visible, lacking, field, camera)


def _joined(data: bytes, name: str | Path) -> bytes | None:
    """The block that the FLIR segments hold together."""
    parts: dict[int, bytes] = {}
    last = 0
    for kind, part in app_segments(data):
        if kind == 1 and part[:5] == b"FLIR\0" and len(part) >= 8:
            last = part[7]
            parts.setdefault(part[6], part[8:])
    if not parts:
        return None
    if any(number not in parts for number in range(last + 1)):
        raise InputError(
            f"{name} lacks {last + 1 - len(parts)} of its {last + 1} FLIR segments: copy the file "
            "from the camera again."
        )
    return b"".join(parts[number] for number in range(last + 1))


def _records(block: bytes, name: str | Path) -> dict[int, bytes]:
    """The first record of each kind."""
    order = next((o for o in (">", "<") if 100 <= _unsigned(block, 20, o) < 200), None)
    if order is None or block[:3] not in (b"FFF", b"AFF"):
        raise InputError(f"{name}: its FLIR segments are damaged: copy it from the camera again.")
    start, count = _unsigned(block, 24, order), _unsigned(block, 28, order)
    count = min(count, max(len(block) - start, 0) // 32)
    records: dict[int, bytes] = {}
    for number in range(count):
        kind, _, _, _, offset, length = struct.unpack_from(
            f"{order}HHIIII", block, start + 32 * number
        )
        if kind:
            records.setdefault(kind, block[offset : offset + length])
    return records


def _unsigned(block: bytes, place: int, order: str) -> int:
    if place + 4 > len(block):
        return 0
    value: int = struct.unpack_from(f"{order}I", block, place)[0]
    return value


def _size(record: bytes) -> tuple[int, int]:
    """Height and width of the picture in a record, whose first value is small in its order."""
    if len(record) < _HEADER:
        return 0, 0
    order = "<" if record[1] == 0 else ">"
    width, height = struct.unpack_from(f"{order}HH", record, 2)
    return height, width


def _counts(record: bytes, name: str | Path) -> Counts:
    height, width = _size(record)
    samples = record[_HEADER:]
    if samples[:4] == _PNG:
        picture = decode_embedded(samples, (height, width), LARGEST)
        if picture is None or picture.dtype != np.uint16 or picture.ndim != 2:
            raise InputError(f"{name}: its thermal frame is damaged: copy the file again.")
        return in_order(picture)
    if samples[:3] == b"\xff\xd8\xff":
        raise InputError(
            f"{name}: its thermal frame is packed in a way that is not known: save it as a "
            "radiometric JPEG with the maker's program."
        )
    return frame_of(samples, height, width, name)


def _photograph(record: bytes) -> npt.NDArray[np.uint8] | None:
    """The picture of the second camera, in RGB; None if it cannot be read."""
    samples = record[_HEADER:]
    if samples[:4] != _PNG and samples[:3] != b"\xff\xd8\xff":
        return None
    picture = decode_embedded(samples, _size(record), 4 * LARGEST)
    if picture is None or picture.dtype != np.uint8:
        return None
    if picture.ndim == 2:
        return np.repeat(picture[:, :, None], 3, axis=2)
    if samples[:4] == _PNG and _is_ycbcr(picture):
        ycrcb = np.ascontiguousarray(picture[:, :, [0, 2, 1]])
        return cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB).astype(np.uint8)
    return picture


def _is_ycbcr(picture: npt.NDArray[np.uint8]) -> bool:
    """Whether the second and third plane are color differences, which hold little detail."""
    detail = np.abs(np.diff(picture.astype(np.int16), axis=1)).mean(axis=(0, 1))
    return bool(detail[1] + detail[2] < detail[0])


def _field(record: bytes) -> Field | None:
    """Where the thermal picture lies in the photograph, as the camera was adjusted."""
    if len(record) < 8:
        return None
    scale, right, down = struct.unpack_from("<fhh", record)
    if not math.isfinite(scale) or not 0.2 <= scale <= 10:
        return None
    return Field(scale, right, down)
