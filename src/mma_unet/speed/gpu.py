"""Ways to run the network on a GPU: as it is, compiled, as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.inference.runtimes.with_torch import TorchRuntime

__all__ = ["FP8_REASON", "MODES", "no_gpu_reason", "speed_up"]

MODES = ("eager", "compiled", "graphs", "compiled+graphs")

FP8_REASON = "PyTorch has fp8 matrix products but no fp8 convolution, of which the network is made"


def no_gpu_reason() -> str:
    """Why there is nothing to measure on a GPU; empty if there is one."""
    if torch.version.cuda is None and torch.version.hip is None:
        return "this PyTorch is built without CUDA"
    return "" if torch.cuda.is_available() else "no CUDA device is available here"


def speed_up(fuser: Fuser, mode: str) -> None:
    """Make the network of `fuser` run in `mode`, one of `MODES`.

    Raises:
        InputError: If the runtime is not PyTorch on CUDA or the mode is unknown.
    """
    runtime = fuser.runtime
    if not isinstance(runtime, TorchRuntime) or fuser.device.type != "cuda":
        raise InputError(f"mode {mode!r} is for runtime torch on a CUDA device")
    if mode not in MODES:
        raise InputError(f"unknown mode {mode!r}: use one of {', '.join(MODES)}")
    network: Any = runtime.network  # all but the blend of the sources, a pass over the image
    if mode == "compiled":
        network.maps = torch.compile(network.maps, mode="max-autotune-no-cudagraphs", dynamic=False)
    elif mode == "compiled+graphs":
        network.maps = torch.compile(network.maps, mode="max-autotune", dynamic=False)
    elif mode == "graphs":
        network.maps = _Graphed(network.maps)


class _Graphed:
    """A network recorded as a CUDA graph for each shape, replayed on copies of its inputs."""

    def __init__(self, network: Callable[[Tensor, Tensor], Tensor]) -> None:
        self._network = network
        self._recorded: dict[torch.Size, tuple[Any, Tensor, Tensor, Tensor]] = {}

    def __call__(self, ir: Tensor, vi: Tensor) -> Tensor:
        if ir.shape not in self._recorded:
            self._recorded[ir.shape] = self._record(ir.clone(), vi.clone())
        graph, own_ir, own_vi, fused = self._recorded[ir.shape]
        own_ir.copy_(ir)
        own_vi.copy_(vi)
        graph.replay()
        return fused.clone()

    def _record(self, ir: Tensor, vi: Tensor) -> tuple[Any, Tensor, Tensor, Tensor]:
        stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._network(ir, vi)
        torch.cuda.current_stream().wait_stream(stream)
        graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            fused = self._network(ir, vi)
        return graph, ir, vi, fused
