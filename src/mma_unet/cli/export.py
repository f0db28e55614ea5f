"""`mma-unet export`: the network as ONNX, OpenVINO or TorchScript."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mma_unet.cli.common import console, errors

if TYPE_CHECKING:
    from mma_unet.data import Pair
    from mma_unet.inference.quantize import QualityReport


def export(
    out: Annotated[Path, typer.Option("--out", "-o", help="File ending in .onnx, .xml or .pt.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Shipped weights by name, or a file.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="onnx, openvino or torchscript; default: by the ending."),
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32 or int8.")] = "fp32",
    ir: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of infrared images to calibrate int8 with; may be given again."),
    ] = None,
    vi: Annotated[
        list[Path] | None, typer.Option(help="Folder of their visible images, in the same order.")
    ] = None,
    max_loss: Annotated[
        float, typer.Option(min=0, help="Largest change of any of the five metrics, in percent.")
    ] = 1.0,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Write the network for another runtime; the file is compared with PyTorch first.

    Height, width and batch stay free; height and width must be multiples of 16. Files in ONNX and
    OpenVINO format can be given to `mma-unet fuse --model`.
    """
    from mma_unet.inference.export import export_model
    from mma_unet.models import DEFAULT_MODEL

    pairs = _pairs(ir or [], vi or [])
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not progress, transient=True) as bar:
        task = bar.add_task("Exporting", total=None)

        def step(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        report = export_model(
            DEFAULT_MODEL if model is None else model,
            out,
            format=format_,
            precision=precision,
            pairs=pairs,
            max_loss=max_loss,
            progress=step,
        )
    if report.quality is not None:
        _show(report.quality)
        text = f"int8, {report.quality.float_levels} of the levels in floating point"
    else:
        text = f"at most {report.difference:.1e} from PyTorch over {report.sizes} random sizes"
    console.print(f"{report.path}: {text}", highlight=False, soft_wrap=True, markup=False)


def _pairs(ir: list[Path], vi: list[Path]) -> list[Pair]:
    """Registered pairs of all folders, taken in turn so that each is used alike."""
    from itertools import zip_longest

    from mma_unet.data import find_pairs
    from mma_unet.errors import InputError

    if len(ir) != len(vi):
        raise InputError("--ir and --vi go together: give each as often as the other")
    found = [find_pairs(a, b).pairs for a, b in zip(ir, vi, strict=True)]
    return [pair for group in zip_longest(*found) for pair in group if pair is not None]


def _show(quality: QualityReport) -> None:
    table = Table("", *quality.before, caption=f"Means over {quality.pairs} pairs held out")
    table.add_row("fp32", *(f"{value:.4f}" for value in quality.before.values()))
    table.add_row("int8", *(f"{value:.4f}" for value in quality.after.values()))
    table.add_row("change", *(f"{value:+.2f} %" for value in quality.change.values()))
    console.print(table)
