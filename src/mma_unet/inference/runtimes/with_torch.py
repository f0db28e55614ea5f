"""PyTorch: the reference, on CPU and CUDA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mma_unet.models import MMAUNet, fold

__all__ = ["TorchRuntime", "torch_threads"]


class TorchRuntime:
    """The network with batch norm folded, channels last.

    In `bf16` all weights and feature maps are bfloat16 but the last 1x1 convolution, which runs in
    float32, as does the blend of the sources: a bfloat16 image would have steps of one gray level
    of 255. So the network takes and returns float32 in any precision.

    Attributes:
        network: The network as it runs; its parts can be run on tiles.

    Args:
        network: The network, which is copied.
        device: Where to run.
        precision: `"fp32"` or `"bf16"`.
        threads: CPU threads while `run` is at work; what PyTorch uses anyway if `None`.
    """

    name = "torch"

    def __init__(
        self,
        network: MMAUNet,
        *,
        device: torch.device,
        precision: str = "fp32",
        threads: int | None = None,
    ) -> None:
        self.config, self.precision = network.config, precision
        self._threads = threads
        self.network = fold(network).requires_grad_(False)
        if precision == "bf16":
            _halve(self.network)
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `Runtime.run`."""
        laid_out = (x.contiguous(memory_format=torch.channels_last) for x in (ir, vi))
        with torch.inference_mode(), torch_threads(self._threads):
            fused: Tensor = self.network(*laid_out)
            return fused


class _To(nn.Module):
    """A change of type on the way through a network."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


def _halve(network: MMAUNet) -> None:
    """Everything between the images and the last convolution in bfloat16, in place."""
    last = network.decoder.to_image
    network.to(dtype=torch.bfloat16)
    network.decoder.to_image = nn.Sequential(_To(torch.float32), last.float())
    for encoder in (network.ir_encoder, network.vi_encoder):
        encoder.levels[0] = nn.Sequential(_To(torch.bfloat16), encoder.levels[0])


@contextmanager
def torch_threads(wanted: int | None) -> Iterator[None]:
    """PyTorch with `wanted` threads: the number belongs to the process, so it is put back."""
    before = torch.get_num_threads()
    if wanted is None or wanted == before:
        yield
        return
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)
