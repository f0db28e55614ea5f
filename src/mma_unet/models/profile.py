"""Counting parameters and multiply-accumulates."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mma_unet.models.mma_unet import MMAUNet

__all__ = ["count_macs", "count_module_macs", "count_parameters"]


def count_parameters(module: nn.Module) -> int:
    """Number of trained values in `module`; running statistics are not counted."""
    return sum(prod(p.shape) for p in module.parameters())


def count_macs(model: MMAUNet, height: int, width: int) -> int:
    """Multiply-accumulates of one forward pass on a `height` x `width` pair.

    Convolutions and matrix products are counted, as is usual; the count runs on the meta device,
    so that it costs neither time nor memory. Height and width are rounded up to the multiple that
    the model needs.
    """
    multiple = model.config.size_multiple
    shape = (1, model.config.in_channels, height + -height % multiple, width + -width % multiple)
    with torch.device("meta"):
        shadow = MMAUNet(model.config).eval()
        image = torch.empty(shape)
    return count_module_macs(shadow, image, image)


def count_module_macs(module: Callable[..., Tensor], *inputs: Tensor) -> int:
    """Multiply-accumulates of `module(*inputs)`; on the meta device at no cost."""
    counter: Any = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(*inputs)
    return int(counter.get_total_flops()) // 2
