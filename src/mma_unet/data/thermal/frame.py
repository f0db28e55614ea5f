"""What a thermal camera stores behind the picture it shows: counts, a photograph, calibration."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.errors import InputError

__all__ = ["LARGEST", "Field", "ThermalFrame", "in_order", "resized"]

Counts = npt.NDArray[np.uint16]

LARGEST = 1 << 24
"""Pixels beyond which a size that a file claims for its thermal sensor is no such size."""


@dataclass(frozen=True)
class Field:
    """Where the thermal picture lies in the photograph, in pixels of the photograph.

    Attributes:
        scale: Width of the photograph over the width that the thermal picture covers in it.
        right: How far the middle of the thermal picture lies right of that of the photograph.
        down: The same downwards.
    """

    scale: float
    right: float
    down: float


@dataclass(frozen=True)
class ThermalFrame:
    """The thermal picture of one file, as the sensor measured it.

    Attributes:
        name: The file, for errors.
        counts: `(H, W)` `uint16`; higher is hotter.
        visible: `(H', W', 3)` RGB `uint8` of the second camera; None if the file holds none.
        lacking: Why there is no `visible`, to follow the name of the file.
        field: Where the thermal picture lies in `visible`; None if the file does not say.
        calibration: The FLIR record from which `temperatures` reckons degrees.
    """

    name: str
    counts: Counts
    visible: npt.NDArray[np.uint8] | None = None
    lacking: str = "holds no visible picture"
    field: Field | None = None
    calibration: bytes | None = None


def in_order(frame: Counts) -> Counts:
    """The frame in the byte order in which it is smooth; cameras write either, whatever they say.

    Swapped bytes turn the slow change from pixel to pixel into jumps over the whole range.

    Example:
        >>> frame = np.array([[5000, 5010, 5020]], np.uint16)
        >>> in_order(frame.byteswap()).tolist()
        [[5000, 5010, 5020]]
    """
    swapped = frame.byteswap()
    return frame if _roughness(frame) <= _roughness(swapped) else swapped


def _roughness(frame: Counts) -> int:
    return int(np.abs(np.diff(frame.astype(np.int32), axis=-1)).sum())


def resized(counts: Counts, size: tuple[int, int]) -> Counts:
    """The counts at another height and width, smoothly where they become more."""
    if counts.shape == size:
        return counts
    fewer = size[0] * size[1] < counts.size
    method = cv2.INTER_AREA if fewer else cv2.INTER_CUBIC
    large = cv2.resize(counts.astype(np.float32), size[::-1], interpolation=method)
    return np.rint(np.clip(large, counts.min(), counts.max())).astype(np.uint16)


def frame_of(data: bytes, height: int, width: int, name: str | Path) -> Counts:
    """`height` rows of `width` 16-bit samples.

    Raises:
        InputError: There are fewer, or the size is none of a sensor.
    """
    if not 0 < height * width <= LARGEST or len(data) < 2 * height * width:
        raise InputError(
            f"{name}: its thermal frame is damaged ({width}x{height} pixels in {len(data)} "
            "bytes): copy the file from the camera again."
        )
    return in_order(np.frombuffer(data, "<u2", height * width).reshape(height, width))
