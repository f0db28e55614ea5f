"""Reading and writing single images, with one clear sentence for every file that is bad.

An image in this package is a NumPy array: ``(H, W)`` for gray or ``(H, W, 3)`` for RGB, of dtype
``uint8``, ``uint16`` or ``float32``. Nothing here guesses: a file with three equal channels stays
three channels, an alpha channel is dropped, and the EXIF orientation is ignored for infrared and
visible files alike, because the two are registered pixel by pixel as stored.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.storage import locate, read_bytes, write_atomically
from mma_unet.errors import InputError

__all__ = [
    "BT601",
    "IMAGE_SUFFIXES",
    "WRITE_SUFFIXES",
    "from_float",
    "luminance",
    "read_eight_bit",
    "read_image",
    "to_float",
    "write_image",
]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]

IMAGE_SUFFIXES: tuple[str, ...] = (
    ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm",
)  # fmt: skip
"""File name endings, in lower case, that count as images when a folder is listed."""

_DEEP_SUFFIXES = {"uint16": (".png", ".tif", ".tiff"), "float32": (".tif", ".tiff")}
WRITE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
"""Extensions that `write_image` takes; `.pgm` holds gray images only."""

_JPEG_QUALITY = 95
BT601 = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luminance (ITU-R BT.601, full range)."""


def read_image(path: str | Path) -> Array:
    """Read one image as it is stored.

    Args:
        path: An image file; any characters may stand in its name. Or an fsspec URL, or a place
            from `mma_unet.data.storage.locate`.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB; ``uint8``, ``uint16`` or ``float32``.

    Raises:
        InputError: The file is missing, a folder, empty, unreadable, cut short, not an image, of
            a sample type that is not supported, or holds NaN or infinity.
    """
    path = locate(path) if isinstance(path, str) else path
    data = read_bytes(path)
    if _is_cut_short(data):
        raise InputError(f"{path} is cut short (its end is missing): copy or download it again.")
    log_level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the sentence below does
    try:
        array: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        array = None
    finally:
        cv2.utils.logging.setLogLevel(log_level)
    if array is None or array.size == 0:
        raise InputError(
            f"{path} is not an image that can be read (it may be damaged): give a file in one of "
            f"the formats {' '.join(IMAGE_SUFFIXES)}."
        )
    return _normalize(array, path)


def read_eight_bit(path: str | Path) -> Array:
    """As `read_image`, in `uint8`: 16 bits and floats in [0, 1] are rounded."""
    image = read_image(path)
    return image if image.dtype == np.uint8 else from_float(to_float(image, path), np.uint8)


def _is_cut_short(raw: bytes) -> bool:
    """Whether a JPEG or PNG stream lacks its end; OpenCV may fill the rest with gray."""
    if raw.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" not in raw
    if not raw.startswith(b"\xff\xd8\xff"):
        return False
    # Walk over the headers, which may hold a whole thumbnail, to the first scan.
    place = 2
    while place + 4 <= len(raw) and raw[place] == 0xFF:
        if raw[place + 1] == 0xDA:
            return b"\xff\xd9" not in raw[place:]
        fill = raw[place + 1] == 0xFF
        place += 1 if fill else 2 + int.from_bytes(raw[place + 2 : place + 4], "big")
    return False


def _normalize(array: Array, path: Path) -> Array:
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(
            f"{path} holds {array.dtype} samples: convert it to 8-bit, 16-bit or 32-bit float."
        )
    if array.ndim == 3:
        if array.shape[2] == 1:
            array = array[:, :, 0]
        elif array.shape[2] == 3:
            for top in range(0, len(array), 256):  # in place: a large image is held once
                part = array[top : top + 256]
                part[:] = cv2.cvtColor(part, cv2.COLOR_BGR2RGB)
        elif array.shape[2] == 4:
            array = array[:, :, 2::-1]
        else:
            raise InputError(f"{path} has {array.shape[2]} channels: convert it to gray or RGB.")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        raise InputError(f"{path} holds NaN or infinite values: replace them with numbers.")
    return np.ascontiguousarray(array)


def write_image(path: str | Path, array: Array) -> None:
    """Write one image atomically: the finished file appears under its name, or nothing does.

    The format follows the extension. JPEG is written with quality 95. Missing parent folders are
    created.

    Args:
        path: Where to write: a path, an fsspec URL, or a place from `locate`.
        array: ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` RGB; ``uint8``, ``uint16`` (PNG, TIFF)
            or ``float32`` (TIFF).

    Raises:
        InputError: The extension is unknown, the format cannot hold the dtype, or the place
            cannot be written.
    """
    path = locate(path) if isinstance(path, str) else path
    write_atomically(path, _encode(path, array).data)


