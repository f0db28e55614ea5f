"""Writing the network for other programs: ONNX and OpenVINO, which `Fuser` takes too; TorchScript.

Batch norm is folded; batch, height and width stay free. Every file is read back and compared with
PyTorch before it appears under its name.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.inference.quantize import Progress, QualityReport, int8_model
from mma_unet.inference.runtimes.base import load
from mma_unet.inference.runtimes.convert import METADATA_KEY, metadata, to_onnx
from mma_unet.inference.runtimes.exported import read_exported
from mma_unet.inference.runtimes.with_onnxruntime import OnnxRuntime
from mma_unet.inference.runtimes.with_openvino import OpenVINORuntime
from mma_unet.models import MMAUNet, fold, load_model

__all__ = ["FORMATS", "TOLERANCE", "ExportReport", "export_model", "largest_difference"]

FORMATS = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt"}
"""Formats and the endings of their files."""

TOLERANCE = 1e-4
"""How far an exported fp32 model may be from PyTorch, for images in [0, 1]."""

Run = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class ExportReport:
    """What was written and how it compares.

    Attributes:
        path: The file; an OpenVINO model has its weights in the `.bin` beside it.
        precision: `"fp32"` or `"int8"`.
        difference: Largest difference from PyTorch over the sizes tried (not for int8).
        sizes: How many random sizes were tried.
        quality: Scores before and after, for int8.
    """

    path: Path
    precision: str
    difference: float | None
    sizes: int
    quality: QualityReport | None = None


def export_model(
    model: str | os.PathLike[str] | MMAUNet,
    target: str | os.PathLike[str],
    *,
    format: str | None = None,
    precision: str = "fp32",
    pairs: Sequence[Pair] = (),
    max_loss: float = 1.0,
    sizes: int = 20,
    progress: Progress | None = None,
) -> ExportReport:
    """Write `model` in another format, after comparing it with PyTorch.

    Args:
        model: Shipped weights by name, a weights file, or a network.
        target: The file to write.
        format: `"onnx"`, `"openvino"` or `"torchscript"`; by the ending of `target` if `None`.
        precision: `"fp32"`, or `"int8"` by the post-training quantization of ONNX Runtime or
            NNCF. (bfloat16 is not a kind of file: it is chosen when the model runs.)
        pairs: Registered pairs to calibrate int8 with and to measure its loss on.
        max_loss: Largest change of any of the five metrics for int8, in percent, on the pairs
            that are held out; other pairs may change a little more.
        sizes: Random sizes to compare.
        progress: Called with what is done as int8 is made.

    Raises:
        InputError: If the format, ending or precision does not exist or fit, a package is not
            installed, the place cannot be written, there are too few pairs, or the file does not
            compute what PyTorch does.
    """
    target = Path(target)
    kind = _format(target, format)
    if precision not in ("fp32", "int8"):
        raise InputError(
            f"precision {precision!r} cannot be exported: use fp32 or int8 (bf16 is chosen when "
            "the model runs: --precision bf16 of `mma-unet fuse`)"
        )
    if precision == "int8" and kind == "torchscript":
        raise InputError("int8 needs --format onnx or openvino, not torchscript")
    network = model if isinstance(model, MMAUNet) else load_model(model)
    network = network.eval()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as folder:
            part = Path(folder) / target.name
            quality = None
            if precision == "int8":
                quality = int8_model(
                    network, part, kind, pairs, max_loss=max_loss, progress=progress
                )
                report = ExportReport(target, precision, None, 0, quality)
            else:
                _WRITERS[kind](network, part)
                difference = largest_difference(_reader(part, kind), network, sizes=sizes)
                if not difference <= TOLERANCE:
                    raise InputError(
                        f"{target} was not written: it differs from PyTorch by {difference:.2g} "
                        f"(more than {TOLERANCE:g}); try another --format"
                    )
                report = ExportReport(target, precision, difference, sizes)
            for written in sorted(Path(folder).iterdir()):  # .bin before .xml
                written.replace(target.with_name(written.name))
    except OSError as error:
        raise InputError(
            f"{target} cannot be written ({error.strerror or error}): choose another output"
        ) from error
    return report


def largest_difference(run: Run, network: MMAUNet, *, sizes: int = 20, seed: int = 0) -> float:
    """Largest absolute difference between `run` and the network, over random images and sizes.

    Batches of one or two, heights and widths from 1 to 10 times the config's `size_multiple`.
    """
    rng = np.random.default_rng(seed)
    folded, config = fold(network), network.config
    largest = 0.0
    for _ in range(sizes):
        batch = int(rng.integers(1, 3))
        height, width = (int(n) * config.size_multiple for n in rng.integers(1, 11, 2))
        ir, vi = (
            torch.from_numpy(rng.random((batch, config.in_channels, height, width), np.float32))
            for _ in range(2)
        )
        with torch.inference_mode():
            difference = (run(ir, vi) - folded(ir, vi)).abs().max()
        largest = max(largest, float(difference.nan_to_num(float("inf"))))
    return largest


def _format(target: Path, wanted: str | None) -> str:
    endings = {suffix: kind for kind, suffix in FORMATS.items()}
    if wanted is not None and wanted not in FORMATS:
        raise InputError(f"unknown format {wanted!r}: use one of {', '.join(FORMATS)}")
    found = endings.get(target.suffix.lower())
    if found is None or (wanted is not None and found != wanted):
        fit = [FORMATS[wanted]] if wanted is not None else list(endings)
        raise InputError(f"{target}: end its name in {' or '.join(fit)}")
    return found


def _write_onnx(network: MMAUNet, path: Path) -> None:
    path.write_bytes(to_onnx(network))


def _write_openvino(network: MMAUNet, path: Path) -> None:
    openvino = load("openvino")
    model = openvino.Core().read_model(to_onnx(network))
    model.set_rt_info(json.dumps(metadata(network)), [METADATA_KEY])
    openvino.save_model(model, path, compress_to_fp16=False)


def _write_torchscript(network: MMAUNet, path: Path) -> None:
    folded, side = fold(network), 4 * network.config.size_multiple
    example = torch.rand(2, network.config.in_channels, side, side)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript announces its retirement
        jit: Any = torch.jit
        traced = jit.freeze(jit.trace(folded, (example, example)))
        about = {f"{METADATA_KEY}.json": json.dumps(metadata(network))}
        jit.save(traced, path, _extra_files=about)


_WRITERS: dict[str, Callable[[MMAUNet, Path], None]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "torchscript": _write_torchscript,
}


def _reader(path: Path, kind: str) -> Run:
    """The written file, ready to run in fp32, on the runtime that it is for."""
    if kind == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            jit: Any = torch.jit
            loaded: Run = jit.load(path)
        return loaded
    config = read_exported(path).config
    return (OnnxRuntime if kind == "onnx" else OpenVINORuntime)(path, config).run
