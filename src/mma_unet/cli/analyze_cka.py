"""`mma-unet analyze cka`: heatmaps of layer similarity, and a verdict in numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mma_unet.cli.common import (
    Ir,
    ShowProgress,
    Vi,
    check_writable,
    cost,
    need,
    out_option,
    say,
    show,
)
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.analysis.encoders import Encoders

_CODE = "mma_unet.analysis.similarity"
"""The code that makes a matrix."""


def cka(
    ir: Ir,
    vi: Vi,
    out: Annotated[Path, out_option("Folder for plots and numbers.")],
    guided: Annotated[
        list[str] | None,
        typer.Option(help="Run folder (or weights) with a guided IR encoder; may be repeated."),
    ] = None,
    plain: Annotated[
        list[str] | None, typer.Option(help="The same with an unguided one; may be repeated.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=4, help="Image pairs, at even steps.")] = 160,
    batch_size: Annotated[int, typer.Option(min=4, help="Pairs in a minibatch.")] = 32,
    size: Annotated[int, typer.Option(min=16, help="Side of the central squares, pixels.")] = 128,
    progress: ShowProgress = True,
) -> None:
    """Compare all layers of IR-UNet and VI-UNet by CKA (paper Fig. 1 and 4).

    Give several trainings of a kind to get the spread over seeds. A rerun goes on where it was.
    """
    need("matplotlib", extra="report")
    from mma_unet.analysis.cka_report import findings
    from mma_unet.analysis.cka_run import measure, save, verdict_table
    from mma_unet.analysis.similarity import Batches
    from mma_unet.analysis.stacks import stack
    from mma_unet.benchmark.cache import code_stamp, stamp
    from mma_unet.data import find_pairs

    start = time.monotonic()
    sources = _load(guided or [], plain or [])
    found = find_pairs(ir, vi).pairs
    check_writable(out)
    stride = max(len(found) / pairs, 1.0)
    chosen = [found[int(i * stride)] for i in range(min(pairs, len(found)))]
    batches = Batches(chosen, size=size, batch=batch_size)
    files = [file for pair in chosen for file in (pair.ir, pair.vi)]
    mark = f"{stamp(files)}-{size}-{len(batches)}-{code_stamp(_CODE)}"
    with progress_bar(shown=progress) as step:
        samples = measure(sources, batches, out / "cache", mark, step)
    try:
        stack(samples)
    except ValueError as error:
        raise InputError(f"{error}: analyze them in separate folders") from None
    numbers = findings(samples)
    save(out, samples, numbers, [pair.name for pair in chosen], {"size": size})
    show(*verdict_table(numbers), f"{len(sources)} trainings, {len(chosen)} pairs")
    say(f"Plots and numbers: {out}", cost(start))


def _load(guided: Sequence[str], plain: Sequence[str]) -> list[Encoders]:
    """The encoders of each source, checked to be of the kind they are given as."""
    from mma_unet.analysis.encoders import load_encoders

    if not guided and not plain:
        raise InputError("nothing to analyze: give run folders or weights by --guided or --plain")
    if any(Path(source).is_dir() for source in (*guided, *plain)):
        need("lightning", extra="train")
    loaded = [load_encoders(source) for source in (*guided, *plain)]
    for place, item in enumerate(loaded):
        option, other = ("--guided", "--plain")[:: 1 if place < len(guided) else -1]
        if item.config.guided != (option == "--guided"):
            raise InputError(f"{item.name}: its IR encoder asks for {other}, not {option}")
    return loaded
