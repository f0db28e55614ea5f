"""The result of a pair: the fused luminance in the color and sample type of the visible (VI) image.

See also: `mma_unet.inference.fuser`, which paints.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from mma_unet.data import from_float
from mma_unet.errors import InputError
from mma_unet.inference.sources import Array, Fused, Source, luminance

__all__ = ["Canvas", "chroma_gain"]

_DARK = 0.25
"""Luminance of VI below which its chroma is taken to be noise, the more the darker."""
_LIFTED = 0.2
"""Rise of the luminance from which on the chroma of black is gone."""


def chroma_gain(vi: Tensor, fused: Tensor) -> Tensor:
    """By how much the chroma (Cb, Cr) of VI is multiplied under the fused luminance.

    Where the fused image is darker than VI the chroma shrinks in proportion, so that saturation
    does not rise. Where it lifts what is dark in VI, the chroma there is mostly sensor noise and
    would turn trees violet: it fades with the darkness of VI and with the rise.

    Args:
        vi: Luminance of the visible image in [0, 1], any shape.
        fused: Fused luminance in [0, 1], the same shape.

    Returns:
        Factors in [0, 1], the same shape.

    Example:
        >>> chroma_gain(torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.tensor([0.25, 0.9, 0.02, 0.5]))
        tensor([0.5000, 1.0000, 0.9000, 0.0000])
    """
    darker = fused / vi.clamp(min=1 / 255)
    dark = (1 - vi / _DARK).clamp(min=0)
    lifted = ((fused - vi) / _LIFTED).clamp(0, 1)
    return torch.where(fused < vi, darker, 1 - dark * lifted)


class Canvas:
    """The result of a pair, painted window by window in the sample type of its visible image.

    The fused luminance takes the place of Y of YCbCr; Cb and Cr are those of VI times
    `chroma_gain`.

    Args:
        vi: The visible source, whose color, sample type and layout the result gets.
        gray: Keep the luminance alone.
        ir: The infrared source; where it has no value the result is VI.
    """

    def __init__(self, vi: Source, *, gray: bool, ir: Source | None = None) -> None:
        self.vi, self.gray, self.ir = vi, gray, ir
        channels = 1 if gray else vi.planes.shape[0]
        self.samples: Array = np.empty((*vi.size, channels), vi.dtype)

    @staticmethod
    def bytes_for(vi: Source, *, gray: bool) -> int:
        """Memory that a canvas takes."""
        channels = 1 if gray else vi.planes.shape[0]
        return vi.size[0] * vi.size[1] * channels * vi.dtype.itemsize

    def paint(self, rows: slice, cols: slice, fused: Tensor) -> None:
        """Fill a window.

        Args:
            rows: Its rows.
            cols: Its columns.
            fused: `(1 or 3, h, w)` in [0, 1]; three channels are taken as the color image itself.
        """
        if self.ir is not None:
            fused = self.ir.blended(self.vi, rows, cols, fused)
        if self.samples.shape[2] == 1:
            result = luminance(fused)
        elif fused.shape[0] == 3:
            result = fused
        elif (pixels := self.vi.bytes_region(rows, cols)) is not None:
            self.samples[rows, cols] = self._paint_bytes(pixels, fused, rows, cols)
            return
        else:
            gray = self.vi.gray_region(rows, cols).to(fused.device)
            color = self.vi.region(rows, cols).to(fused.device)
            result = fused + chroma_gain(gray, fused) * (color - gray)
        planes = from_float(result.cpu().numpy(), self.vi.dtype)
        self.samples[rows, cols] = planes.transpose(1, 2, 0)

    def _paint_bytes(self, pixels: Array, fused: Tensor, rows: slice, cols: slice) -> Array:
        """The same for color bytes `(h, w, 3)`, rounded half up, in fewer passes over memory."""
        fused, gray = fused.cpu(), self.vi.gray_region(rows, cols)
        gain = chroma_gain(gray, fused)
        rest = (fused - gain * gray).mul_(255).add_(0.5)[0].numpy()
        if not np.isfinite(rest).all():
            raise InputError("the result holds NaN or infinite values, so it cannot be an image.")
        color = cv2.multiply(pixels, cv2.merge([gain[0].numpy()] * 3), dtype=cv2.CV_32F)
        color = cv2.add(color, cv2.merge([rest] * 3))
        painted: Array = np.clip(color, 0, 255, out=color).astype(np.uint8)
        return painted

    def result(self) -> Fused:
        """The finished image, of the kind that the visible image came as."""
        flat = self.samples.shape[2] == 1
        if not isinstance(self.vi.like, Tensor):
            drop = flat and (self.vi.was_flat or self.gray)
            array: Array = self.samples[..., 0] if drop else self.samples
            if self.vi.like is None:
                return array
            from PIL.Image import fromarray

            return fromarray(array)
        planes = np.ascontiguousarray(self.samples.transpose(2, 0, 1))
        tensor = torch.from_numpy(planes).to(self.vi.like)
        return tensor[0] if flat and self.vi.was_flat else tensor
