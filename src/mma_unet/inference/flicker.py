"""Flicker of a video: how it is measured, and how the fused video is kept steady.

Flicker is brightness that jumps from frame to frame where nothing moves: automatic gain of the
infrared camera, pulsing of the video codec, channel attention computed anew for each frame. It
lives at low spatial frequency, where the eye sees it most, so both halves of this module look at
the mean luminance of blocks of 16 x 16 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.data.images import luminance

__all__ = ["Flicker", "FlickerMeter", "Steadier"]

_BLOCK = 16
_THRESHOLD = 10.0
_KEEP = 0.9
_ROUNDS = 4

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Flicker:
    """Flicker in gray levels of 255.

    Attributes:
        still: Where nothing moves: the median over the blocks, averaged over time.
        whole: Over the whole picture, motion and all: the mean over the blocks and over time.
    """

    still: float
    whole: float


class FlickerMeter:
    """Absolute second temporal difference `|y[t-1] - 2 y[t] + y[t+1]|` of block luminance.

    The second difference lets fades and drifts pass, which do not flicker. The median over blocks
    keeps out what moves as long as that is less than half of the picture.

    Example:
        >>> meter = FlickerMeter()
        >>> for level in (100, 104, 100, 104):
        ...     meter.add(np.full((32, 32), level, np.uint8))
        >>> meter.result().still
        8.0
    """

    def __init__(self) -> None:
        self._last: list[FloatArray] = []
        self._sums = np.zeros(2)
        self._count = 0

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Take in the next frame, `(H, W)` or `(H, W, 3)`."""
        self._last = [*self._last[-2:], _blocks(frame)]
        if len(self._last) == 3:
            before, now, after = self._last
            change = np.abs(before - 2 * now + after)
            self._sums += (np.median(change), change.mean())
            self._count += 1

    def result(self) -> Flicker:
        """The flicker so far; zero for fewer than three frames."""
        still, whole = self._sums / max(self._count, 1)
        return Flicker(float(still), float(whole))


class Steadier:
    """Take small jumps of block luminance out of a video, and leave motion and cuts alone.

    Each block follows its steadied past by `0.9 exp(-(jump / 10)^2)`: a jump of a few gray levels
    is spread over some frames, one of more than about 20 passes as it is. The correction is
    interpolated between block centers and added to every channel, so that color and detail stay.
    """

    def __init__(self) -> None:
        self._past: FloatArray | None = None

    def steady(self, frame: FloatArray) -> npt.NDArray[np.uint8]:
        """The next frame steadied and rounded to `uint8`.

        Args:
            frame: `(H, W)` or `(H, W, 3)` float32 in [0, 1]: of an image that is rounded already,
                corrections below half a level would be rounded away.
        """
        frame = frame * np.float32(255)
        blocks = _blocks(frame)
        if self._past is None or self._past.shape != blocks.shape:
            self._past = blocks
        jump = self._past - blocks
        correction = _KEEP * np.exp(-((jump / _THRESHOLD) ** 2)) * jump
        self._past = (blocks + correction).astype(np.float32)
        smooth = cv2.resize(
            _sharpened(correction), frame.shape[1::-1], interpolation=cv2.INTER_LINEAR
        )
        if frame.ndim == 3:
            smooth = smooth[:, :, None]
        steadied: npt.NDArray[np.uint8] = np.clip(np.rint(frame + smooth), 0, 255).astype(np.uint8)
        return steadied


def _sharpened(blocks: FloatArray) -> FloatArray:
    """Values at block centers which, once interpolated, have `blocks` as their block means."""
    taps = np.array([1, 6, 1], np.float32) / 8  # what interpolation and averaging make of one block
    values = blocks = blocks.astype(np.float32)
    for _ in range(_ROUNDS):
        mean = cv2.sepFilter2D(values, cv2.CV_32F, taps, taps, borderType=cv2.BORDER_REPLICATE)
        values = values + (blocks - mean)
    return values


def _blocks(frame: npt.NDArray[Any]) -> FloatArray:
    """Mean luminance of blocks of about 16 x 16 pixels."""
    gray = luminance(frame).astype(np.float32)
    size = (max(gray.shape[1] // _BLOCK, 1), max(gray.shape[0] // _BLOCK, 1))
    blocks = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(blocks, np.float32).reshape(size[1], size[0])
