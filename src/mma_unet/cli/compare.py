"""`mma-unet compare`: many methods side by side, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from mma_unet.cli.common import console, errors, need
from mma_unet.errors import InputError


def compare(
    ir: Annotated[Path, typer.Option(help="Folder of the infrared images.")],
    vi: Annotated[Path, typer.Option(help="Folder of the visible images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report.")],
    results: Annotated[
        list[str] | None,
        typer.Option(help="NAME=DIR, the fused images of a method; may be given again."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="[NAME=]WEIGHTS of ours to run; may be given again."),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="Suite or metric; several are joined by commas.")
    ] = "paper",
    stretch: Annotated[
        bool, typer.Option("--stretch", help="Also score outputs stretched to the full range.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; chosen by the number of images.")
    ] = None,
    limit_images: Annotated[int, typer.Option(min=0, help="Images shown in the page.")] = 6,
    show: Annotated[
        list[str] | None,
        typer.Option(help="Image to show, by its name without extension; may be given again."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")] = 2000,
    title: Annotated[str, typer.Option(help="Heading of the report.")] = (
        "Comparison of image fusion methods"
    ),
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Compare methods with each other and with average, maximum and pyramid, on the same pairs."""
    need("matplotlib", extra="report")
    need("jinja2", extra="report")
    from mma_unet.benchmark import compare as run
    from mma_unet.benchmark import write_report
    from mma_unet.benchmark.methods import parse_named
    from mma_unet.benchmark.wording import findings, notices
    from mma_unet.files import printable

    folders = {name: Path(v) for name, v in parse_named(results or [], "--results").items()}
    models = parse_named(model or [], "--model")
    if not folders and not models:
        raise InputError("there is nothing to compare: give --results NAME=DIR or --model NAME.")
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=not progress) as bar:
        tasks: dict[str, TaskID] = {}

        def step(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        comparison = run(
            ir,
            vi,
            folders,
            out,
            models=models,
            suite=suite,
            stretch=stretch,
            workers=workers,
            resamples=resamples,
            show=show or (),
            progress=step,
        )
        page = write_report(comparison, out, title=title, limit_images=limit_images, progress=step)
    for line in findings(comparison, comparison.summary()):
        console.print(printable(line), highlight=False, soft_wrap=True, markup=False)
    for line in notices(comparison):
        errors.print(printable(line), style="yellow", highlight=False, soft_wrap=True, markup=False)
    console.print(printable(f"Report: {page}"), highlight=False, soft_wrap=True, markup=False)
    if comparison.problems:
        raise typer.Exit(1)
