"""`mma-unet compare`: many methods side by side, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import (
    Ir,
    Models,
    Resamples,
    ShowProgress,
    Suite,
    Vi,
    Workers,
    need,
    out_option,
    say,
    warn,
)
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError


def compare(
    ir: Ir,
    vi: Vi,
    out: Annotated[Path, out_option("Folder for the report.")],
    results: Annotated[
        list[str] | None,
        typer.Option(help="NAME=DIR, the fused images of a method; may be given again."),
    ] = None,
    model: Models = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="NAME[=WEIGHTS], see `mma-unet rivals`; may be given again."),
    ] = None,
    suite: Suite = "paper",
    stretch: Annotated[
        bool, typer.Option("--stretch", help="Also score outputs stretched to the full range.")
    ] = False,
    workers: Workers = None,
    limit_images: Annotated[int, typer.Option(min=0, help="Images shown in the page.")] = 6,
    show: Annotated[
        list[str] | None,
        typer.Option(help="Image to show, by its name without extension; may be given again."),
    ] = None,
    resamples: Resamples = 2000,
    title: Annotated[str, typer.Option(help="Heading of the report.")] = (
        "Comparison of image fusion methods"
    ),
    progress: ShowProgress = True,
) -> None:
    """Compare methods with each other and with average, maximum and pyramid, on the same pairs."""
    need("matplotlib", extra="report")
    need("jinja2", extra="report")
    from mma_unet.benchmark import compare as run
    from mma_unet.benchmark import write_report
    from mma_unet.benchmark.methods import parse_methods, parse_named
    from mma_unet.benchmark.wording import findings, notices

    folders = {name: Path(v) for name, v in parse_named(results or [], "--results").items()}
    models = parse_named(model or [], "--model")
    rivals = parse_methods(method or [])
    if not folders and not models and not rivals:
        raise InputError(
            "there is nothing to compare: give --results NAME=DIR, --model NAME or --method NAME."
        )
    with progress_bar(shown=progress) as step:
        comparison = run(
            ir, vi, folders, out, models=models, rivals=rivals, suite=suite, stretch=stretch,
            workers=workers, resamples=resamples, show=show or (), progress=step,
        )  # fmt: skip
        page = write_report(comparison, out, title=title, limit_images=limit_images, progress=step)
    for line in findings(comparison, comparison.summary()):
        say(line)
    for line in notices(comparison):
        warn(line)
    say(f"Report: {page}")
    if comparison.problems:
        raise typer.Exit(1)
