"""Batch norm over all processes on the CPU, where PyTorch's own synchronized one does not run."""

from __future__ import annotations

import torch
import torch.distributed as dist
from lightning.pytorch.plugins import LayerSync
from torch import Tensor, nn
from torch.distributed.nn import functional as collectives

__all__ = ["SyncBatchNormCPU"]


def _total(value: Tensor) -> Tensor:
    """Sum over all processes, with its gradient."""
    total: Tensor = collectives.all_reduce(value)  # type: ignore[no-untyped-call]
    return total


class _SyncedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` whose training statistics are those of the global batch."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.running_mean is None or self.running_var is None:
            plain: Tensor = super().forward(input)
            return plain
        count = input.numel() // input.shape[1] * dist.get_world_size()
        x = input.float()
        mean = _total(x.sum(dim=(0, 2, 3))) / count
        centered = x - mean[None, :, None, None]
        var = _total(centered.square().sum(dim=(0, 2, 3))) / count
        momentum = self.momentum if self.momentum is not None else 0.1
        with torch.no_grad():
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(var * count / (count - 1), momentum)
        scale = self.weight * torch.rsqrt(var + self.eps)
        output = centered * scale[None, :, None, None] + self.bias[None, :, None, None]
        result: Tensor = output.to(input.dtype)
        return result


class SyncBatchNormCPU(LayerSync):
    """Lightning plugin that makes a run on several CPU processes equal to one on one process."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Let every `nn.BatchNorm2d` of `model` share its statistics over the processes."""
        return self._swap(model, nn.BatchNorm2d, _SyncedBatchNorm2d)

    def revert(self, model: nn.Module) -> nn.Module:
        """Undo `apply`."""
        return self._swap(model, _SyncedBatchNorm2d, nn.BatchNorm2d)

    @staticmethod
    def _swap(model: nn.Module, old: type[nn.Module], new: type[nn.Module]) -> nn.Module:
        for module in model.modules():
            if type(module) is old:
                module.__class__ = new
        return model
