"""Radiometric files of thermal cameras: the counts of the sensor, and the photograph beside them.

See Also: `docs/cameras.md`.
"""

from pathlib import Path

from mma_unet.data.header import read_header
from mma_unet.data.thermal.dji import read_dji
from mma_unet.data.thermal.flir import read_flir
from mma_unet.data.thermal.frame import Counts, Field, ThermalFrame, resized

__all__ = ["THERMAL_SUFFIXES", "Field", "ThermalFrame", "as_shown", "read_thermal"]

THERMAL_SUFFIXES = (".jpg", ".jpeg", ".rjpeg")
"""Endings, in lower case, of files that may be radiometric."""


def read_thermal(data: bytes, name: str | Path) -> ThermalFrame | None:
    """The thermal frame that a camera stored behind the picture it shows.

    Args:
        data: A whole file, of any kind.
        name: What to call it in an error.

    Returns:
        None if the file is no radiometric JPEG of a kind that is known.

    Raises:
        InputError: It is one, but its thermal part is damaged.

    Example:
        >>> read_thermal(b"no thermal file", "a.jpg") is None
        True
    """
    return read_flir(data, name) or read_dji(data, name)


def as_shown(frame: ThermalFrame, data: bytes) -> Counts:
    """The counts in the size of the picture that the file shows, where that has their shape.

    Args:
        frame: From `read_thermal`.
        data: The file.
    """
    header = read_header(data)
    if header is None:
        return frame.counts
    height, width = frame.counts.shape
    same = abs(header.height * width - header.width * height) <= 0.02 * header.height * width
    return resized(frame.counts, (header.height, header.width)) if same else frame.counts
