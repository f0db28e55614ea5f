"""From the bytes of an image file to its samples, upright and in RGB order.

TIFF files are read by `mma_unet.data.tiff`, everything else by OpenCV, once the header is held
against the file and the memory there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.exif import is_tiff, orientation
from mma_unet.data.header import check_memory, read_header
from mma_unet.data.metadata import find_exif
from mma_unet.errors import InputError

__all__ = ["IMAGE_SUFFIXES", "Decoded", "decode", "split", "to_rgb", "turn"]

Array = npt.NDArray[Any]

IMAGE_SUFFIXES: tuple[str, ...] = (
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm",
)  # fmt: skip
"""File name endings, in lower case, that count as images when a folder is listed."""


@dataclass(frozen=True)
class Decoded:
    """What a file holds.

    Attributes:
        pixels: `(H, W)` gray or `(H, W, 3)` RGB, in the sample type of the file, upright.
        fourth: `(H, W)`, the channel beyond gray or RGB, if there is one.
        is_alpha: Whether the file calls that channel alpha.
        turned: The orientation (EXIF, 1 to 8) that the file had before.
    """

    pixels: Array
    fourth: Array | None = None
    is_alpha: bool = True
    turned: int = 1


def decode(
    data: bytes, name: Path, *, page: int | None = None, max_bytes: int | None = None
) -> Decoded:
    """Decode one image.

    Args:
        data: The whole file.
        name: What to call it.
        page: Which page of a TIFF file, from 1 on; the first by default. Other files have one.
        max_bytes: The most memory to take; what is free by default.

    Raises:
        InputError: The file is cut short, damaged, no image, of an organization that is not
            supported, or needs more memory.
    """
    if is_tiff(data):
        from mma_unet.data.tiff import read_tiff

        return read_tiff(data, name, page=page, max_bytes=max_bytes)
    header = read_header(data)
    if header is not None and header.cut_short:
        raise InputError(f"{name} is cut short (its end is missing): copy or download it again.")
    if header is None:
        raise _no_image(name)
    width, height = header.width, header.height
    if header.held is not None and width * height > header.held:
        raise InputError(
            f"{name} is damaged: {len(data)} bytes cannot hold the {width}x{height} pixels of its "
            "header; copy or download it again."
        )
    copies = 2 if header.pixel_bytes in (4, 8) else 1
    check_memory(name, width, height, copies * width * height * header.pixel_bytes, max_bytes)
    exif = find_exif(data)
    return split(_by_opencv(data, name), 1 if exif is None else orientation(exif))


def _by_opencv(data: bytes, name: Path) -> Array:
    log_level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the sentence below does
    try:
        array: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        if getattr(error, "code", None) == cv2.Error.StsNoMem:
            raise MemoryError(f"{name} does not fit into memory") from None
        array = None
    finally:
        cv2.utils.logging.setLogLevel(log_level)
    if array is None or array.size == 0:
        raise _no_image(name)
    return to_rgb(array)


def to_rgb(array: Array) -> Array:
    """Three or four channels from OpenCV's order into RGB(A), in place; others stay."""
    channels = array.shape[2] if array.ndim == 3 else 1
    code = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}.get(channels)
    if code is not None:
        for top in range(0, len(array), 256):  # a large image is held once
            part = array[top : top + 256]
            part[:] = cv2.cvtColor(part, code)
    return array


def split(array: Array, turned: int, *, is_alpha: bool = True) -> Decoded:
    """Gray or RGB, and the channel beyond, both turned upright."""
    array = turn(array, turned)
    count = array.shape[2] if array.ndim == 3 else 1
    if array.ndim == 3 and count in (1, 2):
        pixels = array[..., 0]
    else:
        pixels = array[..., :3] if count == 4 else array
    fourth = np.ascontiguousarray(array[..., -1]) if count in (2, 4) else None
    return Decoded(np.ascontiguousarray(pixels), fourth, is_alpha, turned)


def _no_image(name: Path) -> InputError:
    return InputError(
        f"{name} is not an image that can be read (it may be damaged): give a file in one of "
        f"the formats {' '.join(IMAGE_SUFFIXES)}."
    )


def turn(pixels: Array, orientation: int) -> Array:
    """Pixels upright, by the orientation that EXIF and TIFF give them (1 to 8, 1 is upright).

    Args:
        pixels: `(H, W)` or `(H, W, C)`.
        orientation: Where the first row and column lie in the scene; TIFF 6.0, tag 274.

    Returns:
        A view of `pixels`; height and width are exchanged for 5 to 8.

    Example:
        >>> turn(np.array([[1, 2, 3]]), 6).tolist()
        [[1], [2], [3]]
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    upside = orientation in (3, 4, 7, 8)
    mirrored = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if upside else 1, :: -1 if mirrored else 1]
