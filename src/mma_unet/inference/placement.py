"""Bringing the infrared source of a pair onto the pixels of the visible one, before they are fused.

See also `mma_unet.registration`, which finds out how.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from mma_unet.errors import InputError
from mma_unet.inference.sources import Source
from mma_unet.registration import Rig, apply, common_window, cover, estimate
from mma_unet.registration.geometry import Array, resizing

__all__ = ["Align", "Placement"]

Align: TypeAlias = "str | os.PathLike[str] | Rig | Placement | None"

_MOVABLE = (np.uint8, np.uint16, np.float32, np.float64)
_MOST = 32_766
"""Longest side that OpenCV moves."""


class Placement:
    """Moves IR onto VI.

    Args:
        align: `None` where it lies there already, `"resize"` for cameras that see the same with
            other numbers of pixels, `"auto"` to estimate it for each pair, or a rig or its file.
        crop: `"vi"` keeps the frame of VI, and outside of what IR shows the result is VI;
            `"common"` keeps the largest rectangle that both show.

    Raises:
        InputError: The rig cannot be read, or `crop` is another word.

    Example:
        >>> from mma_unet.inference.sources import read_source
        >>> ir, vi = (read_source(np.zeros(size, np.uint8), "ir") for size in ((12, 16), (24, 32)))
        >>> [source.size for source in Placement("resize")(ir, vi)]
        [(24, 32), (24, 32)]
    """

    def __init__(self, align: str | os.PathLike[str] | Rig | None = None, crop: str = "vi") -> None:
        if crop not in ("vi", "common"):
            raise InputError(f"crop must be vi or common, not {crop!r}")
        if crop == "common" and align in (None, "resize"):
            raise InputError("--crop common needs --align: without it both see the same")
        if align is None or isinstance(align, Rig) or align in ("auto", "resize"):
            self.align = align
        else:
            self.align = Rig.load(align)
        self.crop = crop

    def __call__(self, ir: Source, vi: Source) -> tuple[Source, Source]:
        """Both sources on one grid.

        Raises:
            InputError: The sizes differ and nothing is to be done about it, the alignment is
                refused, or the rig is of cameras of another shape.
        """
        if self.align is None and ir.size != vi.size:
            sizes = " and ".join(f"{one.name} is {one.size[1]}x{one.size[0]}" for one in (ir, vi))
            raise InputError(
                f"{sizes} pixels: register or resize them to one size (--align auto, --fit resize)"
            )
        if self.align is None or (self.align == "resize" and ir.size == vi.size):
            return ir, vi
        if max(*ir.size, *vi.size) > _MOST:
            raise InputError(
                f"{vi.name}: pictures of more than {_MOST} pixels a side cannot be aligned: cut "
                "them into parts"
            )
        if self.align == "resize":
            return _moved(ir, resizing(ir.size, vi.size), vi.size), vi
        matrix = self._matrix(ir, vi)
        moved = _moved(ir, matrix, vi.size)
        if self.crop == "common":
            try:
                rows, cols = common_window(ir.size, matrix, vi.size)
            except InputError as error:
                raise InputError(f"{vi.name}: {error}") from None
            return _cut(moved, rows, cols), _cut(vi, rows, cols)
        weight = cover(ir.size, matrix, vi.size)
        if weight.min() == 1:
            return moved, vi
        return replace(moved, share=weight if moved.share is None else weight * moved.share), vi

    def _matrix(self, ir: Source, vi: Source) -> Array:
        """IR pixels to VI pixels."""
        if isinstance(self.align, Rig):
            try:
                return self.align.matrix_for(ir.size, vi.size)
            except InputError as error:
                raise InputError(f"{ir.name}: {error}") from None
        found = estimate(ir.luminance[0].numpy(), vi.luminance[0].numpy())
        if not found.accepted:
            raise InputError(f"{ir.name}: {found.why}")
        return found.matrix


def _moved(source: Source, matrix: Array, size: tuple[int, int]) -> Source:
    planes = source.planes if source.planes.dtype in _MOVABLE else source.planes.astype(np.float32)
    moved = apply(np.ascontiguousarray(planes.transpose(1, 2, 0)), matrix, size)
    moved = moved[None] if moved.ndim == 2 else moved.transpose(2, 0, 1)
    share = None if source.share is None else apply(source.share, matrix, size)
    return replace(source, planes=moved, share=share)


def _cut(source: Source, rows: slice, cols: slice) -> Source:
    """A part of a source; where on Earth it lies is left out, for it would be wrong."""
    alpha, share = (None if x is None else x[rows, cols] for x in (source.alpha, source.share))
    metadata = source.metadata and replace(source.metadata, geo={})
    planes = np.ascontiguousarray(source.planes[:, rows, cols])
    return replace(source, planes=planes, alpha=alpha, share=share, metadata=metadata)
