"""OpenVINO on the CPU."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mma_unet.inference.runtimes.base import GraphRuntime
from mma_unet.inference.runtimes.convert import INPUTS
from mma_unet.machine import has_native_bf16

__all__ = ["OpenVINORuntime"]

_FIXED = 3
"""Image sizes that have a compiled model of their own."""

_PAYS_AFTER = 4
"""Images of one size after which such a model is worth its compilation."""


class OpenVINORuntime(GraphRuntime):
    """OpenVINO's CPU plugin, which plans the memory of a compiled model once.

    A model compiled for one size is about a quarter faster than one for any size, and takes about
    0.1 s to compile. So the first size gets one at once, and another size when it keeps coming;
    what comes in between runs on the model for any size. What is left in floating point of an int8
    file runs in bfloat16 where the CPU has it.
    """

    name = "openvino"

    def _open(self, package: Any, model: bytes | os.PathLike[str], threads: int) -> None:
        self._openvino: Any = package
        self._core: Any = package.Core()
        self._model: Any = self._core.read_model(model if isinstance(model, bytes) else Path(model))
        half = self.precision == "bf16" or (self.precision == "int8" and has_native_bf16())
        self._options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            "ENABLE_CPU_PINNING": False,  # several processes would pin to the same cores
        }
        self._any_size: Any = None
        self._fixed: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._lock = threading.Lock()

    def run(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `Runtime.run`."""
        images = {
            name: self._openvino.Tensor(x.contiguous().numpy(), shared_memory=True)
            for name, x in zip(INPUTS, (ir, vi), strict=True)
        }
        with self._lock:
            request = self._request(tuple(ir.shape))
            request.infer(images, share_inputs=True, share_outputs=True)
            return torch.from_numpy(request.get_output_tensor().data.copy())

    def _request(self, shape: tuple[int, ...]) -> Any:
        if shape in self._fixed:
            self._fixed.move_to_end(shape)
            return self._fixed[shape]
        self._seen[shape] += 1
        if not self._fixed or self._seen[shape] >= _PAYS_AFTER:
            del self._seen[shape]
            model = self._model.clone()
            model.reshape({name: list(shape) for name in INPUTS})
            self._fixed[shape] = self._compile(model)
            if len(self._fixed) > _FIXED:
                self._fixed.popitem(last=False)
            return self._fixed[shape]
        if self._any_size is None:
            self._any_size = self._compile(self._model)
        return self._any_size

    def _compile(self, model: Any) -> Any:
        return self._core.compile_model(model, "CPU", self._options).create_infer_request()
