"""The application segments of a JPEG file, in which thermal cameras put what the picture hides."""

from collections.abc import Iterator

__all__ = ["app_segments"]

_SCAN = 0xDA


def app_segments(data: bytes) -> list[tuple[int, bytes]]:
    """Number (1 for APP1) and content of each application segment before the picture.

    Args:
        data: Any file; one that is no JPEG has none, and one that breaks off has those before.

    Example:
        >>> app_segments(bytes.fromhex("ffd8 ffe3 0004 6162 ffda"))
        [(3, b'ab')]
    """
    return [(marker - 0xE0, part) for marker, part in _segments(data) if 0xE0 <= marker <= 0xEF]


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment up to the first scan, none longer than the file."""
    place = 2 if data[:3] == b"\xff\xd8\xff" else len(data)
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        end = place + 2 + length
        if marker == _SCAN or length < 2 or end > len(data):
            return
        yield marker, data[place + 4 : end]
        place = end
