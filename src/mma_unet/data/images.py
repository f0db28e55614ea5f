"""Reading and writing single images, with one clear sentence for every file that is bad.

An image in this package is a NumPy array: ``(H, W)`` for gray or ``(H, W, 3)`` for RGB, of dtype
``uint8``, ``uint16`` or ``float32``. Nothing here guesses: a file with three equal channels stays
three channels. Infrared and visible files alike are turned upright by their EXIF or TIFF
orientation; `read_photo` keeps what `read_image` drops: the alpha channel and the metadata.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.decode import IMAGE_SUFFIXES, decode
from mma_unet.data.metadata import Metadata, add_metadata, read_metadata
from mma_unet.data.storage import as_place, read_bytes, write_atomically
from mma_unet.data.validity import nodata_tag
from mma_unet.errors import InputError

__all__ = [
    "BT601",
    "IMAGE_SUFFIXES",
    "WRITE_SUFFIXES",
    "Photo",
    "from_float",
    "luminance",
    "read_eight_bit",
    "read_image",
    "read_photo",
    "to_float",
    "write_image",
]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]

_DEEP_SUFFIXES = {"uint16": (".png", ".tif", ".tiff"), "float32": (".tif", ".tiff")}
WRITE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
"""Extensions that `write_image` takes; `.pgm` holds gray images only."""

_ALPHA_SUFFIXES = (".png", ".tif", ".tiff", ".webp")
_JPEG_QUALITY = 95
BT601 = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luminance (ITU-R BT.601, full range)."""


@dataclass(frozen=True)
class Photo:
    """An image file with what it carries beside its colors.

    Attributes:
        pixels: As `read_image` gives them.
        fourth: `(H, W)`, the channel beyond gray or RGB, if the file has one.
        is_alpha: Whether the file calls that channel alpha.
        metadata: EXIF, ICC profile, dpi and GeoTIFF tags.
        nodata: The sample that means "no data", if the file was read raw and names one.
    """

    pixels: Array
    fourth: Array | None = None
    is_alpha: bool = True
    metadata: Metadata = field(default_factory=Metadata)
    nodata: float | None = None

    @property
    def alpha(self) -> Array | None:
        """`(H, W)`, how opaque each pixel is."""
        return self.fourth if self.is_alpha else None


def read_image(path: str | Path, *, raw: bool = False, page: int | None = None) -> Array:
    """Read one image upright, and otherwise as it is stored.

    Args:
        path: An image file; any characters may stand in its name. Or an fsspec URL, or a place
            from `mma_unet.data.storage.locate`.
        raw: Give samples of any real type and NaN as well, as thermal data have them.
        page: Which page of a TIFF file, from 1 on; the first by default, and a line of the log
            says so if there are more.

    Returns:
        ``(H, W)`` gray or ``(H, W, 3)`` RGB; ``uint8``, ``uint16`` or ``float32``.

    Raises:
        InputError: The file is missing, a folder, no regular file, empty, unreadable, cut short,
            not an image, too large for the memory that is free, of a sample type that is not
            supported, or holds NaN or infinity.
    """
    return read_photo(path, raw=raw, page=page).pixels


def read_photo(
    path: str | Path, *, raw: bool = False, page: int | None = None, max_bytes: int | None = None
) -> Photo:
    """Read one image with its alpha channel and its metadata.

    Args:
        path: As for `read_image`.
        raw: As for `read_image`.
        page: As for `read_image`.
        max_bytes: The most memory that decoding may take; what is free by default.

    Raises:
        InputError: What `read_image` raises.
    """
    path = as_place(path)
    data = read_bytes(path)
    found = decode(data, path, page=page, max_bytes=max_bytes)
    metadata = read_metadata(data, found.turned)
    pixels = _normalize(found.pixels, path, raw)
    nodata = nodata_tag(data) if raw else None
    return Photo(pixels, found.fourth, found.is_alpha, metadata, nodata)


def read_eight_bit(path: str | Path) -> Array:
    """As `read_image`, in `uint8`: 16 bits and floats in [0, 1] are rounded."""
    image = read_image(path)
    return image if image.dtype == np.uint8 else from_float(to_float(image, path), np.uint8)


def _normalize(array: Array, path: Path, raw: bool) -> Array:
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if array.dtype not in (np.uint8, np.uint16, np.float32) and not raw:
        raise InputError(
            f"{path} holds {array.dtype} samples: convert it to 8-bit, 16-bit or 32-bit float."
        )
    if array.ndim == 3 and array.shape[2] != 3:
        raise InputError(f"{path} has {array.shape[2]} channels: convert it to gray or RGB.")
    if not raw and array.dtype == np.float32 and not np.isfinite(array).all():
        raise InputError(f"{path} holds NaN or infinite values: replace them with numbers.")
    return np.ascontiguousarray(array)


def write_image(
    path: str | Path, array: Array, *, alpha: Array | None = None, metadata: Metadata | None = None
) -> None:
    """Write one image atomically: the finished file appears under its name, or nothing does.

    The format follows the extension. JPEG is written with quality 95. Missing parent folders are
    created.

    Args:
        path: Where to write: a path, an fsspec URL, or a place from `locate`.
        array: ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` RGB; ``uint8``, ``uint16`` (PNG, TIFF)
            or ``float32`` (TIFF).
        alpha: ``(H, W)`` of the same type, kept beside RGB by PNG, TIFF and WebP.
        metadata: Put into the file as far as its format holds it.

    Raises:
        InputError: The extension is unknown, the format cannot hold the dtype, or the place
            cannot be written.
    """
    path = as_place(path)
    if array.shape[2:] != (3,) or path.suffix.lower() not in _ALPHA_SUFFIXES:
        alpha = None
    encoded = _encode(path, array, alpha)
    if not metadata and alpha is None:
        write_atomically(path, encoded.data)
        return
    channels = 4 if alpha is not None else 3 if array.shape[2:] == (3,) else 1
    write_atomically(
        path, add_metadata(encoded.tobytes(), metadata or Metadata(), channels=channels)
    )


def _encode(path: Path, array: Array, alpha: Array | None) -> npt.NDArray[np.uint8]:
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
    if alpha is not None:
        array = np.dstack((array, alpha))
        if suffix in (".tif", ".tiff"):  # Deflate, which needs no extra to be read
            options = [cv2.IMWRITE_TIFF_COMPRESSION, 8]
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
