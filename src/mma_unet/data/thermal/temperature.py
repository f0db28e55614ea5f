"""Degrees, where a file gives them: FLIR radiometric JPEG and temperature maps.

The way from counts to degrees (Planck's law with the constants of the camera, emissivity, distance
and air) is that of `flyr`, an optional package: `pip install 'mma-unet[thermal]'`. Its license is
the EUPL 1.2, a copyleft license; nothing of it is part of this package.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mma_unet.data.images import read_image
from mma_unet.data.storage import as_place, read_bytes
from mma_unet.data.thermal import ThermalFrame, read_thermal
from mma_unet.errors import InputError

__all__ = ["TemperatureStatistics", "celsius", "temperature_statistics"]

Degrees = npt.NDArray[np.float32]

_COLDEST, _HOTTEST = -200.0, 4000.0
_KELVIN = 273.15
_LEAST_KELVIN = 150.0
"""Median from which a map is in kelvin: scenes are at 200 to 400 K, and seldom above 150 °C."""


@dataclass(frozen=True)
class TemperatureStatistics:
    """What the temperatures of one picture are, in degrees Celsius.

    Attributes:
        name: The file.
        least: The lowest.
        mean: The mean.
        median: The median.
        most: The highest.
        hottest: Column and row of the highest, in pixels of the sensor.
        unit: What the file holds, if it had to be guessed: `"kelvin"` or `"°C"`.
    """

    name: str
    least: float
    mean: float
    median: float
    most: float
    hottest: tuple[int, int]
    unit: str = ""

    def __str__(self) -> str:
        guess = f" (its samples taken as {self.unit})" if self.unit else ""
        return (
            f"{self.name}: {self.least:.1f} to {self.most:.1f} °C, mean {self.mean:.1f}, median "
            f"{self.median:.1f}, hottest at column {self.hottest[0]}, row {self.hottest[1]}{guess}"
        )


def celsius(frame: ThermalFrame) -> Degrees:
    """The temperatures of a FLIR frame.

    Args:
        frame: From `read_thermal`.

    Returns:
        ``(H, W)`` in degrees Celsius; NaN where the counts are below what the law can give.

    Raises:
        InputError: The file holds no calibration, or `flyr` is not installed.
    """
    if frame.calibration is None:
        raise InputError(
            f"{frame.name} gives counts without the constants that make degrees of them: export a "
            "temperature map (TIFF) with the maker's program."
        )
    try:
        from flyr.thermal import parse_camera_info
        from flyr.thermogram import FlyrThermogram
    except ImportError:
        raise InputError(
            f"{frame.name}: degrees need flyr, which is not installed: pip install "
            "'mma-unet[thermal]'"
        ) from None
    try:
        with np.errstate(all="ignore"):
            constants = parse_camera_info(io.BytesIO(frame.calibration), (0, 32, 0, 0))
            degrees = FlyrThermogram(frame.counts.astype(np.int64), constants).celsius
    except Exception:  # damaged constants end in errors of arithmetic, of struct and others
        degrees = np.full(frame.counts.shape, np.nan)
    degrees = np.asarray(degrees, np.float32)
    degrees[~((degrees > _COLDEST) & (degrees < _HOTTEST))] = np.nan
    if np.isnan(degrees).mean() > 0.5:
        raise InputError(f"{frame.name}: its constants give no plausible temperatures.")
    return degrees


def temperature_statistics(path: str | Path) -> TemperatureStatistics:
    """The temperatures in a file.

    Args:
        path: A FLIR radiometric JPEG, or an image of float samples in degrees Celsius or kelvin;
            a path, an fsspec URL or a place from `locate`.

    Raises:
        InputError: The file cannot be read or gives no degrees.
    """
    place = as_place(path)
    data = read_bytes(place)
    frame = read_thermal(data, place)
    if frame is not None:
        return _statistics(str(place), celsius(frame))
    degrees = read_image(place)
    if (
        degrees.dtype != np.float32
        or degrees.ndim != 2
        or (degrees.min() >= 0 >= degrees.max() - 1)
    ):
        raise InputError(
            f"{place} gives no degrees: give a FLIR radiometric JPEG, or a gray float image in °C "
            "or kelvin."
        )
    kelvin = bool(np.median(degrees) > _LEAST_KELVIN)
    unit = "kelvin" if kelvin else "°C"
    return _statistics(str(place), degrees - np.float32(_KELVIN * kelvin), unit)


def _statistics(name: str, degrees: npt.NDArray[Any], unit: str = "") -> TemperatureStatistics:
    row, column = np.unravel_index(int(np.nanargmax(degrees)), degrees.shape)
    return TemperatureStatistics(
        name,
        float(np.nanmin(degrees)),
        float(np.nanmean(degrees)),
        float(np.nanmedian(degrees)),
        float(np.nanmax(degrees)),
        (int(column), int(row)),
        unit,
    )
