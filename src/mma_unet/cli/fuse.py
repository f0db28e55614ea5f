"""`mma-unet fuse`: two files, folders or videos in, fused images or a fused video out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from mma_unet.cli.common import check_writable, console, errors, place
from mma_unet.cli.fuse_video import VideoOptions, fuse_to_video, wants_video
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data import Pair
    from mma_unet.inference import Outcome, Task


def fuse(
    ir: Annotated[str, typer.Argument(help="Infrared image, folder of them, video or camera.")],
    vi: Annotated[str, typer.Argument(help="Visible image, folder of them, video or camera.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            parser=place,
            metavar="OUT",
            help="Fused image or video, or a folder for images.",
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Shipped weights by name, or a file.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runtime: Annotated[str, typer.Option(help="auto, torch, onnxruntime or openvino.")] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto (bf16 where the CPU has it), fp32, bf16 or int8.")
    ] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    gray: Annotated[bool, typer.Option("--gray", help="Write the fused luminance only.")] = False,
    color: Annotated[str, typer.Option(help="luminance, or rgb for a 3-channel model.")] = (
        "luminance"
    ),
    ir_range: Annotated[
        str, typer.Option(help="full, or auto to stretch raw 14/16-bit thermal counts.")
    ] = "full",
    format_: Annotated[
        str | None, typer.Option("--format", help="png, jpg, tif, ...; default: that of VI.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(help="Most memory to use, e.g. 2GB; larger images are fused in tiles."),
    ] = None,
    statistics: Annotated[
        str, typer.Option(help="For tiles: exact, or reduced for half the time, nearly the same.")
    ] = "exact",
    batch_size: Annotated[int, typer.Option(min=1, help="Pairs fused together.")] = 1,
    fps: Annotated[float, typer.Option(min=0.01, help="Rate of a video made of images.")] = 25.0,
    audio: Annotated[bool, typer.Option(help="Copy the sound of the visible video.")] = True,
    steady: Annotated[bool, typer.Option(help="Take flicker out of a video.")] = True,
    seconds: Annotated[
        float | None, typer.Option(min=0.01, help="Stop a video after so long; for cameras.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Fuse again what is done.")] = (
        False
    ),
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
    engine: Annotated[str, typer.Option(help="local, or ray for many processes or machines.")] = (
        "local"
    ),
    workers: Annotated[
        int | None, typer.Option(min=1, help="Ray: actors; default: one per GPU, else per CPU.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray: auto or ADDRESS joins a cluster; default: start one.")
    ] = None,
) -> None:
    """Fuse registered infrared and visible images or videos; size and bit depth of VI are kept.

    Folders and files may be fsspec URLs, e.g. s3://bucket/ir.
    What is done already is skipped, with whatever options it was done: --overwrite redoes it.
    """
    from mma_unet.inference import Fuser
    from mma_unet.models import DEFAULT_MODEL

    if engine not in ("local", "ray"):
        raise InputError(f"--engine {engine}: use local or ray")
    chosen = DEFAULT_MODEL if model is None else model
    make_fuser = partial(
        Fuser,
        chosen,
        device=device,
        runtime=runtime,
        precision=precision,
        threads=threads,
        gray=gray,
        color=color,
        ir_range=ir_range,
        max_memory=max_memory,
        statistics=statistics,
    )
    if wants_video(ir, vi, out):
        if engine == "ray":
            raise InputError("--engine ray is for images: leave it out for a video")
        options = VideoOptions(Fraction(str(fps)), audio, steady, seconds, batch_size, overwrite)
        fuse_to_video(ir, vi, out, make_fuser, options, progress=progress)
        return

    def start_ray(tasks: Sequence[Task], _: Callable[[int, int], None]) -> Iterator[Outcome]:
        from mma_unet.cli.fuse_ray import fuse_with_ray

        return fuse_with_ray(
            make_fuser,
            tasks,
            overwrite,
            batch_size=batch_size,
            workers=workers,
            address=ray_address,
        )

    def start_here(tasks: Sequence[Task], on_tile: Callable[[int, int], None]) -> Iterator[Outcome]:
        from mma_unet.inference import fuse_files

        fuser = make_fuser()
        fuser.on_tile = on_tile
        return fuse_files(fuser, tasks, overwrite=overwrite, batch_size=batch_size)

    _fuse_images(ir, vi, out, format_, start_ray if engine == "ray" else start_here, progress)


def _fuse_images(
    ir_text: str,
    vi_text: str,
    out: Path,
    format_: str | None,
    engine: Callable[..., Iterator[Outcome]],
    progress: bool,
) -> None:
    from mma_unet.data import find_pairs
    from mma_unet.data.storage import locate

    ir, vi = locate(ir_text), locate(vi_text)
    pairing = find_pairs(ir, vi)
    tasks = _tasks(ir, vi, list(pairing.pairs), out, format_)
    if ir.is_dir():
        check_writable(out)
    start = time.monotonic()
    counts = {"fused": 0, "skipped": 0, "failed": 0}
    lonely = (*pairing.unpaired_ir, *pairing.unpaired_vi)
    failures = [f"{path} has no partner: name both files of a pair alike." for path in lonely]
    text = TextColumn("{task.description}")
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not progress) as bar:
        bar_task = bar.add_task("Fusing", total=len(tasks), visible=len(tasks) > 1)
        tiles = bar.add_task("Tiles", visible=False)
        for outcome in engine(tasks, partial(_show_tiles, bar, tiles)):
            counts[outcome.status] += 1
            if outcome.status == "failed":
                failures.append(outcome.reason)
            bar.advance(bar_task)
    if len(tasks) == 1 and ir.is_file() and failures:
        raise InputError(failures[0])
    _report(counts, failures, len(tasks), time.monotonic() - start, tasks[0].target, out)


def _show_tiles(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total, visible=done < total)


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


def _report(
    counts: dict[str, int], failures: list[str], total: int, seconds: float, first: Path, out: Path
) -> None:
    """The summary line, and at the end what could not be fused; exit code 1 if there is any."""
    where = first if total == 1 else out
    line = f"Fused {counts['fused']} of {total} pair{'s' * (total != 1)}"
    if counts["fused"]:
        line += f" in {seconds:.1f} s ({counts['fused'] / seconds:.1f} per second)"
    if counts["skipped"]:
        line += f", {counts['skipped']} done before (--overwrite fuses them again)"
    console.print(f"{line} -> {where}", highlight=False, soft_wrap=True, markup=False)
    if failures:
        errors.print(f"[bold red]{len(failures)} could not be fused:[/bold red]")
        for failure in failures:
            errors.print(f"  {failure}", highlight=False, soft_wrap=True, markup=False)
        raise typer.Exit(1)
