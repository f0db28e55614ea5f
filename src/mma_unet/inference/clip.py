"""One alignment for a whole clip, from frames all over it.

See also `mma_unet.registration.calibrate`, which does the work.
"""

from __future__ import annotations

from mma_unet.data.video import Frame, FrameSource
from mma_unet.errors import InputError
from mma_unet.inference.video import pair_in_time
from mma_unet.registration import Rig, calibrate

__all__ = ["rig_of_clip"]

_PAIRS = 12
"""Pairs of frames from which an alignment is estimated; up to twice as many are."""
_FRAMES = 3000
"""Frames that are looked at, from the start."""


def rig_of_clip(ir: FrameSource, vi: FrameSource) -> Rig:
    """Estimate the alignment of two streams; their frames are used up.

    Args:
        ir: Infrared frames.
        vi: Visible frames.

    Raises:
        InputError: It is a camera, frames cannot be read, or the alignment cannot be believed.
    """
    for source in (ir, vi):
        if source.live:
            raise InputError(
                f"{source.name} is a camera: record a clip, calibrate with mma-unet align and "
                "give the rig as --align"
            )
    kept: list[tuple[Frame, Frame]] = []
    every = 1
    for index, pair in enumerate(pair_in_time(ir, vi, ir.rate)):
        if index == _FRAMES:
            break
        if index % every == 0:
            kept.append(pair)
        if len(kept) == 2 * _PAIRS:
            kept, every = kept[::2], 2 * every
    if not kept:
        raise InputError(f"{ir.name} and {vi.name} share no frame: there is nothing to align")
    try:
        return calibrate([(infrared.pixels, visible.pixels) for infrared, visible in kept])
    except InputError as error:
        raise InputError(f"{vi.name}: {error}") from None
