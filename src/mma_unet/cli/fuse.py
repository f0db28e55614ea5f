"""`mma-unet fuse`: two files or two folders in, fused images out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mma_unet.cli.common import check_writable, console, errors, place
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data import Pair
    from mma_unet.inference import Outcome, Task


def fuse(
    ir: Annotated[
        Path,
        typer.Argument(parser=place, metavar="IR", help="Infrared image, or a folder of them."),
    ],
    vi: Annotated[
        Path, typer.Argument(parser=place, metavar="VI", help="Visible image, or a folder of them.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", parser=place, metavar="OUT", help="Fused image, or a folder for them."
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Shipped weights by name, or a file.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    gray: Annotated[bool, typer.Option("--gray", help="Write the fused luminance only.")] = False,
    colour: Annotated[str, typer.Option(help="luminance, or rgb for a 3-channel model.")] = (
        "luminance"
    ),
    ir_range: Annotated[
        str, typer.Option(help="full, or auto to stretch raw 14/16-bit thermal counts.")
    ] = "full",
    format_: Annotated[
        str | None, typer.Option("--format", help="png, jpg, tif, ...; default: that of VI.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pairs fused together.")] = 1,
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
    """Fuse registered infrared and visible images; size, name and bit depth of VI are kept.

    Folders and files may be fsspec URLs, e.g. s3://bucket/ir.
    What is done already is skipped, with whatever options it was done: --overwrite redoes it.
    """
    from mma_unet.cli.fuse_ray import fuse_with_ray
    from mma_unet.data import find_pairs
    from mma_unet.inference import Fuser, fuse_files
    from mma_unet.models import DEFAULT_MODEL

    if engine not in ("local", "ray"):
        raise InputError(f"--engine {engine}: use local or ray")

    pairing = find_pairs(ir, vi)
    tasks = _tasks(ir, vi, list(pairing.pairs), out, format_)
    chosen = DEFAULT_MODEL if model is None else model
    make_fuser = partial(Fuser, chosen, device=device, gray=gray, colour=colour, ir_range=ir_range)
    outcomes: Iterator[Outcome]
    if engine == "ray":
        outcomes = fuse_with_ray(
            make_fuser,
            tasks,
            overwrite,
            batch_size=batch_size,
            workers=workers,
            address=ray_address,
        )
    else:
        outcomes = fuse_files(make_fuser(), tasks, overwrite=overwrite, batch_size=batch_size)
    if ir.is_dir():
        check_writable(out)
    start = time.monotonic()
    counts = {"fused": 0, "skipped": 0, "failed": 0}
    lonely = (*pairing.unpaired_ir, *pairing.unpaired_vi)
    failures = [f"{path} has no partner: name both files of a pair alike." for path in lonely]
    columns = (TextColumn("Fusing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not progress or len(tasks) == 1) as bar:
        bar_task = bar.add_task("", total=len(tasks))
        for outcome in outcomes:
            counts[outcome.status] += 1
            if outcome.status == "failed":
                failures.append(outcome.reason)
            bar.advance(bar_task)
    if len(tasks) == 1 and ir.is_file() and failures:
        raise InputError(failures[0])
    _report(counts, failures, len(tasks), time.monotonic() - start, tasks[0].target, out)


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
