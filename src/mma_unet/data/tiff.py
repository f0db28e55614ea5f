"""TIFF files by the field's reader, `tifffile`: every organization equals its interleaved twin.

Strips or tiles, samples interleaved or in planes, either byte order, BigTIFF, predictors: all give
the same pixels, or the file is refused by name. Codecs that `tifffile` takes from `imagecodecs`
(LZW, ZSTD, JPEG ...) need the extra `tiff`; without it OpenCV decodes the organizations that it
decodes right, which are the common ones.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile

from mma_unet.data.decode import Decoded, split, to_rgb
from mma_unet.data.header import check_memory
from mma_unet.errors import InputError

__all__ = ["read_tiff"]

Array = npt.NDArray[Any]

_WHITE, _BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_OTHERS = {
    4: "a mask",
    5: "CMYK colors",
    8: "CIELAB colors",
    9: "CIELAB colors",
    32803: "raw samples of a color filter array",
    34892: "raw samples of a sensor",
}
_BY_OPENCV = {1, 5, 8, 32773, 32946}
"""Compressions (none, LZW, Deflate, PackBits) that OpenCV decodes right where samples are
interleaved."""
_LARGEST_RATIO = {1: 1, 5: 3000, 8: 1032, 32946: 1032, 32773: 64}
_REDUCED, _MASK = 1, 4
_log = logging.getLogger(__name__)


def read_tiff(
    data: bytes, name: Path, *, page: int | None = None, max_bytes: int | None = None
) -> Decoded:
    """Decode one page of a TIFF file.

    Args:
        data: The whole file.
        name: What to call it.
        page: Which page, from 1 on; the first by default, and a line of the log says so if there
            are more. Thumbnails, masks and the reduced levels of a pyramid are no pages.
        max_bytes: The most memory to take.

    Raises:
        InputError: The file is damaged or cut short, its organization or samples are not
            supported, a package is missing, there is no such page, or it needs too much memory.
    """
    try:
        with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as file:
            chosen, index = _choose(file, name, page)
            _check(chosen, data, name, max_bytes)
            return _decode(chosen, data, index, name)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # the reader of a damaged file fails in many ways
        if _lacks_codec(error):
            raise InputError(
                f"{name} is a TIFF file that needs a package to be read: pip install "
                "'mma-unet[tiff]', or save it without compression."
            ) from None
        raise InputError(
            f"{name} is a TIFF file that is damaged ({type(error).__name__}): copy or download it "
            "again."
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the reader's own log of damaged files off the screen; one sentence says it."""
    log = tifffile.logger()
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _choose(file: tifffile.TiffFile, name: Path, page: int | None) -> tuple[Any, int]:
    """The page that is asked for, and its place among all of the file."""
    if page is None and len(file.pages) == 1:
        return file.pages[0], 0
    every: list[Any] = [file.pages.get(i, cache=False) for i in range(len(file.pages))]
    places = [i for i, one in enumerate(every) if not one.subfiletype & (_REDUCED | _MASK)]
    places = places or list(range(len(every)))
    if page is not None and not 1 <= page <= len(places):
        count = f"{len(places)} page{'s' * (len(places) != 1)}"
        raise InputError(f"{name} has {count}: there is no page {page}.")
    if page is None and len(places) > 1:
        _tell(name, len(places))
    place = places[(page or 1) - 1]
    return file.pages[place], place


@lru_cache(1024)  # a file that is read again is not told again
def _tell(name: Path, pages: int) -> None:
    _log.warning("%s has %d pages: the first is used; --page N takes another.", name, pages)


