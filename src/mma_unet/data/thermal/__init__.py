"""Radiometric files of thermal cameras: the counts of the sensor, and the photograph beside them.

See Also: `docs/cameras.md`.
"""

from pathlib import Path

from mma_unet.data.thermal.dji import read_dji
from mma_unet.data.thermal.flir import read_flir
from mma_unet.data.thermal.frame import Field, ThermalFrame

__all__ = ["Field", "ThermalFrame", "read_thermal"]


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
