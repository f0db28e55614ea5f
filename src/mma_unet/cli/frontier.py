"""`mma-unet analyze frontier`: how high metrics can be driven."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import Ir, Limit, Vi, out_option, show
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError

_CODE = {"metrics": "*.py", "analysis": "frontier.py", "data": "images.py"}
"""The code that makes an optimum and scores it."""

_KEY = ["pair", "objective", "steps", "stamp"]
"""What a row of the CSV is the outcome of; its first columns."""

Rows = dict[tuple[str, ...], list[float]]


def frontier(
    ir: Ir,
    vi: Vi,
    out: Annotated[Path, out_option("CSV of the optima; a rerun goes on.")],
    steps: Annotated[int, typer.Option(min=1, help="Steps of each climb.")] = 150,
    limit: Limit = None,
) -> None:
    """Optimize pixels against each metric alone and all jointly.

    The scores that directly optimized pixels reach are a lower bound of what is possible.
    """
    from mma_unet.analysis.frontier import OBJECTIVES, mean_scores
    from mma_unet.analysis.frontier import frontier as climb_all
    from mma_unet.benchmark.cache import code_stamp, stamp
    from mma_unet.benchmark.wording import number
    from mma_unet.data import find_pairs
    from mma_unet.files import probe_target
    from mma_unet.metrics.scoring import suite_specs
    from mma_unet.tables import write_table

    labels = [spec.label for spec in suite_specs("paper")]
    probe_target(out)
    rows = _read(out, [*_KEY, *labels])
    pairs = find_pairs(ir, vi).pairs
    pairs = pairs[:: max(len(pairs) // limit, 1)][:limit] if limit else pairs
    code = code_stamp(_CODE)
    stamps = {pair.name: f"{stamp([pair.ir, pair.vi])}-{code}" for pair in pairs}
    wanted = {
        (pair.name, name): (pair.name, name, str(steps), stamps[pair.name])
        for pair in pairs
        for name in OBJECTIVES
    }
    known = frozenset(place for place, key in wanted.items() if key in rows)
    with progress_bar() as step:
        for done, optimum in enumerate(climb_all(pairs, done=known, steps=steps), len(known) + 1):
            key = wanted[optimum.pair, optimum.objective]
            rows[key] = [optimum.scores[label] for label in labels]
            table = [[*key, *(f"{value:.6f}" for value in row)] for key, row in rows.items()]
            write_table(out, [*_KEY, *labels], table)
            step("Climbing", done, len(wanted))
    means = mean_scores({place: rows[key] for place, key in wanted.items()})
    body = [[name, *map(number, row)] for name, row in means.items()]
    show(["Objective", *labels], body, f"Mean of {len(pairs)} pairs, {steps} steps")


def _read(path: Path, header: list[str]) -> Rows:
    """The rows of an earlier run, of whatever pairs and steps.

    Raises:
        InputError: The file is something else.
    """
    from mma_unet.tables import read_table

    if not path.exists():
        return {}
    found, rows = read_table(path)
    width = len(_KEY)
    try:
        if found != header:
            raise ValueError("its columns are others")
        return {tuple(row[:width]): [float(cell) for cell in row[width:]] for row in rows}
    except ValueError as error:
        raise InputError(
            f"{path} was not written by this command ({error}): choose another file for -o."
        ) from None
