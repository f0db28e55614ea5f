"""`mma-unet bench`: how fast, how much memory, at what loss."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mma_unet.cli.common import check_writable, console, errors, need
from mma_unet.errors import InputError

Step = Callable[[str, int, int], None]


def bench(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for CSV, tables, plot.")] = Path(
        "bench"
    ),
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Preset, weights or file; default: tiny small paper."),
    ] = None,
    runtime: Annotated[
        list[str] | None, typer.Option(help="torch, onnxruntime, openvino; default: all.")
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="fp32, bf16, int8; default: all.")
    ] = None,
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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Measure again.")] = False,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Measure latency, throughput and memory; a run that was interrupted goes on.

    Run it on an otherwise idle machine. With --scaling or --quality that is measured instead.
    """
    from mma_unet.machine import cores

    check_writable(out)
    count = cores() if threads is None else threads
    with _bar(progress) as step:
        if scaling:
            chosen = (runtime or ["auto"])[0], (precision or ["auto"])[0]
            text = _scaling((model or ["tiny"])[0], out, chosen, count, megapixels, overwrite, step)
        elif quality:
            text = _quality(model or ["small"], out, runtime, precision, ir, vi, step)
        else:
            text = _speed(
                model or ["tiny", "small", "paper"], out, runtime, precision,
                [_size(one) for one in size or []], count, seconds, allocator, overwrite, step,
            )  # fmt: skip
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    console.print(f"Written to {out}", highlight=False, markup=False, soft_wrap=True)


def _speed(
    models: list[str],
    out: Path,
    runtimes: list[str] | None,
    precisions: list[str] | None,
    sizes: list[tuple[int, int]],
    threads: int,
    seconds: float,
    allocator: bool,
    overwrite: bool,
    step: Step,
) -> str:
    from mma_unet.files import write_text
    from mma_unet.machine import load_average
    from mma_unet.speed import latency as speed
    from mma_unet.speed.report import speed_markdown

    load = load_average()
    wanted, skipped = speed.cases(
        models,
        **({"runtimes": runtimes} if runtimes else {}),
        **({"precisions": precisions} if precisions else {}),
    )
    rows, failed = speed.bench(
        wanted,
        out / "speed.csv",
        sizes=sizes or speed.DEFAULT_SIZES,
        threads=threads,
        seconds=seconds,
        allocator=allocator,
        overwrite=overwrite,
        progress=step,
    )
    text = speed_markdown(rows, [*failed, *skipped], load)
    write_text(out / "speed.md", text)
    return text


def _scaling(
    model: str,
    out: Path,
    chosen: tuple[str, str],
    threads: int,
    megapixels: list[float] | None,
    overwrite: bool,
    step: Step,
) -> str:
    need("matplotlib", extra="report")
    from mma_unet.files import write_text
    from mma_unet.speed import scaling

    points = scaling.scaling(
        model,
        out / "scaling.csv",
        runtime=chosen[0],
        precision=chosen[1],
        threads=threads,
        megapixels=megapixels or scaling.MEGAPIXELS,
        overwrite=overwrite,
        progress=step,
    )
    scaling.plot(points, out / "scaling.svg")
    text = scaling.scaling_markdown(points)
    write_text(out / "scaling.md", text)
    return text


def _quality(
    models: list[str],
    out: Path,
    runtimes: list[str] | None,
    precisions: list[str] | None,
    ir: Path | None,
    vi: Path | None,
    step: Step,
) -> str:
    from mma_unet.data import find_pairs
    from mma_unet.files import write_text
    from mma_unet.speed.latency import cases
    from mma_unet.speed.precision import quality_losses, quality_markdown

    if ir is None or vi is None:
        raise InputError("--quality needs --ir and --vi, folders of registered images")
    weights = models[0]
    wanted, _ = cases(
        [weights], runtimes or ["torch", "onnxruntime", "openvino"], precisions or ["fp32", "bf16"]
    )
    others = [(c.preset, c.runtime, c.precision) for c in wanted if c.device == "cpu"]
    others = [case for case in others if case[1:] != ("torch", "fp32")]
    others += [(file, "auto", "auto") for file in models[1:]]
    if not others:
        raise InputError("there is nothing to compare: give another --runtime or --precision")
    reports = quality_losses(weights, list(find_pairs(ir, vi).pairs), others, progress=step)
    text = quality_markdown(weights, reports)
    write_text(out / "quality.md", text)
    return text


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text)
    if found is None:
        raise InputError(f"--size {text}: give WIDTHxHEIGHT, for example 640x480")
    return int(found[2]), int(found[1])


@contextmanager
def _bar(shown: bool) -> Iterator[Step]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=not shown, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )
