"""Decoding a picture that lies inside another file, once its size is held against the record's."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.thermal.segments import picture_size

__all__ = ["decode_embedded"]

Array = npt.NDArray[Any]


def decode_embedded(data: bytes, size: tuple[int, int], most: int) -> Array | None:
    """The samples of a PNG or JPEG, `(H, W)` or `(H, W, 3)` RGB; None if they cannot be had.

    They cannot if it is damaged, of another size than the record around it says, or too large.

    Args:
        data: The picture and whatever follows it.
        size: Height and width that the record around it gives.
        most: Pixels beyond which it is not decoded.
    """
    if data[:3] == b"\xff\xd8\xff":
        claimed = picture_size(data)
    else:
        claimed = int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    if claimed != size or not 0 < size[0] * size[1] <= most:
        return None
    log_level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the caller says it
    try:
        array: Array | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        array = None
    finally:
        cv2.utils.logging.setLogLevel(log_level)
    if array is None or array.shape[:2] != size:
        return None
    return array if array.ndim == 2 else np.ascontiguousarray(array[:, :, 2::-1])