def _encode(path: Path, array: Array) -> npt.NDArray[np.uint8]:
    suffix = path.suffix.lower()
    if suffix not in WRITE_SUFFIXES:
        raise InputError(
            f"{path} has no image extension that can be written: use one of "
            f"{' '.join(WRITE_SUFFIXES)}."
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or array.size == 0:
        raise InputError(
            f"{path} cannot hold an array of shape {array.shape}: give (H, W) or (H, W, 3)."
        )
    kind = str(array.dtype)
    if kind not in ("uint8", *_DEEP_SUFFIXES):
        raise InputError(f"{path} cannot hold {kind} samples: give uint8, uint16 or float32.")
    allowed = _DEEP_SUFFIXES.get(kind)
    if allowed is not None and suffix not in allowed:
        bits = "16-bit" if kind == "uint16" else "float"
        raise InputError(f"{path}: {suffix} cannot hold {bits} samples: use {allowed[0]}.")
    if array.ndim == 3 and suffix == ".pgm":
        raise InputError(f"{path}: .pgm cannot hold color: use .ppm or .png.")
    if array.ndim == 2 and suffix == ".ppm":
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim == 3:
        array = array[:, :, ::-1]
    options: list[int] = []
    if suffix in (".jpg", ".jpeg"):
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    try:
        done, buffer = cv2.imencode(suffix, np.ascontiguousarray(array), options)
    except cv2.error as error:
        raise InputError(f"{path} cannot be encoded ({error.err}): use .png.") from None
    if not done:
        raise InputError(f"{path} cannot be encoded as {suffix}: use .png.")
    encoded: npt.NDArray[np.uint8] = buffer
    return encoded


def to_float(array: Array, source: str | Path = "the image") -> FloatArray:
    """Scale samples to [0, 1] by their dtype.

    Args:
        array: Any shape; ``uint8`` (divided by 255), ``uint16`` (by 65535) or floating point
            (kept, must already lie in [0, 1]).
        source: What to call the image in an error, usually its path.

    Returns:
        ``float32``, the same shape, in [0, 1].

    Raises:
        InputError: A float array leaves [0, 1] or holds NaN, or the dtype is another one.

    Example:
        >>> to_float(np.array([0, 51, 255], dtype=np.uint8)).tolist()
        [0.0, 0.20000000298023224, 1.0]
    """
    if array.dtype in (np.uint8, np.uint16):
        scaled: FloatArray = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
        return scaled
    if array.dtype.kind != "f":
        raise InputError(
            f"{source} holds {array.dtype} samples: convert it to uint8, uint16 or float32."
        )
    if not np.isfinite(array).all():
        raise InputError(f"{source} holds NaN or infinite values: replace them with numbers.")
    if array.size and (array.min() < 0 or array.max() > 1):
        raise InputError(
            f"{source} holds float samples from {array.min():.4g} to {array.max():.4g}: scale "
            "them to [0, 1]."
        )
    return array.astype(np.float32, copy=False)


def from_float(array: Array, dtype: npt.DTypeLike) -> Array:
    """Clip to [0, 1] and scale back to a dtype, rounding half up.

    Args:
        array: Floating point, any shape.
        dtype: ``uint8``, ``uint16`` or floating point.

    Returns:
        The same shape in ``dtype``; floating point is only clipped.

    Raises:
        InputError: ``dtype`` is another one, or the array holds NaN or infinity.

    Example:
        >>> from_float(np.array([-1.0, 0.5, 2.0]), np.uint8).tolist()
        [0, 128, 255]
    """
    target = np.dtype(dtype)
    if not np.isfinite(array).all():
        raise InputError("the result holds NaN or infinite values, so it cannot be an image.")
    clipped = np.clip(array, 0.0, 1.0)
    if target.kind == "f":
        return clipped.astype(target)
    if target not in (np.uint8, np.uint16):
        raise InputError(f"images are uint8, uint16 or floating point, not {target}.")
    return np.floor(clipped * np.iinfo(target).max + 0.5).astype(target)


def luminance(array: Array) -> Array:
    """Gray version of an image by the BT.601 weights 0.299, 0.587, 0.114; gray stays as it is.

    Integers are reckoned in whole thousandths and rounded half up, so the result is exact.

    Args:
        array: ``(H, W)`` or ``(H, W, 3)`` RGB; ``uint8``, ``uint16`` or ``float32``.

    Returns:
        ``(H, W)`` of the same dtype.

    Example:
        >>> luminance(np.array([[[10, 20, 30], [0, 0, 250]]], dtype=np.uint8)).tolist()
        [[18, 29]]
    """
    if array.ndim == 2:
        return array
    if array.dtype in (np.uint8, np.uint16):
        total = np.full(array.shape[:2], 500, np.uint32)
        for channel, weight in enumerate((299, 587, 114)):
            total += np.multiply(array[:, :, channel], weight, dtype=np.uint32)
        exact: Array = (total // np.uint32(1000)).astype(array.dtype)
        return exact
    gray: Array = cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_RGB2GRAY)
    return gray
