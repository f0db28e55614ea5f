"""ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor

from mma_unet.inference.runtimes.base import GraphRuntime
from mma_unet.inference.runtimes.convert import INPUTS, OUTPUT

__all__ = ["OnnxRuntime"]


class OnnxRuntime(GraphRuntime):
    """A session of ONNX Runtime, in `"fp32"` or `"int8"`. It keeps its own memory between runs."""

    name = "onnxruntime"

    def _open(self, package: Any, model: bytes | os.PathLike[str], threads: int) -> None:
        options = package.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.force_spinning_stop", "1")  # between images
        source = model if isinstance(model, bytes) else os.fspath(model)
        self._session: Any = package.InferenceSession(
            source, options, providers=["CPUExecutionProvider"]
        )

    def run(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `Runtime.run`."""
        images = (x.contiguous().numpy() for x in (ir, vi))
        (fused,) = self._session.run([OUTPUT], dict(zip(INPUTS, images, strict=True)))
        return torch.from_numpy(fused)
