"""From what the user asks for to a runtime that is there and keeps the quality."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from mma_unet.errors import InputError
from mma_unet.inference.runtimes.base import PRECISIONS, RUNTIMES, Runtime, installed, need
from mma_unet.inference.runtimes.convert import cached_onnx
from mma_unet.inference.runtimes.exported import Exported, read_exported
from mma_unet.inference.runtimes.with_onnxruntime import OnnxRuntime
from mma_unet.inference.runtimes.with_openvino import OpenVINORuntime
from mma_unet.inference.runtimes.with_torch import TorchRuntime
from mma_unet.machine import has_native_bf16
from mma_unet.models import MMAUNet

__all__ = ["PAYS_FROM", "choose_device", "choose_precision", "choose_runtime", "make_runtime"]

PAYS_FROM = 32
"""Pairs from which on OpenVINO makes up for its start (docs/speed.md)."""


def make_runtime(
    model: MMAUNet | Exported | str | os.PathLike[str],
    *,
    device: torch.device,
    runtime: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    pairs: int = 1,
) -> Runtime:
    """A network, or a file from `mma-unet export`, on the runtime asked for.

    Args:
        model: The network, or an `.onnx` or `.xml` file or its path.
        device: Where to run.
        runtime: See `choose_runtime`.
        precision: See `choose_precision`.
        threads: CPU threads; as many as PyTorch uses if `None`.
        pairs: See `choose_runtime`.

    Raises:
        InputError: If the wishes do not fit each other, this machine or the file.
    """
    source = read_exported(model) if isinstance(model, (str, os.PathLike)) else model
    chosen = choose_runtime(runtime, device, source, pairs)
    reckoned = choose_precision(precision, chosen, device, source)
    if isinstance(source, MMAUNet) and chosen == "torch":
        return TorchRuntime(source, device=device, precision=reckoned, threads=threads)
    graph = cached_onnx(source) if isinstance(source, MMAUNet) else source.path
    kind = OnnxRuntime if chosen == "onnxruntime" else OpenVINORuntime
    return kind(graph, source.config, precision=reckoned, threads=threads)


def choose_runtime(
    wanted: str, device: torch.device, source: MMAUNet | Exported, pairs: int = 1
) -> str:
    """The runtime to use.

    `"auto"` takes PyTorch on CUDA. On the CPU it takes OpenVINO if that is installed and
    `PAYS_FROM` pairs or more are known to come, and else PyTorch; for an `.onnx` file OpenVINO,
    else ONNX Runtime.

    Args:
        wanted: One of `RUNTIMES`.
        device: Where to run.
        source: The network or exported file.
        pairs: How many pairs are known to come.

    Raises:
        InputError: If it is unknown, not installed, not for this device or not for this file.
    """
    if wanted not in RUNTIMES:
        raise InputError(f"unknown runtime {wanted!r}: use one of {', '.join(RUNTIMES)}")
    file = source.path if isinstance(source, Exported) else None
    fitting = _fitting(file)
    if device.type != "cpu":
        if wanted in ("onnxruntime", "openvino") or file is not None:
            raise InputError(
                f"{file or f'runtime {wanted!r}'} runs on the CPU: use --device cpu, or weights "
                "with --runtime torch"
            )
        return "torch"
    if wanted != "auto":
        if wanted not in fitting:
            raise InputError(
                f"{file} does not run on {wanted}: use --runtime {' or '.join(fitting)}"
            )
        if wanted != "torch":
            need(wanted)
        return wanted
    if file is None:
        by_graph = pairs >= PAYS_FROM and installed("openvino") and installed("onnx")
        return "openvino" if by_graph else "torch"
    return next(filter(installed, fitting), fitting[0])


def _fitting(file: Path | None) -> tuple[str, ...]:
    """The runtimes that take weights (`None`) or an exported file, the fastest first."""
    if file is None:
        return ("openvino", "torch", "onnxruntime")
    return ("openvino",) if file.suffix.lower() == ".xml" else ("openvino", "onnxruntime")


def choose_precision(
    wanted: str, runtime: str, device: torch.device, source: MMAUNet | Exported
) -> str:
    """The precision to use.

    `"auto"` is what an int8 file holds; else bfloat16 on a CPU that has it natively, if the
    runtime can; else single precision.

    Raises:
        InputError: If it is unknown, or this runtime, CPU or file does not have it.
    """
    if wanted not in PRECISIONS:
        raise InputError(f"unknown precision {wanted!r}: use one of {', '.join(PRECISIONS)}")
    if source.describe().precisions == ("int8",):
        if wanted not in ("auto", "int8"):
            raise InputError(f"{source} is an int8 model: give the weights for {wanted}")
        return "int8"
    if wanted == "int8":
        raise InputError(
            "int8 needs a calibrated model: write one with `mma-unet export --precision int8` "
            "and give that file as the model"
        )
    on_cpu = device.type == "cpu"
    if wanted == "auto":
        return "bf16" if on_cpu and runtime != "onnxruntime" and has_native_bf16() else "fp32"
    if wanted == "bf16":
        if runtime == "onnxruntime":
            raise InputError("onnxruntime has no bf16 on CPUs: use --runtime openvino or torch")
        if on_cpu and not has_native_bf16():
            raise InputError("this CPU has no bf16: use --precision fp32 or auto")
    return wanted


def choose_device(name: str) -> torch.device:
    """The device of a name; `"auto"` is CUDA if there is one.

    Raises:
        InputError: If it is unknown or not here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"unknown device {name!r}: use auto, cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} is not supported: use auto, cpu or cuda")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        here = f"only {count} CUDA device(s) are" if count else "no CUDA device is"
        raise InputError(f"device {name!r}: {here} available here; use --device cpu")
    return device
