"""`mma-unet analyze cka`: heatmaps of layer similarity, and a verdict in numbers."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mma_unet.cli.common import check_writable, console, cost, errors, need
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.analysis.cka_report import Finding
    from mma_unet.analysis.encoders import Encoders
    from mma_unet.analysis.stacks import Sample
    from mma_unet.data import Pair

_CODE = "mma_unet.analysis.similarity"
"""The code that makes a matrix."""


def cka(
    ir: Annotated[Path, typer.Option(help="Folder of infrared images.")],
    vi: Annotated[Path, typer.Option(help="Folder of visible images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for plots and numbers.")],
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
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Compare all layers of IR-UNet and VI-UNet by CKA (paper Fig. 1 and 4).

    Give several trainings of a kind to get the spread over seeds. A rerun goes on where it was.
    """
    need("matplotlib", extra="report")
    from mma_unet.analysis.cka_report import findings
    from mma_unet.analysis.stacks import stack
    from mma_unet.data import find_pairs

    start = time.monotonic()
    sources = _load(guided or [], plain or [])
    found = find_pairs(ir, vi).pairs
    check_writable(out)
    step = max(len(found) / pairs, 1.0)
    chosen = [found[int(i * step)] for i in range(min(pairs, len(found)))]
    samples = _measure(sources, chosen, out / "cache", size, batch_size, progress)
    try:
        stack(samples)
    except ValueError as error:
        raise InputError(f"{error}: analyze them in separate folders") from None
    numbers = findings(samples)
    _write(out, samples, numbers, [pair.name for pair in chosen], {"size": size})
    console.print(_table(numbers, f"{len(sources)} trainings, {len(chosen)} pairs"))
    console.print(f"Plots and numbers: {out}\n{cost(start)}", highlight=False, soft_wrap=True)


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


def _measure(
    sources: Sequence[Encoders],
    pairs: Sequence[Pair],
    cache: Path,
    size: int,
    batch_size: int,
    progress: bool,
) -> list[Sample]:
    """The matrices of every source, from the cache as far as they are there."""
    from mma_unet.analysis.encoders import digest
    from mma_unet.analysis.layers import operations
    from mma_unet.analysis.similarity import Batches, accumulate, matrices
    from mma_unet.analysis.stacks import Sample
    from mma_unet.benchmark.cache import code_stamp, stamp

    batches = Batches(pairs, size=size, batch=batch_size)
    files = [file for pair in pairs for file in (pair.ir, pair.vi)]
    mark = f"{stamp(files)}-{size}-{len(batches)}-{code_stamp(_CODE)}"
    samples: list[Sample] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=errors, disable=not progress) as bar:
        task = bar.add_task("", total=len(batches) * len(sources))
        for number, source in enumerate(sources):
            bar.update(task, description=Path(source.name).name)
            file = cache / f"{digest(source.vi, source.ir)}-{mark}.npz"
            for done in accumulate(source, batches, file):
                bar.update(task, completed=number * len(batches) + done)
            samples.append(
                Sample(
                    source.name,
                    source.config.guided,
                    digest(source.vi),
                    operations(len(source.vi.levels), guided=False),
                    operations(len(source.ir.levels), guided=source.config.guided),
                    matrices(source, file),
                )
            )
    return samples


def _write(
    out: Path,
    samples: Sequence[Sample],
    numbers: Sequence[Finding],
    pairs: Sequence[str],
    settings: dict[str, int],
) -> None:
    """Plots, `matrices.npz` and `verdict.json`."""
    import numpy as np

    from mma_unet.analysis.plots import figures, save_figure
    from mma_unet.analysis.stacks import INDEXINGS, stack
    from mma_unet.files import replacing, write_text

    stacks = stack(samples)
    for indexing in INDEXINGS:
        for name, figure in figures(stacks, indexing).items():
            save_figure(figure, out / name)
    arrays: dict[str, np.ndarray] = {}
    for key, item in stacks.items():
        arrays[f"{key}_rows"] = np.array([f"{level}.{name}" for level, name in item.rows])
        arrays[f"{key}_columns"] = np.array([f"{level}.{name}" for level, name in item.columns])
        arrays[f"{key}_each"] = item.values
        for indexing in INDEXINGS:
            arrays[f"{key}_{indexing}_mean"] = item.mean(indexing)
            arrays[f"{key}_{indexing}_spread"] = item.spread(indexing)
    with replacing(out / "matrices.npz") as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    values = {
        "trainings": [{"source": s.name, "guided": s.guided, "vi": s.vi_digest} for s in samples],
        "pairs": list(pairs),
        **settings,
        "findings": [number.to_dict() for number in numbers],
    }
    write_text(out / "verdict.json", json.dumps(values, indent=1) + "\n")


def _table(numbers: Sequence[Finding], title: str) -> Table:
    """The verdict: mean and spread over trainings beside the paper's number."""
    table = Table("", "Mean", "Spread", "n", "Paper", "Agrees", title=title)
    for number in numbers:
        digits = 1 if abs(number.mean) >= 2 or "layer" in number.text.split("CKA")[0] else 3
        table.add_row(
            number.text,
            f"{number.mean:.{digits}f}",
            "" if math.isnan(number.spread) else f"{number.spread:.{digits}f}",
            "" if number.key.startswith(("guidance", "images")) else str(len(number.values)),
            "" if number.paper is None else f"{number.paper:g}",
            number.agrees,
        )
    return table
