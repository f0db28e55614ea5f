"""EXIF blocks and TIFF directories (IFD): entries in, entries out, without decoding what they say.

An EXIF block is a small TIFF file. Tags travel as the bytes they are, so that nothing is lost that
this package does not know. See TIFF 6.0, section 2, and CIPA DC-008 (EXIF 3.0).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "EXIF_IFD",
    "GPS_IFD",
    "Entry",
    "Tags",
    "directory_at",
    "is_tiff",
    "orientation",
    "pack_block",
    "pack_tags",
    "read_tags",
    "split_block",
    "upright",
]

EXIF_IFD, GPS_IFD = 34665, 34853
"""Tags that hold the place of another directory."""
_ORIENTATION, _INTEROP, _WIDTH, _HEIGHT = 274, 0xA005, 0xA002, 0xA003
_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
"""Bytes of one value of the types 1 (BYTE) to 13 (IFD) of TIFF."""
_UNITS = (0, 1, 1, 2, 4, 4, 1, 1, 2, 4, 4, 4, 8, 4)
"""Bytes that are swapped together: a rational number is two of four bytes."""
_WHOLE = {1: "B", 3: "H", 4: "I"}
"""Types of whole numbers."""
_MOST = 4096
"""Entries of a directory; a longer one is damaged."""


@dataclass(frozen=True)
class Entry:
    """One entry: its type, the number of its values, and their bytes, little-endian."""

    kind: int
    count: int
    data: bytes


Tags = dict[int, Entry]


def is_tiff(data: bytes) -> bool:
    """Whether a file begins as TIFF or BigTIFF files do."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def directory_at(block: bytes) -> tuple[str, bool, int]:
    """Byte order (`"<"` or `">"`), whether it is BigTIFF, and the place of the first directory.

    Raises:
        ValueError: It is no TIFF.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        raise ValueError("no TIFF")
    (version,) = struct.unpack_from(order + "H", block, 2)
    if version not in (42, 43):
        raise ValueError("no TIFF")
    big = version == 43
    (place,) = struct.unpack_from(order + ("Q" if big else "I"), block, 8 if big else 4)
    return order, big, place


def _places(block: bytes, order: str, big: bool, at: int) -> dict[int, tuple[int, int, int]]:
    """Type, number of values and place of their bytes, for each tag of a directory."""
    if at > len(block):
        raise ValueError("damaged directory")
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), block, at)
    found: dict[int, tuple[int, int, int]] = {}
    if count > _MOST:
        raise ValueError("damaged directory")
    total = 0
    length, inline, at = (20, 8, at + 8) if big else (12, 4, at + 2)
    for start in range(at, at + length * count, length):
        tag, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), block, start)
        size = values * (_SIZES[kind] if kind < len(_SIZES) else 0)
        place = start + length - inline
        if size > inline:
            (place,) = struct.unpack_from(order + ("Q" if big else "I"), block, place)
        if size and place + size <= len(block):
            found.setdefault(tag, (kind, values, place))
            total += size
    if total > 2 * len(block):  # entries that share their bytes would fill the memory
        raise ValueError("damaged directory")
    return found


def read_tags(block: bytes, at: int | None = None) -> Tags:
    """The entries of a directory of a TIFF file or EXIF block; those that lie outside are left out.

    Args:
        block: The whole TIFF file or EXIF block.
        at: Place of the directory; the first by default.

    Raises:
        ValueError, struct.error: It is damaged.
    """
    order, big, first = directory_at(block)
    tags: Tags = {}
    for tag, (kind, count, place) in _places(
        block, order, big, first if at is None else at
    ).items():
        data = block[place : place + count * _SIZES[kind]]
        unit = _UNITS[kind]
        if order == ">" and unit > 1:
            data = b"".join(data[i : i + unit][::-1] for i in range(0, len(data), unit))
        tags[tag] = Entry(kind, count, data)
    return tags


def pack_tags(tags: Mapping[int, Entry], at: int, inner: Mapping[int, Tags]) -> bytes:
    """A little-endian directory that lies at `at`, and all that it points to.

    Args:
        tags: Its entries.
        at: Place of the directory in the file.
        inner: Directories that are written behind it, by the tag that points to them.
    """
    entries = {**tags, **{tag: Entry(4, 1, bytes(4)) for tag in inner}}
    head, tail = [struct.pack("<H", len(entries))], b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag in sorted(entries):
        entry = entries[tag]
        data = entry.data
        if tag in inner or len(data) > 4:
            place = struct.pack("<I", behind + len(tail))
            tail += pack_tags(inner[tag], behind + len(tail), {}) if tag in inner else data
            tail += b"\0" * (len(tail) % 2)
            data = place
        head.append(struct.pack("<HHI", tag, entry.kind, entry.count) + data.ljust(4, b"\0"))
    return b"".join(head) + bytes(4) + tail


def pack_block(tags: Mapping[int, Entry], inner: Mapping[int, Tags]) -> bytes:
    """An EXIF block of these entries, as `pack_tags` takes them."""
    return b"II*\0\x08\0\0\0" + pack_tags(tags, 8, inner)


def orientation(block: bytes) -> int:
    """The orientation (1 to 8) that an EXIF block gives; 1 if it gives none."""
    try:
        entry = read_tags(block).get(_ORIENTATION)
    except (ValueError, struct.error):
        return 1
    if entry is None or entry.kind not in _WHOLE or not 1 <= entry.data[0] <= 8:
        return 1
    return entry.data[0]


def upright(block: bytes, turned: int) -> bytes:
    """An EXIF block for the picture once it is turned: orientation 1, no thumbnail of before.

    Values are changed where they stand, so that a maker's note keeps its place.

    Args:
        block: An EXIF block.
        turned: The orientation that the picture had.

    Raises:
        ValueError, struct.error: The block is damaged.
    """
    order, big, first = directory_at(block)
    if big:
        raise ValueError("EXIF is no BigTIFF")
    changed = bytearray(block)
    tags = _places(block, order, big, first)
    kind, _, place = tags.get(_ORIENTATION, (0, 0, 0))
    if kind in _WHOLE:
        struct.pack_into(order + _WHOLE[kind], changed, place, 1)
    (count,) = struct.unpack_from(order + "H", block, first)
    if first + 2 + 12 * count + 4 <= len(block):
        struct.pack_into(order + "I", changed, first + 2 + 12 * count, 0)
    if turned >= 5 and EXIF_IFD in tags:
        (at,) = struct.unpack_from(order + "I", block, tags[EXIF_IFD][2])
        inner = _places(block, order, big, at)
        if {_WIDTH, _HEIGHT} <= inner.keys() and inner[_WIDTH][0] == inner[_HEIGHT][0]:
            one, other = inner[_WIDTH][2], inner[_HEIGHT][2]
            changed[one : one + 4] = block[other : other + 4]
            changed[other : other + 4] = block[one : one + 4]
    return bytes(changed)


def split_block(block: bytes) -> tuple[Tags, dict[int, Tags]]:
    """The entries of an EXIF block and those of its EXIF and GPS directories.

    The reverse of `pack_block`. The directory of interoperability, which only says that the rest
    is EXIF, is left out.

    Raises:
        ValueError, struct.error: It is damaged.
    """
    tags = read_tags(block)
    inner: dict[int, Tags] = {}
    for tag in (EXIF_IFD, GPS_IFD):
        pointer = tags.pop(tag, None)
        if pointer is not None:
            at = int.from_bytes(pointer.data, "little")
            inner[tag] = {t: e for t, e in read_tags(block, at).items() if t != _INTEROP}
    return tags, inner
