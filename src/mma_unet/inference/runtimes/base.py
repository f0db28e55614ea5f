"""What a runtime is: something that runs a trained network on padded tensors."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from abc import ABC, abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.models import MMAUNetConfig

__all__ = ["PRECISIONS", "RUNTIMES", "GraphRuntime", "Runtime", "installed", "load", "need"]

RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "int8")
_EXTRAS = {"openvino": "openvino", "onnx": "openvino", "onnxruntime": "export", "nncf": "quantize"}
_TELEMETRY = "openvino_telemetry"


class Runtime(Protocol):
    """One network, ready to run.

    Attributes:
        name: `"torch"`, `"onnxruntime"` or `"openvino"`.
        precision: What it reckons in: `"fp32"`, `"bf16"` or `"int8"`.
        config: The network.
    """

    name: str
    precision: str
    config: MMAUNetConfig

    def run(self, ir: Tensor, vi: Tensor) -> Tensor:
        """Fuse two batches.

        Args:
            ir: `(B, in_channels, H, W)` float32 in [0, 1], H and W multiples of
                `config.size_multiple`, on the device of the runtime.
            vi: The same.

        Returns:
            The fused batch of the same shape and type, not clipped; the caller owns its memory.
        """
        ...


class GraphRuntime(ABC):
    """A runtime of another package, which takes the network as a graph on the CPU.

    Args:
        model: An ONNX file in memory, or the path of a file that the runtime reads.
        config: The network.
        precision: `"fp32"`, `"bf16"` where runtime and CPU have it, or `"int8"` as the file is.
        threads: CPU threads; as many as PyTorch uses in this process if `None`.

    Raises:
        InputError: If the package of the runtime is not installed.
    """

    name: str

    def __init__(
        self,
        model: bytes | os.PathLike[str],
        config: MMAUNetConfig,
        *,
        precision: str = "fp32",
        threads: int | None = None,
    ) -> None:
        self.config, self.precision = config, precision
        package = load(self.name)
        self._open(package, model, torch.get_num_threads() if threads is None else threads)

    @abstractmethod
    def _open(self, package: Any, model: bytes | os.PathLike[str], threads: int) -> None:
        """Read the model with the runtime's package."""

    @abstractmethod
    def run(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `Runtime.run`."""


def installed(module: str) -> bool:
    """Whether a package is there."""
    return importlib.util.find_spec(module) is not None


def need(module: str) -> None:
    """Check that a package of an extra is installed.

    Raises:
        InputError: If not, with the command that installs it.
    """
    if not installed(module):
        extra = _EXTRAS[module]
        raise InputError(
            f"this needs {module}, which is not installed: pip install 'mma-unet[{extra}]'"
        )


def load(module: str) -> Any:
    """Import a package of an extra; OpenVINO and NNCF without their report to an analytics host.

    Raises:
        InputError: If it is not installed, with the command that installs it.
    """
    need(module)
    if _TELEMETRY in sys.modules:  # the program around us has it
        return importlib.import_module(module)
    # Its import fails then, and a stub is taken.
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(module)
    finally:
        del sys.modules[_TELEMETRY]
