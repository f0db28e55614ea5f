"""The part of `mma-unet fuse` that writes videos: files, image sequences and cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from mma_unet.cli.common import say, warn
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data.video import FrameSource
    from mma_unet.inference.engine import Engine
    from mma_unet.inference.video import VideoResult

__all__ = ["VideoOptions", "fuse_to_video", "wants_video"]


@dataclass(frozen=True)
class VideoOptions:
    """The options that only matter for videos."""

    fps: Fraction
    audio: bool
    steady: bool
    seconds: float | None
    batch_size: int
    overwrite: bool


def wants_video(ir: str, vi: str, out: Path) -> bool:
    """Whether the sources or the output say that a video is wanted."""
    from mma_unet.data.video_names import VIDEO_FORMATS, is_video

    named = out.suffix.lower() in VIDEO_FORMATS and not out.is_dir()
    return named or is_video(ir) or is_video(vi) or _is_pattern(ir) or _is_pattern(vi)


def fuse_to_video(
    ir: str,
    vi: str,
    out: Path,
    make_fuser: Callable[[], Engine],
    options: VideoOptions,
    *,
    progress: bool,
) -> None:
    """Fuse two videos, two cameras or two sequences of images, and report speed and flicker.

    Raises:
        InputError: If a source cannot be read or the target cannot be written.
    """
    from mma_unet.data.video import VideoFile
    from mma_unet.inference.video import fuse_video

    target = _target(vi, out)
    for source in (ir, vi):
        if Path(source).exists() and Path(source).resolve() == target.resolve():
            raise InputError(f"{target} is a source video: choose another output for -o")
    if not options.overwrite and target.is_file() and target.stat().st_size:
        say(f"{target} was done before (--overwrite fuses it again)")
        return
    with _open_both(ir, vi, options.fps) as (ir_frames, vi_frames):
        fuser = make_fuser()
        from_file = isinstance(vi_frames, VideoFile) and not vi_frames.live
        total = _expected(ir_frames, vi_frames, options.seconds)
        with progress_bar(shown=progress, unit="frames") as step:
            result = fuse_video(
                fuser,
                ir_frames,
                vi_frames,
                target,
                sound=vi if from_file and options.audio else None,
                steady=options.steady,
                batch_size=options.batch_size,
                seconds=options.seconds,
                on_frame=lambda done: step("Fusing", done, total),
            )
    _report(result, target)


def _is_pattern(source: str) -> bool:
    return (
        any(mark in source for mark in "%*?") and "://" not in source and not Path(source).exists()
    )


def _target(vi: str, out: Path) -> Path:
    """`out`, or a file named after the visible video if `out` is a folder."""
    from mma_unet.data.video_names import VIDEO_FORMATS

    if out.suffix.lower() in VIDEO_FORMATS and not out.is_dir():
        return out
    if out.suffix and not out.is_dir():
        raise InputError(f"{out}: end its name in {' '.join(VIDEO_FORMATS)} for a video")
    if not Path(vi).is_file():
        raise InputError(f"{out}: name a video file, e.g. -o fused.mp4")
    suffix = Path(vi).suffix.lower()
    return out / f"{Path(vi).stem}{suffix if suffix in VIDEO_FORMATS else '.mp4'}"


@contextmanager
def _open_both(ir: str, vi: str, fps: Fraction) -> Iterator[tuple[FrameSource, FrameSource]]:
    """The two sources of frames, closed at the end."""
    from mma_unet.data import find_pairs
    from mma_unet.data.video import ImageSequence, VideoFile, expand_pattern

    kinds = [
        "pattern" if _is_pattern(s) else "folder" if Path(s).is_dir() else "video" for s in (ir, vi)
    ]
    if kinds == ["folder", "folder"]:
        pairing = find_pairs(ir, vi)
        lonely = len(pairing.unpaired_ir) + len(pairing.unpaired_vi)
        if lonely:
            warn(f"{lonely} image(s) without a partner are left out")
        yield (
            ImageSequence([pair.ir for pair in pairing.pairs], fps),
            ImageSequence([pair.vi for pair in pairing.pairs], fps),
        )
    elif kinds == ["pattern", "pattern"]:
        yield ImageSequence(expand_pattern(ir), fps), ImageSequence(expand_pattern(vi), fps)
    elif kinds == ["video", "video"]:
        with VideoFile(ir) as ir_file, VideoFile(vi) as vi_file:
            yield ir_file, vi_file
    else:
        raise InputError(
            f"{ir} and {vi}: give two videos, two folders or two patterns, not one of each"
        )


def _expected(ir: FrameSource, vi: FrameSource, seconds: float | None) -> int | None:
    """How many frames there will be, as far as the files say."""
    counts = [vi.frames] if vi.frames else []
    if ir.frames:
        counts.append(int(ir.frames / ir.rate * vi.rate))
    if seconds is not None:
        counts.append(int(seconds * vi.rate))
    return min(counts, default=None)


def _report(result: VideoResult, target: Path) -> None:
    say(
        f"Fused {result.frames} frames in {result.seconds:.1f} s ({result.fps:.1f} fps) -> {target}"
    )
    if result.frames >= 3:
        parts = (f"{name} {f.still:.3f} ({f.whole:.3f})" for name, f in result.flicker.items())
        say(f"Flicker in gray levels, still (whole picture): {', '.join(parts)}")
