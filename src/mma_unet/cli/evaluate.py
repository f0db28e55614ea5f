"""`mma-unet evaluate`: the scores of one folder of fused images."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mma_unet.cli.common import console, errors

if TYPE_CHECKING:
    from mma_unet.benchmark import Scores


def evaluate(
    ir: Annotated[Path, typer.Option(help="Folder of the infrared images.")],
    vi: Annotated[Path, typer.Option(help="Folder of the visible images.")],
    fused: Annotated[Path, typer.Option(help="Folder of the fused images.")],
    suite: Annotated[
        str, typer.Option(help="Suite or metric; several are joined by commas.")
    ] = "paper",
    csv: Annotated[Path | None, typer.Option(help="Write the scores of each image here.")] = None,
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write means, medians and all scores here.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; chosen by the number of images.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Score fused images against their sources; color counts by its BT.601 luminance."""
    from mma_unet.benchmark import evaluate_folder
    from mma_unet.files import printable, probe_target, write_text

    for target in (csv, json_):
        if target is not None:
            probe_target(target)
    columns = (TextColumn("Scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not progress) as bar:
        task = bar.add_task("", total=None)
        scores = evaluate_folder(
            ir,
            vi,
            fused,
            suite=suite,
            workers=workers,
            progress=lambda _, done, total: bar.update(task, completed=done, total=total),
        )
    if len(scores):
        console.print(_table(scores, printable(fused.name or str(fused))))
    if csv is not None:
        scores.to_csv(csv)
    if json_ is not None:
        write_text(json_, json.dumps(_as_json(scores, suite), indent=2, allow_nan=False) + "\n")
    if scores.problems:
        count = len(scores.problems)
        errors.print(f"[bold red]{count} file{'s' * (count != 1)} could not be scored:[/bold red]")
        for problem in scores.problems:
            errors.print(printable(f"  {problem}"), highlight=False, soft_wrap=True, markup=False)
        raise typer.Exit(1)


def _table(scores: Scores, name: str) -> Table:
    """Mean and median of each metric, an arrow towards better, and what was undefined."""
    from mma_unet.benchmark.wording import arrow, number
    from mma_unet.metrics import METRICS

    better = {spec.label: spec.higher_is_better for spec in METRICS.values()}
    mean, median, undefined = scores.mean(), scores.median(), scores.undefined()
    count = len(scores)
    table = Table(title=Text(f"{name}: {count} image{'s' * (count != 1)}", style="table.title"))
    table.add_column("Metric")
    table.add_column("Mean", justify="right")
    table.add_column("Median", justify="right")
    if any(undefined.values()):
        table.add_column("Undefined for", justify="right")
    for label in scores.labels:
        row = [f"{label} {arrow(better[label])}", number(mean[label]), number(median[label])]
        if any(undefined.values()):
            missing = undefined[label]
            row.append(f"{missing} image{'s' * (missing != 1)}" if missing else "")
        table.add_row(*row)
    return table


def _as_json(scores: Scores, suite: str) -> dict[str, object]:
    """The table for machines; an undefined value is null, an infinite one `"inf"` or `"-inf"`."""

    def plain(row: dict[str, float]) -> dict[str, float | str | None]:
        return {
            key: value if math.isfinite(value) else None if math.isnan(value) else str(value)
            for key, value in row.items()
        }

    rows = (dict(zip(scores.labels, row, strict=True)) for row in scores.values.tolist())
    return {
        "suite": suite,
        "count": len(scores),
        "mean": plain(scores.mean()),
        "median": plain(scores.median()),
        "undefined": scores.undefined(),
        "images": {name: plain(row) for name, row in zip(scores.names, rows, strict=True)},
        "problems": list(scores.problems),
    }
