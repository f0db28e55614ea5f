"""A network rewritten to compute the same with less traffic of memory, for inference."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mma_unet.models.blocks import PixelShuffleUp
from mma_unet.models.heads import BandsHead, CellsHead
from mma_unet.models.mma_unet import MMAUNet

__all__ = ["fold"]

M = TypeVar("M", bound=nn.Module)


def fold(model: M) -> M:
    """A copy of `model` that computes the same in evaluation mode, with fewer passes over memory.

    Each `nn.BatchNorm2d` that follows a convolution in an `nn.Sequential` is folded into it, and
    in an `MMAUNet` that fuses nothing at full size, as the paper's, the last convolution before
    the last pixel shuffle and the 1x1 convolution after it become one at half the size. The result
    differs by rounding alone (about 1e-6). The copy is in evaluation mode and cannot be trained
    further.
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
    if isinstance(folded, MMAUNet):
        _fold_last_step(folded)
    return folded


@torch.no_grad()
def _fold_last_step(model: MMAUNet) -> None:
    decoder = model.decoder
    if not decoder.ups or not isinstance(decoder.blocks[-1], nn.Identity):
        return
    up, last = decoder.ups[-1], decoder.to_image
    if not (isinstance(up, PixelShuffleUp) and isinstance(last, nn.Conv2d)):
        return  # folded before
    conv = up[0]
    assert isinstance(conv, nn.Conv2d)
    assert last.bias is not None
    # One kernel for each map and pixel of a 2x2 cell: (maps, 4, in_channels, 3, 3).
    kernels = torch.einsum(
        "mc,cpikl->mpikl", last.weight[:, :, 0, 0], torch.unflatten(conv.weight, 0, (-1, 4))
    )
    biases = last.bias[:, None].expand(-1, 4)
    decoder.ups[-1] = nn.Identity()
    if isinstance(model.head, BandsHead):
        sizes = model.head.sizes(model.config.in_channels)

        def arranged(x: Tensor) -> Tensor:
            finest, coarser, rest = torch.split(x, sizes)
            return torch.cat([finest.flatten(0, 1), rest.flatten(0, 1), coarser.mean(dim=1)])

        decoder.to_image = _convolution(arranged(kernels), arranged(biases))
        model.head = CellsHead(model.head)
    else:
        merged = _convolution(kernels.flatten(0, 1), biases.flatten(0, 1))
        decoder.to_image = nn.Sequential(merged, nn.PixelShuffle(2))


def _convolution(kernels: Tensor, biases: Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(kernels.shape[1], len(kernels), 3, padding=1)
    conv.weight.copy_(kernels)
    conv.bias.copy_(biases)  # type: ignore[union-attr]
    return conv
