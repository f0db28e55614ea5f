"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

from mma_unet.inference.runtimes.base import default_threads, need
from mma_unet.inference.runtimes.convert import INPUTS, OUTPUT
from mma_unet.models import MMAUNetConfig

__all__ = ["OnnxRuntime"]


class OnnxRuntime:
    """A session of ONNX Runtime. It keeps its own memory between runs.

    Args:
        model: An ONNX file in memory, or its path.
        config: The network.
        precision: `"fp32"` or `"int8"`, as the file is.
        threads: CPU threads; as many as PyTorch uses if `None`.

    Raises:
        InputError: If `onnxruntime` is not installed.
    """

    name = "onnxruntime"

    def __init__(
        self,
        model: bytes | os.PathLike[str],
        config: MMAUNetConfig,
        *,
        precision: str = "fp32",
        threads: int | None = None,
    ) -> None:
        need("onnxruntime")
        import onnxruntime

        self.config, self.precision = config, precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = default_threads(threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.force_spinning_stop", "1")  # between images
        source = model if isinstance(model, bytes) else os.fspath(model)
        self._session: Any = onnxruntime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"]
        )

    def run(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `Runtime.run`."""
        images = (x.contiguous().numpy() for x in (ir, vi))
        (fused,) = self._session.run([OUTPUT], dict(zip(INPUTS, images, strict=True)))
        return torch.from_numpy(fused)
