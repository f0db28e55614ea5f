"""`mma-unet fuse`: two files or two folders in, fused images out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mma_unet.cli.common import console, errors
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data import Pair
    from mma_unet.inference import Task


def fuse(
    ir: Annotated[Path, typer.Argument(help="Infrared image, or a folder of them.")],
    vi: Annotated[Path, typer.Argument(help="Visible image, or a folder of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Fused image, or a folder for them.")],
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
) -> None:
    """Fuse registered infrared and visible images; sizes, names and bit depth are kept."""
    from mma_unet.data import find_pairs
    from mma_unet.inference import Fuser, fuse_files
    from mma_unet.models import DEFAULT_MODEL

    pairing = find_pairs(ir, vi)
    tasks = _tasks(ir, list(pairing.pairs), out, format_)
    fuser = Fuser(
        model or DEFAULT_MODEL, device=device, gray=gray, colour=colour, ir_range=ir_range
    )
    start = time.monotonic()
    counts = {"fused": 0, "skipped": 0, "failed": 0}
    failures = [f"{path}: no partner of its name" for path in pairing.unpaired_ir]
    failures += [f"{path}: no partner of its name" for path in pairing.unpaired_vi]
    columns = (TextColumn("Fusing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not progress or len(tasks) == 1) as bar:
        bar_task = bar.add_task("", total=len(tasks))
        for outcome in fuse_files(fuser, tasks, overwrite=overwrite, batch_size=batch_size):
            counts[outcome.status] += 1
            if outcome.status == "failed":
                failures.append(outcome.reason)
            bar.advance(bar_task)
    if len(tasks) == 1 and ir.is_file() and failures:
        raise InputError(failures[0])
    _report(counts, failures, len(tasks), time.monotonic() - start, tasks[0].target, out)


def _tasks(ir: Path, pairs: list[Pair], out: Path, format_: str | None) -> list[Task]:
    """Where each result goes: `out` itself for two files, if it names a file."""
    from mma_unet.data.images import IMAGE_SUFFIXES
    from mma_unet.inference import Task, plan
    from mma_unet.inference.folder import refuse_source

    suffix = f".{format_.lstrip('.').lower()}" if format_ else None
    if suffix is not None and suffix not in IMAGE_SUFFIXES:
        raise InputError(f"--format {format_}: use one of {' '.join(IMAGE_SUFFIXES)}")
    if ir.is_file() and out.suffix.lower() in IMAGE_SUFFIXES and not out.is_dir():
        refuse_source(out, pairs[0])
        return [Task(pairs[0], out)]
    if out.is_file():
        raise InputError(f"{out} is a file: give a folder for -o")
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
    console.print(f"{line} -> {where}", highlight=False, soft_wrap=True)
    if failures:
        errors.print(f"[bold red]{len(failures)} could not be fused:[/bold red]")
        for failure in failures:
            errors.print(f"  {failure}", highlight=False, soft_wrap=True, markup=False)
        raise typer.Exit(1)
