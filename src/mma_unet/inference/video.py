"""Fusing two streams of frames into a video file, a few frames in memory at a time.

Each visible frame gets the infrared frame nearest in time (the earlier of two equally near), and
the video ends where the shorter stream ends, which `VideoResult` tells. The fused frames have the
times of the visible ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from mma_unet.data import from_float
from mma_unet.data.polarity import Polarity
from mma_unet.data.ranges import RangeMemory
from mma_unet.data.video import Frame, FrameSource
from mma_unet.data.video_writer import VideoWriter
from mma_unet.errors import InputError
from mma_unet.inference.engine import Engine
from mma_unet.inference.flicker import Flicker, FlickerMeter, Steadier
from mma_unet.inference.pipeline import Ahead, Behind
from mma_unet.inference.sources import Source, read_infrared_source, read_source

__all__ = ["VideoResult", "fuse_video", "pair_in_time"]

Pixels = npt.NDArray[np.uint8]
_MANY = 1000
"""Frames that a video counts as, for the choice of the runtime."""


@dataclass(frozen=True)
class VideoResult:
    """What was done.

    Attributes:
        frames: Frames written.
        seconds: Wall clock that it took.
        flicker: Flicker of `"ir"`, `"vi"` and `"fused"`.
        shortfall: One sentence if a source ended before it should have; else empty.
        note: What is to be said of the infrared frames, in lines; empty if nothing.
    """

    frames: int
    seconds: float
    flicker: dict[str, Flicker] = field(default_factory=dict)
    shortfall: str = ""
    note: str = ""

    @property
    def fps(self) -> float:
        """Frames per second of wall clock."""
        return self.frames / max(self.seconds, 1e-9)


def pair_in_time(
    ir: Iterable[Frame], vi: Iterable[Frame], ir_rate: Fraction
) -> Iterator[tuple[Frame, Frame]]:
    """Give each visible frame the infrared frame nearest in time, to the end of the shorter.

    Args:
        ir: Infrared frames in the order of time.
        vi: Visible frames in the order of time.
        ir_rate: Infrared frames per second: the last one counts for as long as one frame.

    Example:
        >>> blank = np.zeros((1, 1, 3), np.uint8)
        >>> ir, vi = ([Frame(Fraction(i, r), blank) for i in range(r)] for r in (2, 4))
        >>> [(float(a.time), float(b.time)) for a, b in pair_in_time(ir, vi, Fraction(2))]
        [(0.0, 0.0), (0.0, 0.25), (0.5, 0.5), (0.5, 0.75)]
    """
    frames = iter(ir)
    now, later = next(frames, None), next(frames, None)
    for visible in vi:
        while now and later and abs(later.time - visible.time) < abs(now.time - visible.time):
            now, later = later, next(frames, None)
        if now is None or (later is None and visible.time >= now.time + 1 / ir_rate):
            return
        yield now, visible


def fuse_video(
    fuser: Engine,
    ir: FrameSource,
    vi: FrameSource,
    target: Path,
    *,
    sound: str | None = None,
    steady: bool = True,
    batch_size: int = 1,
    seconds: float | None = None,
    on_frame: Callable[[int], None] = lambda _: None,
) -> VideoResult:
    """Fuse two streams into the video file `target`; nothing is left of it if that fails.

    Ctrl-C discards the work on files. With cameras it ends the recording, which is kept.

    Args:
        fuser: Does the work.
        ir: Infrared frames, best of a deep source. The range of raw counts follows them slowly
            (`RangeMemory`) unless the fuser has a fixed one.
        vi: Visible frames, which decide size, times and color.
        target: Video file to write.
        sound: File whose sound is copied.
        steady: Take small jumps of brightness out (`Steadier`).
        batch_size: Frames that are fused together.
        seconds: Stop after so much video.
        on_frame: Called with the number of frames fused so far.

    Raises:
        InputError: If frames differ in size or cannot be read, or the file cannot be written.
    """
    if ir.live != vi.live:
        raise InputError(f"{ir.name} and {vi.name}: give two cameras or two files, not one of each")
    begin = monotonic()
    fuser.expect(_MANY)
    unit = Fraction(1, 90_000) if vi.live else vi.time_base
    writer = VideoWriter(target, vi.rate, unit, sound=sound)
    ir_ahead, vi_ahead = (Ahead(source, drop=source.live) for source in (ir, vi))
    behind: Behind[tuple[Fraction, Pixels]] = Behind(lambda item: writer.write(*item))
    job = _Job(fuser, ir, vi, steady)
    length = None if seconds is None else Fraction(str(seconds))
    done = taken = 0

    def visible() -> Iterator[Frame]:
        nonlocal taken
        for frame in vi_ahead:
            taken += 1
            yield frame

    stopped = False
    try:
        try:
            start: Fraction | None = None
            for batch in _batches(pair_in_time(ir_ahead, visible(), ir.rate), batch_size):
                start = batch[0][1].time if start is None else start
                if length is not None:
                    whole = len(batch)
                    batch = [pair for pair in batch if pair[1].time - start < length]
                    stopped = len(batch) < whole
                for time, fused in job.fuse(batch):
                    behind.put((time - start, fused))
                done += len(batch)
                on_frame(done)
                if stopped:
                    break
        except KeyboardInterrupt:
            if not vi.live:
                raise
        behind.finish()
        writer.finish()
    except BaseException:
        behind.close()
        writer.abort()
        raise
    finally:
        for source in (ir_ahead, vi_ahead):
            source.close()
    if not done:
        raise InputError(f"{ir.name} and {vi.name} share no frame: {target} was not written")
    shortfall = "" if stopped or vi.live else _shortfall(ir, vi, done, taken)
    return VideoResult(
        writer.frames, monotonic() - begin, job.flicker(), shortfall=shortfall, note=job.note
    )


def _shortfall(ir: FrameSource, vi: FrameSource, done: int, taken: int) -> str:
    """What ended too early, if anything: `done` frames were fused, `taken` visible ones read."""
    if taken == done:
        return vi.shortfall
    of = f"{done} of {vi.frames}" if vi.frames else f"the first {done}"
    return ir.shortfall or (
        f"{ir.name} ends before {vi.name}: {of} frames were fused, the rest has no infrared; give "
        "the whole recording and --overwrite, or cut the visible video to its length"
    )


def _batches(
    pairs: Iterator[tuple[Frame, Frame]], size: int
) -> Iterator[list[tuple[Frame, Frame]]]:
    batch: list[tuple[Frame, Frame]] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class _Job:
    """Frames in, fused frames out, and the flicker of all three on the way."""

    def __init__(self, fuser: Engine, ir: FrameSource, vi: FrameSource, steady: bool) -> None:
        self.fuser, self.ir, self.vi = fuser, ir, vi
        self.steadier = Steadier() if steady else None
        self.meters = {name: FlickerMeter() for name in ("ir", "vi", "fused")}
        self.memory = RangeMemory()
        self.last: tuple[Frame, Source] | None = None
        self.slot, self.polarity = fuser.ir_slot, Polarity()
        self.notes: list[str] = []

    def fuse(self, batch: list[tuple[Frame, Frame]]) -> Iterator[tuple[Fraction, Pixels]]:
        """Time and pixels of each fused frame."""
        sources: list[tuple[Source, Source]] = []
        for ir, vi in batch:
            # a visible image in floats gives a fused one in floats
            visible = vi.pixels if self.steadier is None else vi.pixels / np.float32(255)
            source = read_source(visible, self.vi.name)
            sources.append(self.fuser.placement(self._infrared(ir), source))
        results: list[Any] = self.fuser.fuse_sources(sources)
        for (_, vi), result in zip(batch, results, strict=True):
            fused = self.steadier.steady(result) if self.steadier is not None else result
            self.meters["vi"].add(vi.pixels)
            self.meters["fused"].add(fused)
            yield vi.time, fused

    def _infrared(self, frame: Frame) -> Source:
        """The source of a frame; one that is shown twice is the same and does not flicker."""
        if self.last is None or self.last[0] is not frame:
            source = read_infrared_source(
                frame.pixels,
                self.ir.name,
                ir_range=self.fuser.ir_range,
                valid=self.fuser.valid,
                nodata=frame.nodata,
                memory=self.memory,
            )
            first = self.last is None
            if first:
                self.slot = self.slot.settled(source)
            source, notes = self.slot.finish(source, look=first)
            self.notes = [source.note, *notes] if first else self.notes
            self.last = frame, source
            other = source.planes.dtype != np.uint8 or self.slot.palette is not None
            shown = from_float(source.luminance[0].numpy(), np.uint8) if other else frame.pixels
            self.meters["ir"].add(shown)
            self.polarity.look(shown)
        return self.last[1]

    @property
    def note(self) -> str:
        """What is to be said of the infrared frames so far, in lines."""
        black = self.polarity.black_hot and not self.slot.black_hot
        hint = f"{self.ir.name} looks black-hot (what is hot is dark): --black-hot turns it round"
        return "\n".join(filter(None, (*self.notes, hint if black else "")))

    def flicker(self) -> dict[str, Flicker]:
        """Flicker of the sources and of the result."""
        return {name: meter.result() for name, meter in self.meters.items()}
