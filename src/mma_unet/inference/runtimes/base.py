"""What a runtime is: something that runs a trained network on padded tensors."""

from __future__ import annotations

import importlib.util
from typing import Protocol

import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.models import MMAUNetConfig

__all__ = ["PRECISIONS", "RUNTIMES", "Runtime", "default_threads", "installed", "need"]

RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")
PRECISIONS = ("auto", "fp32", "bf16", "int8")


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


def installed(runtime: str) -> bool:
    """Whether the package of a runtime is there."""
    return importlib.util.find_spec(runtime) is not None


def need(module: str) -> None:
    """Check that a package of the extra `export` is installed.

    Raises:
        InputError: If not, with the command that installs it.
    """
    if not installed(module):
        raise InputError(
            f"this needs {module}, which is not installed: pip install 'mma-unet[export]'"
        )


def default_threads(threads: int | None) -> int:
    """The number of threads to use: `threads`, or what PyTorch uses in this process."""
    return torch.get_num_threads() if threads is None else threads
