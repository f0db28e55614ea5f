"""The part of `mma-unet fuse` that writes videos: files, image sequences and cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from mma_unet.cli.common import check_writable, say, warn
from mma_unet.cli.fuse_report import list_failures, show_pairing, tell_notes
from mma_unet.cli.progress import progress_bar
from mma_unet.data.listing import list_entries
from mma_unet.data.storage import locate
from mma_unet.data.video_names import (
    VIDEO_FORMATS,
    VIDEO_SUFFIXES,
    is_live,
    is_video,
    is_web,
)
from mma_unet.errors import InputError
from mma_unet.parts import sweep

if TYPE_CHECKING:
    from mma_unet.data import Pairing
    from mma_unet.data.video import FrameSource
    from mma_unet.inference.engine import Engine
    from mma_unet.inference.video import VideoResult

__all__ = [
    "VideoOptions",
    "fuse_to_video",
    "fuse_video_folders",
    "hold_videos",
    "wants_video",
]


@dataclass(frozen=True)
class VideoOptions:
    """The options that only matter for videos."""

    fps: Fraction
    audio: bool
    steady: bool
    seconds: float | None
    batch_size: int
    overwrite: bool
    dry_run: bool = False


def hold_videos(ir: str, vi: str, *, recursive: bool) -> bool:
    """Whether both sources are folders of videos, without an image in them."""
    if is_video(ir) or is_video(vi):
        return False
    return all(_only_videos(locate(source), recursive) for source in (ir, vi))


def _only_videos(folder: Path, recursive: bool) -> bool:
    from mma_unet.data.images import IMAGE_SUFFIXES

    if not folder.is_dir():
        return False
    files, _ = list_entries(folder, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES), recursive=recursive)
    return bool(files) and all(is_video(file.path.name) for file in files)


def wants_video(ir: str, vi: str, out: Path) -> bool:
    """Whether the sources or the output say that a video is wanted."""
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

    A source that ends too early is told at the end, with exit code 1.

    Raises:
        InputError: If a source cannot be read or the target cannot be written.
    """
    from mma_unet.data.storage import is_remote, size, upload
    from mma_unet.data.video import VideoFile
    from mma_unet.inference.video import fuse_video

    target = _target(vi, out)
    for place in map(_place, (ir, vi)):
        if place is not None and place.exists() and place.resolve() == target.resolve():
            raise InputError(f"{target} is a source video: choose another output for -o")
    if options.dry_run:
        say(f"{ir} + {vi} -> {target}; nothing was fused (--dry-run)")
        return
    if not is_remote(target):
        sweep(target)
    if not options.overwrite and size(target):
        say(f"{target} was done before (--overwrite fuses it again)")
        return
    if is_remote(target):  # FFmpeg writes to disks only
        with TemporaryDirectory() as folder:
            local = Path(folder) / target.name
            try:
                fuse_to_video(ir, vi, local, make_fuser, options, progress=progress)
            finally:  # what ends early is kept too
                if size(local):
                    upload(local, target)
                    say(f"Copied to {target}")
        return
    with ExitStack() as stack:
        ir_frames, vi_frames = stack.enter_context(_open_both(ir, vi, options.fps))
        fuser = stack.enter_context(_aligned(make_fuser(), ir, vi, options))
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
    tell_notes([result.note])
    _report(result, target)
    if result.shortfall:
        warn(result.shortfall, style="bold red")
        raise typer.Exit(1)


