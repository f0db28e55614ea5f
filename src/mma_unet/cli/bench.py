"""`mma-unet bench`: how fast, how much memory, at what loss."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import (
    Overwrite,
    Precision,
    Runtime,
    ShowProgress,
    check_writable,
    need,
    out_option,
    say,
)
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError


def bench(
    out: Annotated[Path, out_option("Folder for CSV, tables, plot.")] = Path("bench"),
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Preset, weights or file; default: tiny small paper."),
    ] = None,
    runtime: Annotated[list[Runtime] | None, typer.Option(help="By default all.")] = None,
    precision: Annotated[list[Precision] | None, typer.Option(help="By default all.")] = None,
    size: Annotated[
        list[str] | None, typer.Option(help="WIDTHxHEIGHT; default: 640x480 and 1024x768.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; default: all cores.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Time for each figure.")] = 1.5,
    allocator: Annotated[
        bool, typer.Option(help="Keep large blocks of memory, as `mma-unet` does by default.")
    ] = True,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Time and memory from 0.1 to 100 megapixels.")
    ] = False,
    megapixels: Annotated[
        list[float] | None, typer.Option(min=0.001, help="Sizes for --scaling.")
    ] = None,
    quality: Annotated[
        bool,
        typer.Option("--quality", help="Loss of each runtime and precision on --ir and --vi."),
    ] = False,
    ir: Annotated[Path | None, typer.Option(help="Infrared images for --quality.")] = None,
    vi: Annotated[Path | None, typer.Option(help="Visible images for --quality.")] = None,
    overwrite: Overwrite = False,
    progress: ShowProgress = True,
) -> None:
    """Measure latency, throughput and memory; a run that was interrupted goes on.

    Run it on an otherwise idle machine. With --scaling or --quality that is measured instead.
    """
    from mma_unet.data import find_pairs
    from mma_unet.files import write_text
    from mma_unet.machine import cores, load_average
    from mma_unet.speed import latency, report
    from mma_unet.speed import precision as loss
    from mma_unet.speed import scaling as growth

    check_writable(out)
    threads = threads or cores()
    runtimes = [one.value for one in runtime or []]
    precisions = [one.value for one in precision or []]
    with progress_bar(shown=progress) as step:
        if scaling:
            need("matplotlib", extra="report")
            name, points = "scaling", growth.scaling(
                (model or ["tiny"])[0], out / "scaling.csv", runtime=(runtimes or ["auto"])[0],
                precision=(precisions or ["auto"])[0], threads=threads,
                megapixels=megapixels or growth.MEGAPIXELS, overwrite=overwrite, progress=step,
            )  # fmt: skip
            growth.plot(points, out / "scaling.svg")
            text = growth.scaling_markdown(points)
        elif quality:
            if ir is None or vi is None:
                raise InputError("--quality needs --ir and --vi, folders of registered images")
            weights, *files = model or ["small"]
            cases = loss.quality_cases(weights, files, runtimes, precisions)
            pairs = list(find_pairs(ir, vi).pairs)
            name, text = (
                "quality",
                loss.quality_markdown(
                    weights, loss.quality_losses(weights, pairs, cases, progress=step)
                ),
            )
        else:
            load = load_average()
            wanted, skipped = latency.cases(
                model or ["tiny", "small", "paper"],
                **({"runtimes": runtimes} if runtimes else {}),
                **({"precisions": precisions} if precisions else {}),
            )
            rows, failed = latency.bench(
                wanted, out / "speed.csv",
                sizes=[_size(one) for one in size or []] or latency.DEFAULT_SIZES, threads=threads,
                seconds=seconds, allocator=allocator, overwrite=overwrite, progress=step,
            )  # fmt: skip
            name, text = "speed", report.speed_markdown(rows, [*failed, *skipped], load)
    write_text(out / f"{name}.md", text)
    say(text)
    say(f"Written to {out}")


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if found is None:
        raise InputError(f"--size {text}: give WIDTHxHEIGHT, for example 640x480")
    return int(found[2]), int(found[1])
