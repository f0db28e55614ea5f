"""`mma-unet export`: the network as ONNX, OpenVINO or TorchScript."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import Model, ShowProgress, out_option, say, show
from mma_unet.cli.progress import progress_bar

Format = StrEnum("Format", ["onnx", "openvino", "torchscript"])
Precision = StrEnum("Precision", ["fp32", "int8"])


def export(
    out: Annotated[Path, out_option("File ending in .onnx, .xml or .pt.")],
    model: Model = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="What to write; default: by the ending.")
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Of the file.")] = Precision.fp32,
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
    progress: ShowProgress = True,
) -> None:
    """Write the network for another runtime; the file is compared with PyTorch first.

    Height, width and batch stay free; height and width must be multiples of 16. Files in ONNX and
    OpenVINO format can be given to `mma-unet fuse --model`.
    """
    from itertools import zip_longest

    from mma_unet.data import find_pairs
    from mma_unet.errors import InputError
    from mma_unet.inference.export import export_model
    from mma_unet.models import DEFAULT_MODEL

    if len(ir or []) != len(vi or []):
        raise InputError("--ir and --vi go together: give each as often as the other")
    found = [find_pairs(a, b).pairs for a, b in zip(ir or [], vi or [], strict=True)]
    pairs = [pair for turn in zip_longest(*found) for pair in turn if pair is not None]
    with progress_bar(shown=progress) as step:
        report = export_model(
            model or DEFAULT_MODEL, out, format=format_, precision=precision, pairs=pairs,
            max_loss=max_loss, progress=step,
        )  # fmt: skip
    if report.quality is not None:
        show(*report.quality.table(), caption=f"Means over {report.quality.pairs} pairs held out")
        text = f"int8, {report.quality.float_levels} of the levels in floating point"
    else:
        text = f"at most {report.difference:.1e} from PyTorch over {report.sizes} random sizes"
    say(f"{report.path}: {text}")