def _check(page: Any, data: bytes, name: Path, max_bytes: int | None) -> None:
    """Refuse what cannot be read right, and what the file or the memory does not hold."""
    kind = int(page.photometric)
    if kind not in (_WHITE, _BLACK, _RGB, _PALETTE, _YCBCR):
        what = _OTHERS.get(kind, f"colors of the kind {kind}")
        raise InputError(f"{name} is a TIFF file with {what}: convert it to gray or RGB.")
    if page.axes not in ("YX", "YXS", "SYX"):
        raise InputError(f"{name} is a TIFF volume (axes {page.axes}): give a plane of it.")
    width, height, samples = page.imagewidth, page.imagelength, page.samplesperpixel
    bits = page.bitspersample
    if not isinstance(bits, int):
        raise InputError(f"{name} has channels of {bits} bits: convert it to 8 or 16 bits.")
    whole = width * height * samples * bits // 8
    ends = [at + count for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if max(ends, default=0) > len(data):
        raise InputError(f"{name} is cut short (its end is missing): copy or download it again.")
    segment = page.tilewidth * page.tilelength if page.is_tiled else 0
    copies = 1 if page.axes != "SYX" and samples in (1, 3) else 2
    needed = copies * max(whole, width * height * samples) + segment * samples * bits // 8
    check_memory(name, width, height, needed, max_bytes)
    ratio = _LARGEST_RATIO.get(int(page.compression))
    sparse = 0 in page.databytecounts
    if len(ends) < math.prod(page.chunked) or (
        ratio is not None and not sparse and whole > ratio * sum(page.databytecounts)
    ):
        raise InputError(
            f"{name} is damaged: {len(data)} bytes cannot hold the {width}x{height} pixels of its "
            "header; copy or download it again."
        )


def _decode(page: Any, data: bytes, place: int, name: Path) -> Decoded:
    kind, bits, samples = int(page.photometric), page.bitspersample, page.samplesperpixel
    extra = [int(value) for value in page.extrasamples or ()]
    is_alpha = bool(extra) and extra[0] in (1, 2)
    interleaved = samples == 1 or int(page.planarconfig) == 1
    if kind in (_PALETTE, _YCBCR) or bits == 1:
        if not interleaved or samples != (3 if kind == _YCBCR else 1):
            raise InputError(
                f"{name} is a TIFF file with {samples} planes of an unusual kind: convert it to "
                "gray or RGB."
            )
        return split(_by_opencv(data, place, name), 1)
    by_opencv = (
        interleaved
        and (samples in (1, 3) or (samples == 4 and bits > 8))
        and int(page.compression) in _BY_OPENCV
        and bits in (8, 10, 12, 14, 16, 32, 64)
        and (kind != _WHITE or bits == 8)
    )
    try:
        pixels = page.asarray(maxworkers=1)
    except Exception as error:
        if _lacks_codec(error) and by_opencv:
            return split(_by_opencv(data, place, name), 1, is_alpha=is_alpha)
        raise
    pixels = np.moveaxis(pixels, 0, 2) if page.axes == "SYX" else pixels
    pixels = _spread(pixels, bits)
    if kind == _WHITE and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels
    turned = int(page.tags.valueof(274, 1))
    return split(pixels, turned if 1 <= turned <= 8 else 1, is_alpha=is_alpha)


def _lacks_codec(error: Exception) -> bool:
    return isinstance(error, ImportError) or "imagecodecs" in str(error)


def _by_opencv(data: bytes, place: int, name: Path) -> Array:
    """A page by OpenCV, in RGB order; OpenCV turns TIFF files upright by itself."""
    code = np.frombuffer(data, np.uint8)
    if place == 0:
        pixels: Array | None = cv2.imdecode(code, cv2.IMREAD_UNCHANGED)
    else:
        _, pages = cv2.imdecodemulti(code, cv2.IMREAD_UNCHANGED)
        pixels = pages[place] if place < len(pages) else None
    if pixels is None:
        raise InputError(f"{name} is a TIFF file that is damaged: copy or download it again.")
    return to_rgb(pixels)


def _spread(pixels: Array, bits: int) -> Array:
    """Samples over the range of their type: of few bits as OpenCV gives them, short floats long."""
    if pixels.dtype == np.float16:
        return pixels.astype(np.float32)
    if pixels.dtype == np.uint8 and bits < 8:
        return pixels * np.uint8(255 // (2**bits - 1)) if bits in (1, 2, 4) else pixels
    if pixels.dtype == np.uint16 and bits < 16:
        return pixels << np.uint16(16 - bits)
    return pixels
