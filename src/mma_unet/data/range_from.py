"""The range of infrared samples measured once, for a whole clip or for all that a rig records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

from mma_unet.data.images import IMAGE_SUFFIXES
from mma_unet.data.infrared import own_range, read_raw
from mma_unet.data.pairs import natural_key
from mma_unet.data.ranges import Range
from mma_unet.data.storage import list_files
from mma_unet.data.video import Frame, ImageSequence, VideoFile, expand_pattern
from mma_unet.errors import InputError

__all__ = ["range_from"]


def range_from(spec: str, ir: str) -> Range:
    """The range that holds those of some infrared frames.

    Args:
        spec: `FIRST:LAST`, frames of `ir` counted from 0, both included; or an infrared image,
            video, folder or pattern, all of whose frames count.
        ir: The infrared source: a video, folder or pattern.

    Returns:
        The least of the 0.1 % and the largest of the 99.9 % quantiles, without marks for "no
        value" and dead pixels.

    Raises:
        InputError: A source cannot be read, has not so many frames, or is all of one value.
    """
    cut = re.fullmatch(r"(\d+):(\d+)", spec)
    source, first, last = (ir, int(cut[1]), int(cut[2])) if cut else (spec, 0, None)
    if last is not None and last < first:
        raise InputError(f"{spec}: give the first frame before the last")
    ranges = [
        own_range(frame.pixels, source, frame.nodata)
        for frame in islice(_frames(source), first, None if last is None else last + 1)
    ]
    if last is not None and len(ranges) < last - first + 1:
        raise InputError(f"{source} has not so many frames as {spec} names: count them from 0")
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if not low < high:
        raise InputError(f"{source} is all of one value, {low:.6g}: take the range from elsewhere")
    return low, high


def _frames(source: str) -> Iterator[Frame]:
    path = Path(source)
    if path.is_dir():
        names = sorted(list_files(path), key=natural_key)
        files = [path / name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES]
        if not files:
            raise InputError(f"{source} holds no image: give a folder of infrared images")
        yield from ImageSequence(files, Fraction(25), deep=True)
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        if path.exists() or not any(mark in source for mark in "%*?"):
            yield Frame(Fraction(0), *read_raw(source))
        else:
            yield from ImageSequence(expand_pattern(source), Fraction(25), deep=True)
    else:
        with VideoFile(source, live=False, deep=True) as video:
            yield from video
