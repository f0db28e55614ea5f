"""What a photograph carries beside its pixels: EXIF with GPS and time, ICC profile, dpi, GeoTIFF.

It is read from the file of the visible image and put into the file of the result, without coding
the pixels again, as far as the format of the result can hold it: JPEG, PNG and WebP hold EXIF and
ICC, JPEG, PNG, TIFF and BMP the dpi, TIFF everything.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from mma_unet.data.exif import (
    EXIF_IFD,
    GPS_IFD,
    Entry,
    Tags,
    directory_at,
    is_tiff,
    pack_block,
    pack_tags,
    read_tags,
    split_block,
    upright,
)

__all__ = ["Metadata", "add_metadata", "find_exif", "read_metadata"]

_PNG = b"\x89PNG\r\n\x1a\n"
_EXIF, _ICC = b"Exif\0\0", b"ICC_PROFILE\0"
_INCH = 0.0254
_TEXTS = (270, 271, 272, 305, 306, 315, 33432)
"""ImageDescription, Make, Model, Software, DateTime, Artist, Copyright."""
_GEO = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
"""Tags of GeoTIFF 1.1 and of GDAL."""
_X, _Y, _UNIT, _PROFILE, _ORIENTATION, _EXTRA = 282, 283, 296, 34675, 274, 338
_STRUCTURAL = (b'{"', b"ImageJ=", b"<?xml")
"""Descriptions that tell a program how the pages of the old file lie."""
_SEGMENT, _BLOCK = 65533, 65519
"""The most bytes of a JPEG segment, and of an ICC profile in one."""


@dataclass(frozen=True)
class Metadata:
    """What is carried over.

    Attributes:
        exif: An EXIF block of an upright picture, without `Exif` before it.
        icc: An ICC profile.
        dpi: Pixels per inch along a row and along a column.
        geo: Tags of GeoTIFF.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    geo: Tags = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.exif or self.icc or self.dpi or self.geo)


def read_metadata(data: bytes, turned: int = 1) -> Metadata:
    """What an image file carries; what is damaged is left out.

    Args:
        data: The whole file.
        turned: The orientation that its pixels had before they were turned upright.
    """
    with contextlib.suppress(ValueError, IndexError, struct.error, zlib.error):
        found = _from_tiff(data) if is_tiff(data) else _from_others(data, turned)
        if turned >= 5 and found.dpi is not None:
            found = Metadata(found.exif, found.icc, found.dpi[::-1], found.geo)
        return found if turned == 1 else Metadata(found.exif, found.icc, found.dpi)
    return Metadata()


def find_exif(data: bytes) -> bytes | None:
    """The EXIF block of a JPEG, PNG or WebP file."""
    with contextlib.suppress(IndexError, struct.error):
        for kind, part in _parts(data):
            if kind in (b"\xe1", b"EXIF", b"eXIf") and (kind != b"\xe1" or part.startswith(_EXIF)):
                return part.removeprefix(_EXIF)
    return None


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Segments of JPEG before the first scan, or chunks of PNG or WebP, with their names."""
    if data.startswith(b"\xff\xd8"):
        place = 2
        while data[place : place + 1] == b"\xff" and data[place + 1] != 0xDA:
            (length,) = struct.unpack_from(">H", data, place + 2)
            yield data[place + 1 : place + 2], data[place + 4 : place + 2 + length]
            place += 1 if data[place + 1] == 0xFF else 2 + length
    elif data.startswith(_PNG):
        yield from _chunks_of_png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        place = 12
        while place + 8 <= len(data):
            (length,) = struct.unpack_from("<I", data, place + 4)
            yield data[place : place + 4], data[place + 8 : place + 8 + length]
            place += 8 + length + length % 2


def _chunks_of_png(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Chunks of a PNG file that are no samples; `IDAT` is skipped over."""
    place = len(_PNG)
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind = data[place + 4 : place + 8]
        if kind != b"IDAT":
            yield kind, data[place + 8 : place + 8 + length]
        place += 12 + length


