"""Which VI level belongs to which IR level, told by the ridge of their CKA.

The paper sets the difference between fused levels by hand, from CKA pictures of its own networks,
and leaves an automatic choice to future work (section 5.2). Here it is chosen by the CKA of
trained stage-I encoders.

See also: `mma_unet.training.pairing`, the choice by learning; `mma_unet.training.offsets`, the
exhaustive search that judges both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mma_unet.analysis.cka import MinibatchCKA, gram
from mma_unet.data import CenterCrop, Pair, PairedImages
from mma_unet.errors import InputError
from mma_unet.models import IRUNet, VIUNet
from mma_unet.models.soft import OFFSETS, offset_pairing
from mma_unet.training.pairing import PairingChoice

__all__ = [
    "centered",
    "choose_by_cka",
    "cross_cka",
    "offset_cka",
    "ridge_offset",
]

_SIDE, _BATCH, _LIMIT = 96, 16, 64


def cross_cka(ir_unet: IRUNet, vi_unet: VIUNet, pairs: Sequence[Pair]) -> Tensor:
    """CKA between every level of the VI encoder and every level of the IR encoder.

    Args:
        vi_unet: Trained VI-UNet.
        ir_unet: Trained IR-UNet, guided or not.
        pairs: At least 4; up to 64 of them, at even steps, are looked at (central crops of 96
            pixels, minibatches of 16).

    Returns:
        `(depth, depth)`; row `v`, column `i` compares VI level `v + 1` with IR level `i + 1`.

    Raises:
        InputError: If there are fewer than 4 pairs.
    """
    pairs = list(dict.fromkeys(pairs))
    if len(pairs) < 4:
        raise InputError(f"CKA of {len(pairs)} pairs tells nothing; train on at least 4")
    pairs = pairs[:: max(len(pairs) // _LIMIT, 1)][:_LIMIT]
    channels = vi_unet.config.in_channels
    images = PairedImages(pairs, channels=1, transform=CenterCrop(_SIDE))
    total = MinibatchCKA()
    networks = vi_unet.eval(), ir_unet.eval()
    for start in range(0, len(images), _BATCH):
        items = [images[k] for k in range(start, min(start + _BATCH, len(images)))]
        if len(items) < 4 and total.batches:
            break  # too few for an estimate
        vi, ir = (
            torch.stack([item["vi" if kind else "ir"] for item in items]).expand(
                -1, channels, -1, -1
            )
            for kind in (True, False)
        )
        with torch.inference_mode():
            vi_features = networks[0].encoder(vi)
            ir_features = networks[1].encoder(ir, vi_features)
        total.update([gram(x) for x in vi_features], [gram(x) for x in ir_features])
    return total.compute()


def centered(matrix: Tensor) -> Tensor:
    """A CKA matrix less its row and column means: what is particular to each pair of levels.

    A level that is like every level of the other modality (the deepest, often) would otherwise be
    the best match of all of them, and the ridge would run along the border.
    """
    rows, columns = matrix.mean(dim=1, keepdim=True), matrix.mean(dim=0, keepdim=True)
    return matrix - rows - columns + matrix.mean()


def ridge_offset(matrix: Tensor) -> float:
    """How far the ridge of a CKA matrix lies off its diagonal, in levels; above 0 if IR is deeper.

    In the centered matrix, the best IR level is found for each VI level, and the best VI level for
    each IR level, both at most two levels away, as the candidates are; the mean of all these
    differences is the offset. Taking both directions lets the ends of the diagonal, where one side
    has nowhere to go, pull neither way.

    Args:
        matrix: `(depth, depth)`, VI levels down, IR levels across, not centered.

    Example:
        >>> ridge_offset(torch.eye(5))
        0.0
        >>> hub = torch.eye(5) + torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0])
        >>> ridge_offset(hub)
        0.0
    """
    levels = torch.arange(len(matrix))
    far = (levels[None, :] - levels[:, None]).abs() > OFFSETS[-1]
    particular = centered(matrix).masked_fill(far, -math.inf)
    right = (particular.argmax(dim=1) - levels).float()
    down = (levels - particular.argmax(dim=0)).float()
    return float(torch.cat([right, down]).mean())


def choose_by_cka(ir_unet: IRUNet, vi_unet: VIUNet, pairs: Sequence[Pair]) -> PairingChoice:
    """The pairing of the offset nearest to the ridge; halves go towards 0."""
    matrix = cross_cka(ir_unet, vi_unet, pairs)
    offset = ridge_offset(matrix)
    nearest = int(math.copysign(math.ceil(abs(offset) - 0.5), offset))
    chosen = min(max(nearest, OFFSETS[0]), OFFSETS[-1])
    rows = [[round(float(x), 6) for x in row] for row in matrix]
    evidence = {"cka": rows, "ridge": round(offset, 6)}
    return PairingChoice("cka", offset_pairing(chosen, len(matrix)), evidence)


def offset_cka(matrix: Sequence[Sequence[float]], offset: int) -> float:
    """Mean CKA of the pairs that an offset fuses."""
    return float(np.mean([matrix[v - 1][i - 1] for v, i in offset_pairing(offset, len(matrix))]))
