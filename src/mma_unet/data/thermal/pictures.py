"""Decoding a picture that lies inside another file, once its size is held against the record's."""

from pathlib import Path
from typing import Any

import numpy.typing as npt

from mma_unet.data.decode import decode
from mma_unet.data.header import read_header
from mma_unet.errors import InputError

__all__ = ["decode_embedded"]


def decode_embedded(data: bytes, size: tuple[int, int], most: int) -> npt.NDArray[Any] | None:
    """The samples of a PNG or JPEG, `(H, W)` or `(H, W, 3)` RGB; None if they cannot be had.

    They cannot if it is damaged, of another size than the record around it says, or too large.

    Args:
        data: The picture and whatever follows it.
        size: Height and width that the record around it gives.
        most: Pixels beyond which it is not decoded.
    """
    header = read_header(data)
    if header is None or (header.height, header.width) != size or size[0] * size[1] > most:
        return None
    try:
        pixels = decode(data, Path("the picture inside")).pixels
    except InputError:
        return None
    return pixels if pixels.shape[:2] == size else None
