"""Folding batch norm into the convolution before it, for inference."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fold_batch_norm"]

M = TypeVar("M", bound=nn.Module)


def fold_batch_norm(model: M) -> M:
    """A copy of `model` that computes the same in evaluation mode, with fewer passes over memory.

    Each `nn.BatchNorm2d` that follows a convolution in an `nn.Sequential` is folded into it; the
    result differs by rounding alone (about 1e-6). The copy is in evaluation mode and cannot be
    trained further.
    """
    folded = copy.deepcopy(model).eval()
    for block in folded.modules():
        if not isinstance(block, nn.Sequential):
            continue
        for index in range(1, len(block)):
            conv, norm = block[index - 1], block[index]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[index - 1] = fuse_conv_bn_eval(conv, norm)
                block[index] = nn.Identity()
    return folded
