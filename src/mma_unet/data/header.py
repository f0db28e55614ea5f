"""What the first bytes of an image file say, held against the file and the memory there is.

A decoder allocates what a header claims before it has seen a single sample, so a file of 67 bytes
can cost gigabytes. Here the claim is read without decoding. A file that ends before its samples do
is cut short, and one that is far too small for its claim is damaged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mma_unet.errors import InputError
from mma_unet.machine import available_memory

__all__ = ["Header", "check_memory", "read_header"]

_PNG = b"\x89PNG\r\n\x1a\n"
_SMALL = 64 * 10**6
"""Bytes of samples below which nobody asks how much memory is free."""
_DEFLATE, _HUFFMAN, _RLE = 1032, 512, 128
"""The most bytes of Deflate, pixels of Huffman-coded JPEG and pixels of BMP's run lengths that one
byte of a file can stand for."""


@dataclass(frozen=True)
class Header:
    """What a file claims to hold.

    Attributes:
        width: Pixels in a row.
        height: Rows.
        pixel_bytes: Bytes of one decoded pixel.
        held: The most pixels that the bytes of the file can stand for, if that is known.
        cut_short: Whether the file ends before its samples do.
    """

    width: int
    height: int
    pixel_bytes: int
    held: int | None = None
    cut_short: bool = False


def read_header(data: bytes) -> Header | None:
    """The header of a file in any format that OpenCV decodes, but for TIFF.

    Args:
        data: The whole file.

    Returns:
        None if it is no such file or its header is damaged.

    Example:
        >>> read_header(b"P5 640 480 255 ")
        Header(width=640, height=480, pixel_bytes=1, held=None, cut_short=True)
    """
    for start, reader in _READERS:
        if re.match(start, data, re.DOTALL):
            try:
                header = reader(data)
            except (IndexError, ValueError):
                return None
            return header if header and header.width > 0 and header.height > 0 else None
    return None


def check_memory(
    name: object, width: int, height: int, needed: int, max_bytes: int | None = None
) -> None:
    """Refuse an image that does not fit into memory, before it is decoded.

    Args:
        name: What to call the image.
        width: Pixels in a row, for the sentence.
        height: Rows, for the sentence.
        needed: Bytes that it takes to decode it.
        max_bytes: The most that may be taken; what is free by default.

    Raises:
        InputError: It does not fit.
    """
    if max_bytes is None:
        if needed <= _SMALL or needed <= (free := available_memory()):
            return
        limit, mend = f"{_mega(free)} MB that are free", "cut it into parts or free memory."
    else:
        if needed <= max_bytes:
            return
        limit = f"{_mega(max(max_bytes, 0))} MB that --max-memory leaves"
        mend = "allow more with --max-memory, or cut it into parts."
    raise InputError(
        f"{name} is {width}x{height} pixels by its header, which take {_mega(needed)} MB, more "
        f"than the {limit}: {mend}"
    )


def _mega(count: int) -> str:
    return f"{count / 1e6:.0f}"


def _png(data: bytes) -> Header | None:
    if data[12:16] != b"IHDR":
        return None
    width, height, bits, color, interlaced = (
        _big(data, 16, 4), _big(data, 20, 4), data[24], data[25], data[28],
    )  # fmt: skip
    packed, clear, cut_short, place = 0, False, True, 8
    while place + 12 <= len(data):
        length, kind = _big(data, place, 4), data[place + 4 : place + 8]
        place += 12 + length
        if place > len(data):
            break
        packed += length * (kind == b"IDAT")
        clear |= kind == b"tRNS"
        if kind == b"IEND":
            cut_short = False
            break
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 0)
    if not channels or bits not in (1, 2, 4, 8, 16):
        return None
    row = (width * channels * bits + 7) // 8 + (not interlaced)
    decoded = 4 if clear or color in (4, 6) else 1 if color == 0 else 3
    held = packed * _DEFLATE // max(row, 1) * width
    return Header(width, height, decoded * (1 + (bits == 16)), held, cut_short)


def _jpeg(data: bytes) -> Header | None:
    """The frame and the first scan; between them may lie a whole thumbnail."""
    frame, place = None, 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        kind = data[place + 1]
        if kind == 0xDA:
            if frame is None:
                return None
            marker, height, width, channels = frame
            held = (len(data) - place) * _HUFFMAN if marker in (0xC0, 0xC1, 0xC2) else None
            decoded = 1 if channels == 1 else 4 if channels == 4 else 3
            return Header(width, height, decoded, held, b"\xff\xd9" not in data[place:])
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            frame = kind, _big(data, place + 5, 2), _big(data, place + 7, 2), data[place + 9]
        place += 1 if kind == 0xFF else 2 + _big(data, place + 2, 2)
    if frame is None:
        return None
    return Header(frame[2], frame[1], 3, cut_short=True)


def _bmp(data: bytes) -> Header | None:
    start, core = _little(data, 10, 4), _little(data, 14, 4) == 12
    width = _little(data, 18, 2 if core else 4)
    height = _little(data, 20, 2) if core else abs(_little(data, 22, 4, signed=True))
    bits, packing = _little(data, 24 if core else 28, 2), 0 if core else _little(data, 30, 4)
    decoded = 4 if bits == 32 else 3
    if packing in (1, 2):
        return Header(width, height, decoded, (len(data) - start) * _RLE)
    needed = (width * bits + 31) // 32 * 4 * (height - 1) + (width * bits + 7) // 8
    return Header(width, height, decoded, cut_short=start + needed > len(data))


def _webp(data: bytes) -> Header | None:
    cut_short, kind = _little(data, 4, 4) + 8 > len(data) + 1, data[12:16]
    if kind == b"VP8X":
        return Header(1 + _little(data, 24, 3), 1 + _little(data, 27, 3), 4, cut_short=cut_short)
    if kind == b"VP8L":
        sizes = _little(data, 21, 4)
        return Header(1 + (sizes & 0x3FFF), 1 + (sizes >> 14 & 0x3FFF), 4, cut_short=cut_short)
    if kind != b"VP8 ":
        return None
    width, height = (_little(data, at, 2) & 0x3FFF for at in (26, 28))
    return Header(width, height, 3, cut_short=cut_short)


_GAP = rb"(?:\s|#[^\n]*\n)+"
_PNM = re.compile(rb"P([1-6])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})")
_LARGEST = re.compile(_GAP + rb"(\d{1,9})\s")


def _pnm(data: bytes) -> Header | None:
    sizes = _PNM.match(data)
    if sizes is None:
        return None
    kind, width, height = (int(word) for word in sizes.groups())
    place, bytes_each = sizes.end() + 1, 1
    if kind not in (1, 4):
        largest = _LARGEST.match(data, sizes.end())
        if largest is None:
            return None
        place, bytes_each = largest.end(), 1 + (int(largest[1]) > 255)
    channels = 3 if kind in (3, 6) else 1
    needed = {
        1: width * height,
        4: (width + 7) // 8 * height,
        5: width * height * bytes_each,
        6: 3 * width * height * bytes_each,
    }.get(kind, 2 * channels * width * height - 1)
    cut_short = place + needed > len(data)
    return Header(width, height, channels * bytes_each, cut_short=cut_short)


_PAM = re.compile(rb"\s(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d{1,9})")


def _pam(data: bytes) -> Header | None:
    head, end, samples = data.partition(b"ENDHDR\n")
    found = {name: int(value) for name, value in _PAM.findall(head)}
    if not end or len(found) < 4:
        return None
    width, height = found[b"WIDTH"], found[b"HEIGHT"]
    pixel = found[b"DEPTH"] * (1 + (found[b"MAXVAL"] > 255))
    return Header(width, height, pixel, cut_short=width * height * pixel > len(samples))


def _pfm(data: bytes) -> Header | None:
    found = re.match(rb"P([fF])\s+(\d{1,9})\s+(\d{1,9})\s+\S+\s", data)
    if found is None:
        return None
    width, height, pixel = int(found[2]), int(found[3]), 4 if found[1] == b"f" else 12
    cut_short = found.end() + width * height * pixel > len(data)
    return Header(width, height, pixel, cut_short=cut_short)


def _radiance(data: bytes) -> Header | None:
    found = re.search(rb"\n[+-][XY] (\d{1,9}) [+-][XY] (\d{1,9})\n", data[:65536])
    return Header(int(found[2]), int(found[1]), 12) if found else None


def _boxes(mark: bytes, width_at: int, height_at: int) -> Callable[[bytes], Header | None]:
    """The largest size that boxes of the name `mark` give (a thumbnail has one too)."""

    def read(data: bytes) -> Header | None:
        starts = [found.end() for found in re.finditer(mark, data[:1048576], re.DOTALL)]
        sizes = [(_big(data, at + width_at, 4), _big(data, at + height_at, 4)) for at in starts]
        if not sizes:
            return None
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        return Header(width, height, 8)

    return read


def _gif(data: bytes) -> Header | None:
    return Header(_little(data, 6, 2), _little(data, 8, 2), 4)


def _sun(data: bytes) -> Header | None:
    return Header(_big(data, 4, 4), _big(data, 8, 4), 3)


_READERS: tuple[tuple[bytes, Callable[[bytes], Header | None]], ...] = (
    (re.escape(_PNG), _png),
    (rb"\xff\xd8\xff", _jpeg),
    (rb"BM", _bmp),
    (rb"RIFF.{4}WEBP", _webp),
    (rb"P[1-6]\s", _pnm),
    (rb"P7\s", _pam),
    (rb"P[fF]\s", _pfm),
    (rb"GIF8", _gif),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", _boxes(rb"ihdr|\xff\x51\x00.\x00.", 4, 0)),
    (rb".{4}ftyp(?:avif|avis|mif1)", _boxes(rb"ispe", 4, 8)),
    (rb"#\?R", _radiance),
    (rb"\x59\xa6\x6a\x95", _sun),
)


def _big(data: bytes, place: int, count: int) -> int:
    part = data[place : place + count]
    if len(part) < count:
        raise IndexError
    return int.from_bytes(part, "big")


def _little(data: bytes, place: int, count: int, *, signed: bool = False) -> int:
    part = data[place : place + count]
    if len(part) < count:
        raise IndexError
    return int.from_bytes(part, "little", signed=signed)
