"""`mma-unet analyze`: the limits that the metrics set."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from mma_unet.cli.common import console, errors

app = typer.Typer(name="analyze", help="Look into metrics and networks.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `frontier` a sub-command while it is the only one."""


@app.command("frontier")
def frontier(
    ir: Annotated[Path, typer.Argument(help="Infrared image, or a folder of them.")],
    vi: Annotated[Path, typer.Argument(help="Visible image, or a folder of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV of the optima; a rerun goes on.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of each climb.")] = 150,
    limit: Annotated[int | None, typer.Option(min=1, help="Use so many pairs only.")] = None,
) -> None:
    """Optimise pixels against each metric alone and all jointly: what any method could reach."""
    from mma_unet.analysis.frontier import OBJECTIVES
    from mma_unet.analysis.frontier import frontier as climb_all
    from mma_unet.data import find_pairs

    pairs = find_pairs(ir, vi).pairs
    pairs = pairs[:: max(len(pairs) // limit, 1)][:limit] if limit else pairs
    rows = _read(out)
    done = frozenset((row["pair"], row["objective"]) for row in rows)
    with Progress(console=errors) as bar:
        task = bar.add_task("Climbing", total=len(pairs) * len(OBJECTIVES), completed=len(done))
        for optimum in climb_all(pairs, done=done, steps=steps):
            scores = {key: f"{value:.6f}" for key, value in optimum.scores.items()}
            rows.append({"pair": optimum.pair, "objective": optimum.objective, **scores})
            _write(out, rows)
            bar.advance(task)
    labels = [key for key in rows[0] if key not in ("pair", "objective")]
    table = Table("Objective", *labels, title=f"Mean of {len(pairs)} pairs")
    for name in OBJECTIVES:
        chosen = [row for row in rows if row["objective"] == name]
        means = [sum(float(row[label]) for row in chosen) / len(chosen) for label in labels]
        table.add_row(name, *(f"{mean:.3f}" for mean in means))
    console.print(table)


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)
