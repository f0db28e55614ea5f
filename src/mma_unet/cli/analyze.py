"""`mma-unet analyze`: how high metrics can be driven."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.progress import Progress
from rich.table import Table

from mma_unet.cli import analyze_cka, analyze_features
from mma_unet.cli.common import console, errors
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data import Pair

app = typer.Typer(name="analyze", help="Look into metrics and networks.", no_args_is_help=True)
app.command()(analyze_cka.cka)
app.command()(analyze_features.features)

_CODE = "mma_unet.analysis.frontier"
"""The code that makes an optimum and scores it."""


class _Key(NamedTuple):
    """What a row of the CSV is the outcome of; its first columns."""

    pair: str
    objective: str
    steps: str
    stamp: str


@app.command("frontier")
def frontier(
    ir: Annotated[Path, typer.Argument(help="Infrared image, or a folder of them.")],
    vi: Annotated[Path, typer.Argument(help="Visible image, or a folder of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV of the optima; a rerun goes on.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of each climb.")] = 150,
    limit: Annotated[int | None, typer.Option(min=1, help="Use so many pairs only.")] = None,
) -> None:
    """Optimize pixels against each metric alone and all jointly.

    The scores that directly optimized pixels reach are a lower bound of what is possible.
    """
    from mma_unet.analysis.frontier import OBJECTIVES
    from mma_unet.analysis.frontier import frontier as climb_all
    from mma_unet.data import find_pairs
    from mma_unet.files import probe_target
    from mma_unet.metrics.scoring import suite_specs
    from mma_unet.tables import write_table

    labels = [spec.label for spec in suite_specs("paper")]
    probe_target(out)
    rows = _read(out, labels)
    pairs = find_pairs(ir, vi).pairs
    pairs = pairs[:: max(len(pairs) // limit, 1)][:limit] if limit else pairs
    wanted = _keys(pairs, list(OBJECTIVES), steps)
    done = frozenset(place for place, key in wanted.items() if key in rows)
    with Progress(console=errors) as bar:
        task = bar.add_task("Climbing", total=len(wanted), completed=len(done))
        for optimum in climb_all(pairs, done=done, steps=steps):
            key = wanted[optimum.pair, optimum.objective]
            rows[key] = [optimum.scores[label] for label in labels]
            table = [[*key, *(f"{value:.6f}" for value in row)] for key, row in rows.items()]
            write_table(out, [*_Key._fields, *labels], table)
            bar.advance(task)
    chosen = {key: rows[key] for key in wanted.values()}
    console.print(_table(chosen, labels, f"Mean of {len(pairs)} pairs, {steps} steps"))


def _keys(
    pairs: Sequence[Pair], objectives: Sequence[str], steps: int
) -> dict[tuple[str, str], _Key]:
    """The row of each pair and objective of this run."""
    from mma_unet.benchmark.cache import code_stamp, stamp

    code = code_stamp(_CODE)
    stamps = {pair.name: f"{stamp([pair.ir, pair.vi])}-{code}" for pair in pairs}
    return {
        (pair.name, name): _Key(pair.name, name, str(steps), stamps[pair.name])
        for pair in pairs
        for name in objectives
    }


def _read(path: Path, labels: Sequence[str]) -> dict[_Key, list[float]]:
    """The rows of an earlier run, of whatever pairs and steps.

    Raises:
        InputError: The file is something else.
    """
    from mma_unet.tables import read_table

    if not path.exists():
        return {}
    header, rows = read_table(path)
    width = len(_Key._fields)
    try:
        if header != [*_Key._fields, *labels]:
            raise ValueError("its columns are others")
        return {_Key(*row[:width]): [float(cell) for cell in row[width:]] for row in rows}
    except ValueError as error:
        raise InputError(
            f"{path} was not written by this command ({error}): choose another file for -o."
        ) from None


def _table(rows: dict[_Key, list[float]], labels: Sequence[str], title: str) -> Table:
    """Mean scores of each objective."""
    import numpy as np

    from mma_unet.benchmark.scores import column_means
    from mma_unet.benchmark.wording import number

    table = Table("Objective", *labels, title=title)
    for name in dict.fromkeys(key.objective for key in rows):
        means = column_means(np.array([row for key, row in rows.items() if key.objective == name]))
        table.add_row(name, *(number(float(mean)) for mean in means))
    return table