def _from_others(data: bytes, turned: int) -> Metadata:
    exif = find_exif(data)
    if exif is not None:
        try:
            exif = upright(exif, turned)
        except (ValueError, struct.error):
            exif = None
    icc, dpi, profile = None, None, {}
    for kind, part in _parts(data):
        if kind == b"\xe2" and part.startswith(_ICC):
            profile[part[12]] = part[14:]
        elif kind == b"\xe0" and part.startswith(b"JFIF\0") and part[7] in (1, 2):
            x, y = struct.unpack_from(">HH", part, 8)
            dpi = (x, y) if part[7] == 1 else (x * 2.54, y * 2.54)
        elif kind == b"iCCP":
            packed = part.partition(b"\0")[2][1:]
            icc = zlib.decompressobj().decompress(packed, 16 * 2**20)
        elif kind == b"pHYs" and part[8] == 1:
            x, y = struct.unpack_from(">II", part)
            dpi = (x * _INCH, y * _INCH)
        elif kind == b"ICCP":
            icc = part
    if profile:
        icc = b"".join(profile[i] for i in sorted(profile))
    if data.startswith(b"BM") and len(data) >= 46:
        x, y = struct.unpack_from("<ii", data, 38)
        dpi = (x * _INCH, y * _INCH)
    if dpi is None and exif is not None:
        dpi = _dpi_of(read_tags(exif))
    return Metadata(exif, icc, dpi if dpi is not None and min(dpi) > 0 else None)


def _dpi_of(tags: Tags) -> tuple[float, float] | None:
    entries = tags.get(_X), tags.get(_Y)
    if any(entry is None or entry.kind != 5 for entry in entries):
        return None
    unit = tags[_UNIT].data[0] if _UNIT in tags else 2
    over = [struct.unpack("<II", entry.data[:8]) for entry in entries if entry is not None]
    if unit not in (2, 3) or not all(low and high for high, low in over):
        return None
    x, y = (high / low * (2.54 if unit == 3 else 1) for high, low in over)
    return x, y


def _from_tiff(data: bytes) -> Metadata:
    tags, inner = split_block(data)
    texts = {
        tag: tags[tag]
        for tag in _TEXTS
        if tag in tags and not (tag == 270 and tags[tag].data.startswith(_STRUCTURAL))
    }
    inner = {tag: entries for tag, entries in inner.items() if entries}
    exif = pack_block(texts, inner) if texts or inner else None
    icc = tags[_PROFILE].data if _PROFILE in tags else None
    return Metadata(exif, icc, _dpi_of(tags), {tag: tags[tag] for tag in _GEO if tag in tags})


def add_metadata(encoded: bytes, metadata: Metadata, *, channels: int) -> bytes:
    """An encoded image with metadata in it, as far as its format holds it.

    Args:
        encoded: The whole file as OpenCV encodes it.
        metadata: What to put into it.
        channels: 1 for gray, 3 for RGB, 4 with alpha; a profile of another kind is left out.
    """
    space = b"GRAY" if channels == 1 else b"RGB "
    icc = metadata.icc if metadata.icc is not None and metadata.icc[16:20] == space else None
    if encoded.startswith(b"\xff\xd8"):
        return _into_jpeg(encoded, metadata, icc)
    if encoded.startswith(_PNG):
        return _into_png(encoded, metadata, icc)
    if encoded[:4] == b"RIFF":
        return _into_webp(encoded, metadata, icc)
    if encoded.startswith(b"BM") and metadata.dpi is not None:
        meters = struct.pack("<ii", *(round(value / _INCH) for value in metadata.dpi))
        return encoded[:38] + meters + encoded[46:]
    if is_tiff(encoded) and len(encoded) < 2**32 - 2**26:
        return _into_tiff(encoded, metadata, icc, channels)
    return encoded


