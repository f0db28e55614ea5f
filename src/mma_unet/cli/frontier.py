"""`mma-unet analyze frontier`: how high metrics can be driven."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import Ir, Limit, Vi, out_option, show
from mma_unet.cli.progress import progress_bar

_CODE = "mma_unet.analysis.frontier"
"""The code that makes an optimum and scores it."""


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
    from mma_unet.analysis.frontier import OBJECTIVES, mean_scores, read_optima, write_optima
    from mma_unet.analysis.frontier import frontier as climb_all
    from mma_unet.benchmark.cache import code_stamp, stamp
    from mma_unet.benchmark.wording import number
    from mma_unet.data import find_pairs
    from mma_unet.files import probe_target
    from mma_unet.metrics.scoring import suite_specs

    labels = [spec.label for spec in suite_specs("paper")]
    probe_target(out)
    rows = read_optima(out, labels)
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
            write_optima(out, labels, rows)
            step("Climbing", done, len(wanted))
    means = mean_scores({place: rows[key] for place, key in wanted.items()})
    body = [[name, *map(number, row)] for name, row in means.items()]
    show(["Objective", *labels], body, f"Mean of {len(pairs)} pairs, {steps} steps")
