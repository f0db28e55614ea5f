"""Radiometric JPEGs made here, laid out as cameras write them."""

import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def scene_counts(height: int, width: int, low: int = 16000, high: int = 19000) -> Array:
    """Smooth counts with a hot spot at a quarter of the height and two thirds of the width."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    spot = np.exp(-((y * max(height, width) / height - 0.25) ** 2 + (x - 0.66) ** 2) / 0.01)
    levels = 0.4 * x + 0.2 * np.sin(7 * y) ** 2 + 0.4 * spot
    return np.asarray(np.rint(low + levels * (high - low)), np.uint16)


def shown(height: int, width: int) -> bytes:
    """The JPEG that one sees."""
    gray = np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.applyColorMap(gray, cv2.COLORMAP_INFERNO))[1])


def with_segments(jpeg: bytes, segments: list[tuple[int, bytes]]) -> bytes:
    """`jpeg` with application segments (number, content) at its start."""
    parts = [
        bytes([0xFF, 0xE0 + kind]) + (len(part) + 2).to_bytes(2, "big") + part
        for kind, part in segments
    ]
    return jpeg[:2] + b"".join(parts) + jpeg[2:]


def dji(counts: Array, kind: int = 3, picture: tuple[int, int] | None = None) -> bytes:
    """An R-JPEG of DJI: the frame in pieces of 65533 bytes."""
    data = counts.astype("<u2").tobytes()
    pieces = [data[start : start + 65533] for start in range(0, len(data), 65533)]
    extra = [(5, b"\1\0" * 900), *((kind, piece) for piece in pieces), (1, b"Exif\0\0II*\0")]
    return with_segments(shown(*(picture or counts.shape)), extra)


def flir(
    counts: Array,
    visible: Array | None = None,
    *,
    order: str = ">",
    samples: str = "<u2",
    photo: str = ".jpg",
    ycbcr: bool = False,
    field: tuple[float, int, int] | None = (1.5, 0, 0),
    piece: int = 60000,
    picture: tuple[int, int] = (240, 320),
    constants: bytes = b"",
) -> bytes:
    """A FLIR JPEG; `order` of its list, `samples` the bytes of the frame or `"png"`."""
    if samples == "png":
        frame = bytes(cv2.imencode(".png", counts.byteswap())[1])
    else:
        frame = counts.astype(samples).tobytes()
    records = [(1, _sized(counts, 2) + frame)]
    if visible is not None:
        bgr = visible[:, :, ::-1]
        if ycbcr:
            bgr = cv2.cvtColor(visible, cv2.COLOR_RGB2YCrCb)[:, :, [1, 2, 0]]
        records.append((14, _sized(visible, 3) + bytes(cv2.imencode(photo, bgr)[1])))
    if field is not None:
        records.append((42, struct.pack("<fhh", *field) + bytes(24)))
    if constants:
        records.append((32, constants))
    block = archive(records, order)
    pieces = [block[start : start + piece] for start in range(0, len(block), piece)]
    last = len(pieces) - 1
    head = [b"FLIR\0\1" + bytes([number, last]) for number in range(len(pieces))]
    segments = [(1, start + part) for start, part in zip(head, pieces, strict=True)]
    return with_segments(shown(*picture), [(1, b"Exif\0\0II*\0"), *segments])


def archive(records: list[tuple[int, bytes]], order: str = ">", count: int | None = None) -> bytes:
    """The block of a FLIR file; `count` is what its header claims of its records."""
    place = 64 + 32 * len(records)
    entries, data = b"", b""
    for kind, content in records:
        entries += struct.pack(f"{order}HHIIII", kind, 1, 100, 1, place + len(data), len(content))
        entries += bytes(12)
        data += content
    claimed = len(records) if count is None else count
    head = b"FFF\0" + b"CAMERA".ljust(16, b"\0") + struct.pack(f"{order}III", 100, 64, claimed)
    return head.ljust(64, b"\0") + entries + data


def _sized(picture: Array, mark: int) -> bytes:
    return struct.pack("<HHH", mark, picture.shape[1], picture.shape[0]).ljust(32, b"\0")
