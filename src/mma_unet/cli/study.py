"""`mma-unet study`: results ranked blind by eye, and the rankings counted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mma_unet.cli.common import Resamples, console, out_option, plain, say, warn
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError


def study(
    items: Annotated[
        list[str],
        typer.Argument(
            help="NAME=DIR, the fused images of a method, or average, maximum or pyramid to reckon "
            "it; with --tally the answers, one JSON file per rater.",
            metavar="NAME=DIR...|ANSWERS...",
            show_default=False,
        ),
    ],
    ir: Annotated[Path | None, typer.Option(help="Folder of the infrared images.")] = None,
    vi: Annotated[Path | None, typer.Option(help="Folder of the visible images.")] = None,
    out: Annotated[
        Path | None, out_option("Folder for the study, or for the tables of --tally.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the shuffle and of the bootstrap.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Pairs shown, at even steps; all by default.")
    ] = None,
    kinds: Annotated[
        Path | None,
        typer.Option(help="CSV name,kind; by default MSRS names tell day and night."),
    ] = None,
    tally: Annotated[
        Path | None, typer.Option(help="Folder of a study whose answers are counted.")
    ] = None,
    resamples: Resamples = 2000,
) -> None:
    """Make a page that shows unnamed results beside their sources to be ranked, or count ranks."""
    from mma_unet.benchmark.methods import parse_named
    from mma_unet.benchmark.study import build_study
    from mma_unet.benchmark.triples import BASELINES

    if tally is not None:
        if ir is not None or vi is not None or limit is not None:
            raise InputError("--tally counts answers: it goes without --ir, --vi and --limit.")
        _count(tally, items, out or tally, kinds, resamples, seed)
        return
    if ir is None or vi is None or out is None:
        raise InputError("a study needs --ir DIR, --vi DIR and -o DIR; or --tally DIR to count.")
    named = parse_named([item for item in items if item not in BASELINES], "study")
    baselines = [item for item in items if item in BASELINES]
    with progress_bar() as step:
        made = build_study(
            ir, vi, named, out, baselines=baselines, seed=seed, limit=limit, kinds=kinds,
            progress=step,
        )  # fmt: skip
    for line in made.notices:
        warn(line)
    say(f"{made.pairs} pairs -> {made.page}; what the letters mean is in key.json, for later.")


def _count(
    folder: Path, answers: list[str], out: Path, kinds: Path | None, resamples: int, seed: int
) -> None:
    from mma_unet.benchmark.study import tally

    counted = tally(folder, answers, kinds=kinds, resamples=resamples, seed=seed)
    counted.write(out)
    head, body = counted.cells()
    title = f"{counted.pairs} of {counted.of} pairs, ranked by {', '.join(counted.raters)}"
    table = Table(title=plain(title, "table.title"), box=SIMPLE_HEAD)
    for name, *cells in zip(head, *body, strict=True):
        words = name in ("scene", "method")
        longest = max(len(part) for cell in cells for part in cell.split())
        table.add_column(
            name, justify="left" if words else "right", no_wrap=words, min_width=longest
        )
    for row, after in zip(body, [*body[1:], None], strict=True):
        table.add_row(*map(plain, row), end_section=after is None or after[0] != row[0])
    console.print(table)
    say(f"Tables: {out / 'tally.md'}, {out / 'tally.csv'}")
