"""`mma-unet fuse`: two files, folders or videos in, fused images or a fused video out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mma_unet.cli.common import Precision, Runtime, check_writable, warn
from mma_unet.cli.fuse_report import report, show_pairing, tell_notes, tell_temperatures
from mma_unet.cli.fuse_video import (
    VideoOptions,
    fuse_to_video,
    fuse_video_folders,
    hold_videos,
    wants_video,
)
from mma_unet.cli.progress import Step, progress_bar
from mma_unet.cli.rivals import rival_maker
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data import Pair, Pairing
    from mma_unet.inference import Outcome, Task
    from mma_unet.inference.placement import Placement
    from mma_unet.rivals import Rival

IrRange = StrEnum("IrRange", ["auto", "full", "stretch"])
Color = StrEnum("Color", ["luminance", "rgb"])
Statistics = StrEnum("Statistics", ["exact", "reduced"])
Engine = StrEnum("Engine", ["local", "ray"])
Fit = StrEnum("Fit", ["resize"])
Crop = StrEnum("Crop", ["vi", "common"])

_input = partial(typer.Option, rich_help_panel="Input")
_output = partial(typer.Option, rich_help_panel="Output")
_model = partial(typer.Option, rich_help_panel="Model")
_speed = partial(typer.Option, rich_help_panel="Speed and memory")
_video = partial(typer.Option, rich_help_panel="Video")
_batch = partial(typer.Option, rich_help_panel="Batch")


def fuse(
    ir: Annotated[str, typer.Argument(help="Infrared image, folder of them, video or camera.")],
    vi: Annotated[
        str | None,
        typer.Argument(help="The same in visible light; none for files that hold both."),
    ] = None,
    *,
    ctx: typer.Context,
    ir_range: Annotated[
        IrRange, _input(help="auto stretches raw counts and degrees, full none, stretch all.")
    ] = IrRange.auto,
    range_from: Annotated[
        str | None,
        _input(metavar="FIRST:LAST|FILE", help="Stretch all by these IR frames, from 0, or file."),
    ] = None,
    valid: Annotated[
        str | None, _input(metavar="MASK", help="Image, black where IR has no value: VI is kept.")
    ] = None,
    page: Annotated[
        int | None, _input(min=1, help="Page of TIFF files; default: the first.")
    ] = None,
    recursive: Annotated[
        bool, _input("--recursive", help="Search the folders in the folders too.")
    ] = False,
    pair: Annotated[
        str | None,
        _input(help="How the names of a pair read, e.g. '*_left=*_right', 'X#=X#+1'."),
    ] = None,
    dry_run: Annotated[
        bool, _input("--dry-run", help="Show the pairs and their results; fuse nothing.")
    ] = False,
    ir_channel: Annotated[
        int | None, _input(min=1, max=4, help="Channel of the file that is IR: 4 for RGB+T.")
    ] = None,
    ir_palette: Annotated[
        str | None, _input(metavar="NAME|auto", help="Turn false color back into gray.")
    ] = None,
    black_hot: Annotated[bool, _input("--black-hot", help="In IR, hot is black.")] = False,
    temperature: Annotated[
        bool, _input("--temperature", help="Tell the temperatures of IR files that give degrees.")
    ] = False,
    align: Annotated[
        str | None, _input(metavar="auto|RIG.json", help="Of two cameras: see mma-unet align.")
    ] = None,
    fit: Annotated[Fit | None, _input(help="Of the same view in other numbers of pixels.")] = None,
    out: Annotated[
        str, _output("--out", "-o", help="Fused image or video, or a folder for images.")
    ],
    crop: Annotated[
        Crop, _output(help="With --align: the frame of VI, or what both cameras see.")
    ] = Crop.vi,
    gray: Annotated[bool, _output("--gray", help="Write the fused luminance only.")] = False,
    strip: Annotated[
        bool, _output("--strip", help="Leave out EXIF, ICC profile, dpi and GeoTIFF tags of VI.")
    ] = False,
    format_: Annotated[
        str | None, _output("--format", help="png, jpg, tif, ...; default: that of VI.")
    ] = None,
    model: Annotated[
        str | None, _model("--model", "-m", help="Shipped weights by name, or a file.")
    ] = None,
    method: Annotated[
        str | None, _model("--method", help="Another method; see `mma-unet rivals`.")
    ] = None,
    weights: Annotated[
        Path | None, _model("--weights", help="Checkpoint for --method, from its authors.")
    ] = None,
    color: Annotated[
        Color, _model(help="What is fused; rgb by a 3-channel model.")
    ] = Color.luminance,
    style: Annotated[
        float,
        _model(min=0.0, max=1.0, help="From 0, natural, to 1, thermal: hot targets first."),
    ] = 0.0,
    device: Annotated[
        str,
        _speed(help="auto, cpu, cuda or cuda:N.", autocompletion=lambda: ["auto", "cpu", "cuda"]),
    ] = "auto",
    runtime: Annotated[Runtime, _speed(help="What runs the network.")] = Runtime.auto,
    precision: Annotated[
        Precision, _speed(help="auto is bf16 where the CPU has it.")
    ] = Precision.auto,
    threads: Annotated[int | None, _speed(min=1, help="CPU threads.")] = None,
    max_memory: Annotated[
        str | None, _speed(help="Most memory to use, e.g. 2GB; larger images are fused in tiles.")
    ] = None,
    statistics: Annotated[
        Statistics,
        _speed(help="For tiles; reduced takes half the time for nearly the same."),
    ] = Statistics.exact,
    fps: Annotated[float, _video(min=0.01, help="Rate of a video made of images.")] = 25.0,
    audio: Annotated[bool, _video(help="Copy the sound of the visible video.")] = True,
    steady: Annotated[bool, _video(help="Take flicker out of a video.")] = True,
    seconds: Annotated[
        float | None, _video(min=0.01, help="Stop a video after so long; for cameras.")
    ] = None,
    batch_size: Annotated[int, _batch(min=1, help="Pairs fused together.")] = 1,
    overwrite: Annotated[bool, _batch("--overwrite", help="Fuse again what is done.")] = False,
    progress: Annotated[bool, _batch(help="Show the progress.")] = True,
    engine: Annotated[Engine, _batch(help="ray for many processes or machines.")] = Engine.local,
    workers: Annotated[
        int | None, _batch(min=1, help="Ray: actors; default: one per GPU, else per CPU.")
    ] = None,
    ray_address: Annotated[
        str | None, _batch(help="Ray: auto or ADDRESS joins a cluster; default: start one.")
    ] = None,
) -> None:
    """Fuse infrared and visible images or videos; size and bit depth of VI are kept.

    Folders and files may be fsspec URLs, e.g. s3://bucket/ir.
    What is done already is skipped, with whatever options it was done: --overwrite redoes it.
    """
    from mma_unet.data.pairs import find_pairs
    from mma_unet.data.storage import locate
    from mma_unet.data.thermal.find import single_files
    from mma_unet.inference import Fuser, fuse_files
    from mma_unet.inference.ir_slot import IrSlot
    from mma_unet.models import DEFAULT_MODEL

    slot = IrSlot(ir_channel, ir_palette, black_hot, single=vi is None)
    vi = ir if vi is None else vi
    ir, vi = (str(locate(s)) if s.startswith("file://") else s for s in (ir, vi))
    find = partial(find_pairs, recursive=recursive, pattern=pair)
    reading: dict[str, Any] = {
        "device": device, "threads": threads, "gray": gray, "page": page, "strip": strip,
        "ir_range": _range(ir_range, range_from, ir), "ir_valid": valid, "ir_slot": slot,
        "max_memory": max_memory, "align": _placement(align, fit, crop),
    }  # fmt: skip
    make_ours = partial(
        Fuser, model or DEFAULT_MODEL, runtime=runtime.value, precision=precision.value,
        color=color.value, statistics=statistics.value, style=style, **reading,
    )  # fmt: skip
    make_fuser: partial[Fuser] | partial[Rival] = make_ours
    if method is not None:
        make_fuser = rival_maker(method, weights, reading, ctx)
    elif weights is not None:
        raise InputError("--weights needs --method; weights of ours are given with --model")
    target = locate(out)
    folders = hold_videos(ir, vi, recursive=recursive)
    if folders or wants_video(ir, vi, target):
        if slot.single:
            raise InputError(f"{ir} is a video or holds videos: give the visible one as well")
        if engine is Engine.ray:
            raise InputError("--engine ray is for images: leave it out for a video")
        options = VideoOptions(
            Fraction(str(fps)), audio, steady, seconds, batch_size, overwrite, dry_run
        )
        fuse_all = partial(fuse_video_folders, find) if folders else fuse_to_video
        fuse_all(ir, vi, target, make_fuser, options, progress=progress)
        return

    def start(tasks: Sequence[Task], on_tile: Callable[[int, int], None]) -> Iterator[Outcome]:
        if engine is Engine.ray:
            from mma_unet.cli.fuse_ray import fuse_with_ray

            return fuse_with_ray(
                make_ours, tasks, overwrite, batch_size=batch_size, workers=workers,
                address=ray_address,
            )  # fmt: skip
        fuser = make_fuser()
        fuser.on_tile = on_tile
        return fuse_files(fuser, tasks, overwrite=overwrite, batch_size=batch_size)

    with progress_bar(shown=progress) as step:
        places = locate(ir), locate(vi)
        pairing = single_files(places[0], recursive=recursive) if slot.single else find(*places)
        work = None if dry_run else start
        _fuse_images(*places, pairing, target, format_, work, step, temperature)


def _placement(align: str | None, fit: Fit | None, crop: Crop) -> Placement:
    """How IR comes onto the pixels of VI."""
    from mma_unet.inference.placement import Placement

    if align is not None and fit is not None:
        raise InputError("give --align or --fit, not both: --align takes sizes that differ")
    return Placement(align or (fit and fit.value), crop.value)


def _range(word: IrRange, measured: str | None, ir: str) -> str | tuple[float, float]:
    """The rule for the range of IR, or the range itself if it is to be measured."""
    if measured is None:
        return word.value
    from mma_unet.data.range_from import range_from

    return range_from(measured, ir)


def _fuse_images(
    ir: Path,
    vi: Path,
    pairing: Pairing,
    out: Path,
    format_: str | None,
    engine: Callable[..., Iterator[Outcome]] | None,
    step: Step,
    temperature: bool,
) -> None:
    """Fuse two images or the pairs of two folders; without an engine, show them."""
    tasks = _tasks(ir, vi, list(pairing.pairs), out, format_)
    for note in pairing.notes:
        warn(note)
    if engine is None:
        show_pairing(pairing, [task.target for task in tasks])
        return
    if ir.is_dir():
        check_writable(out)
    start = time.monotonic()
    counts = {"fused": 0, "skipped": 0, "failed": 0}
    notes: list[str] = []
    failures = list(pairing.reasons)

    def on_tile(tile: int, tiles: int) -> None:
        done = sum(counts.values()) + min(tile / tiles, 0.999)
        step(f"Fusing, part {tile} of {tiles}", done, len(tasks))

    for outcome in engine(tasks, on_tile):
        counts[outcome.status] += 1
        if outcome.status == "failed":
            failures.append(outcome.reason)
        elif temperature:
            tell_temperatures(outcome.task.pair.ir)
        notes.append(outcome.note)
        step("Fusing", sum(counts.values()), len(tasks))
    if len(tasks) == 1 and ir.is_file() and failures:
        raise InputError(failures[0])
    tell_notes(notes)
    report(counts, failures, len(tasks), time.monotonic() - start, tasks[0].target, out)


def _tasks(ir: Path, vi: Path, pairs: list[Pair], out: Path, format_: str | None) -> list[Task]:
    """Where each result goes: `out` itself for two files, if it names a file."""
    from mma_unet.data.images import WRITE_SUFFIXES
    from mma_unet.inference import Task, plan
    from mma_unet.inference.folder import refuse_source

    suffix = f".{format_.lstrip('.').lower()}" if format_ is not None else None
    if suffix is not None and suffix not in WRITE_SUFFIXES:
        raise InputError(f"--format {format_}: use one of {' '.join(WRITE_SUFFIXES)}")
    if ir.is_file() and out.suffix and not out.is_dir():
        if out.suffix.lower() not in WRITE_SUFFIXES or suffix not in (None, out.suffix.lower()):
            raise InputError(f"{out}: end its name in {suffix or ' or '.join(WRITE_SUFFIXES)}")
        refuse_source(out, pairs[0])
        return [Task(pairs[0], out)]
    if out.is_file():
        raise InputError(f"{out} is a file: give a folder for -o")
    if out.exists() and out.resolve() in {folder.resolve() for folder in (ir, vi)}:
        raise InputError(f"{out} is a folder of source images: choose another for -o")
    return plan(pairs, out, suffix)