def fuse_video_folders(
    find: Callable[..., Pairing],
    ir: str,
    vi: str,
    out: Path,
    make_fuser: Callable[[], Engine],
    options: VideoOptions,
    *,
    progress: bool,
) -> None:
    """Fuse the videos of two folders, paired by name, into a folder, one after the other.

    Args:
        find: As `mma_unet.data.find_pairs`.
        ir: Folder of the infrared videos.
        vi: Folder of the visible videos.
        out: Folder for the results.
        make_fuser: Makes what does the work; called once.
        options: As for one video.
        progress: Whether to show it.
    """
    if out.suffix.lower() in VIDEO_FORMATS and not out.is_dir():
        raise InputError(f"{ir} and {vi} hold videos: give a folder for -o")
    pairing = find(ir, vi, suffixes=VIDEO_SUFFIXES)
    targets = [out / (pair.name + _ending(pair.vi)) for pair in pairing.pairs]
    if options.dry_run:
        show_pairing(pairing, targets)
        return
    check_writable(out)
    for note in pairing.notes:
        warn(note)
    once = cache(make_fuser)
    failures = list(pairing.reasons)
    for pair, target in zip(pairing.pairs, targets, strict=True):
        try:
            fuse_to_video(str(pair.ir), str(pair.vi), target, once, options, progress=progress)
        except InputError as error:
            failures.append(str(error))
        except typer.Exit:
            failures.append(f"{target} is fused as far as both videos go")
    list_failures(failures)


@contextmanager
def _aligned(fuser: Engine, ir: str, vi: str, options: VideoOptions) -> Iterator[Engine]:
    """The fuser; one that would align each frame aligns these videos once, over the whole clip."""
    from mma_unet.inference.clip import rig_of_clip
    from mma_unet.inference.placement import Placement

    before = fuser.placement
    if before.align == "auto":
        with _open_both(ir, vi, options.fps) as (ir_frames, vi_frames):
            rig = rig_of_clip(ir_frames, vi_frames)
        say(f"Aligned by {len(rig.pairs)} frames, their edges agree by {rig.confidence:.2f}")
        fuser.placement = Placement(rig, before.crop)
    try:
        yield fuser
    finally:
        fuser.placement = before


def _is_pattern(source: str) -> bool:
    return (
        any(mark in source for mark in "%*?") and "://" not in source and not Path(source).exists()
    )


def _target(vi: str, out: Path) -> Path:
    """`out`, or a file named after the visible video if `out` is a folder."""
    if out.suffix.lower() in VIDEO_FORMATS and not out.is_dir():
        return out
    if out.suffix and not out.is_dir():
        raise InputError(f"{out}: end its name in {' '.join(VIDEO_FORMATS)} for a video")
    place = _place(vi)
    if place is None or not place.is_file():
        raise InputError(f"{out}: name a video file, e.g. -o fused.mp4")
    return out / (place.stem + _ending(place))


def _ending(vi: Path) -> str:
    """The ending of a result: that of the visible video where it can be written."""
    return vi.suffix.lower() if vi.suffix.lower() in VIDEO_FORMATS else ".mp4"


def _place(source: str) -> Path | None:
    """The place of a source; None for a camera and an address of the web."""
    return None if is_live(source) or is_web(source) else locate(source)


@contextmanager
def _open_both(ir: str, vi: str, fps: Fraction) -> Iterator[tuple[FrameSource, FrameSource]]:
    """The two sources of frames, closed at the end."""
    from mma_unet.data import find_pairs
    from mma_unet.data.video import ImageSequence, VideoFile, expand_pattern

    kinds = [
        "pattern" if _is_pattern(s) else "folder" if (p := _place(s)) and p.is_dir() else "video"
        for s in (ir, vi)
    ]
    if kinds == ["folder", "folder"]:
        pairing = find_pairs(ir, vi)
        lonely = len(pairing.unpaired_ir) + len(pairing.unpaired_vi)
        if lonely:
            warn(f"{lonely} image(s) without a partner are left out")
        yield (
            ImageSequence([pair.ir for pair in pairing.pairs], fps, deep=True),
            ImageSequence([pair.vi for pair in pairing.pairs], fps),
        )
    elif kinds == ["pattern", "pattern"]:
        yield (
            ImageSequence(expand_pattern(ir), fps, deep=True),
            ImageSequence(expand_pattern(vi), fps),
        )
    elif kinds == ["video", "video"]:
        with VideoFile(ir, deep=True) as ir_file, VideoFile(vi) as vi_file:
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