def _into_jpeg(encoded: bytes, metadata: Metadata, icc: bytes | None) -> bytes:
    (length,) = struct.unpack_from(">H", encoded, 4)
    start = 4 + length if encoded[2:4] == b"\xff\xe0" else 2
    head = bytearray(encoded[:start])
    if metadata.dpi is not None and start > 2 and max(metadata.dpi) < 65536:
        head[13:18] = struct.pack(">BHH", 1, *(round(value) for value in metadata.dpi))
    parts = []
    if metadata.exif is not None and len(metadata.exif) + len(_EXIF) <= _SEGMENT:
        parts.append((0xE1, _EXIF + metadata.exif))
    blocks = [icc[i : i + _BLOCK] for i in range(0, len(icc), _BLOCK)] if icc else []
    if len(blocks) < 256:
        parts += [
            (0xE2, _ICC + bytes((number, len(blocks))) + block)
            for number, block in enumerate(blocks, 1)
        ]
    added = (struct.pack(">BBH", 0xFF, kind, len(part) + 2) + part for kind, part in parts)
    return b"".join((bytes(head), *added, encoded[start:]))


def _into_png(encoded: bytes, metadata: Metadata, icc: bytes | None) -> bytes:
    parts = []
    if icc is not None:
        parts.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if metadata.dpi is not None:
        meters = (round(value / _INCH) for value in metadata.dpi)
        parts.append((b"pHYs", struct.pack(">IIB", *meters, 1)))
    if metadata.exif is not None:
        parts.append((b"eXIf", metadata.exif))
    start = len(_PNG) + 25  # behind IHDR
    added = (
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in parts
    )
    return b"".join((encoded[:start], *added, encoded[start:]))


def _into_webp(encoded: bytes, metadata: Metadata, icc: bytes | None) -> bytes:
    from mma_unet.data.header import read_header

    header = read_header(encoded)
    if header is None or not (metadata.exif or icc):
        return encoded
    parts = list(_parts(encoded))
    flags = next((part[0] for kind, part in parts if kind == b"VP8X"), 0)
    if any(kind == b"VP8L" and part[4] & 0x10 for kind, part in parts):
        flags |= 0x10  # alpha
    flags |= 0x20 * bool(icc) | 0x08 * bool(metadata.exif)
    sizes = (header.width - 1, header.height - 1)
    head = bytes((flags, 0, 0, 0)) + b"".join(size.to_bytes(3, "little") for size in sizes)
    chunks = [(b"VP8X", head), *([(b"ICCP", icc)] if icc else [])]
    chunks += [(kind, part) for kind, part in parts if kind != b"VP8X"]
    chunks += [(b"EXIF", metadata.exif)] if metadata.exif else []
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2)
        for kind, part in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _into_tiff(encoded: bytes, metadata: Metadata, icc: bytes | None, channels: int) -> bytes:
    """A new first directory at the end of the file; the strips stay where they are."""
    order, big, _ = directory_at(encoded)
    if order != "<" or big:
        return encoded
    tags = read_tags(encoded)
    inner: dict[int, Tags] = {}
    if metadata.exif is not None:
        with contextlib.suppress(ValueError, struct.error):
            texts, inner = split_block(metadata.exif)
            tags |= {tag: texts[tag] for tag in _TEXTS if tag in texts}
    if metadata.dpi is not None:
        for tag, value in zip((_X, _Y), metadata.dpi, strict=True):
            tags[tag] = Entry(5, 1, struct.pack("<II", round(value * 1000), 1000))
        tags[_UNIT] = Entry(3, 1, struct.pack("<H", 2))
    if icc is not None:
        tags[_PROFILE] = Entry(7, len(icc), icc)
    tags |= metadata.geo
    tags[_ORIENTATION] = Entry(3, 1, struct.pack("<H", 1))
    if channels == 4:
        tags[_EXTRA] = Entry(3, 1, struct.pack("<H", 2))  # alpha, colors not multiplied by it
    padded = encoded + b"\0" * (len(encoded) % 2)
    directory = pack_tags(
        tags, len(padded), {t: inner[t] for t in (EXIF_IFD, GPS_IFD) if t in inner}
    )
    return b"".join((padded[:4], struct.pack("<I", len(padded)), padded[8:], directory))
