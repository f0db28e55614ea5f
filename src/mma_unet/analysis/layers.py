"""The layers of an encoder, as operations and as the paper counts them, and their Gram matrices.

**Operations** are what the encoder computes, each once, in the order in which it does: max pooling
(from level 2 on), twice convolution, batch norm and ReLU, and the gate of a guided level. Five
levels have 34 operations, 39 if guided.

**The paper's layers** are "all intermediate representations": 7 in the first block and 11 in each
of the other four, 51 in all (section 1). These are the modules that a forward hook on the usual
U-Net code reports, in the order in which they finish: in the first block the six operations and
the block that holds them; in the others the pooling, the six operations and four containers one
within the other. A container's output is the output of its last ReLU, so the last 1 + 1 (first
block) or 1 + 4 (others) layers of a block are one representation counted 2 or 5 times. The gates
lie outside the blocks and are not among the 51; what a gate does shows from the next level's
pooling on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mma_unet.analysis.cka import gram
from mma_unet.models.unet import Encoder

__all__ = ["Layer", "encode_with_grams", "level_ends", "operations", "paper_layers"]

_OPERATIONS = ("conv1", "bn1", "relu1", "conv2", "bn2", "relu2")
_NESTED = (1, 4)
"""Containers around the operations of the first block, and of every other."""


class Layer(NamedTuple):
    """A place in an encoder: its level, from 1, and what is there."""

    level: int
    name: str


def operations(depth: int, *, guided: bool) -> tuple[Layer, ...]:
    """The operations of an encoder in the order in which they run.

    Args:
        depth: Levels of the encoder.
        guided: Whether each level ends in a gate.

    Example:
        >>> [f"{level}.{name}" for level, name in operations(2, guided=False)[5:9]]
        ['1.relu2', '2.pool', '2.conv1', '2.bn1']
        >>> len(operations(5, guided=False)), len(operations(5, guided=True))
        (34, 39)
    """
    return tuple(
        Layer(level, name)
        for level in range(1, depth + 1)
        for name in (
            *(("pool",) if level > 1 else ()),
            *_OPERATIONS,
            *(("gate",) if guided else ()),
        )
    )


def paper_layers(layers: Sequence[Layer]) -> list[int]:
    """The paper's count of layers, each as an index into the operations it repeats.

    A matrix over operations becomes the paper's by `matrix[numpy.ix_(rows, columns)]`.

    Args:
        layers: What `operations` returned.

    Example:
        >>> places = paper_layers(operations(5, guided=True))
        >>> len(places), places[:9]
        (51, [0, 1, 2, 3, 4, 5, 5, 7, 8])
    """
    places: list[int] = []
    for index, layer in enumerate(layers):
        if layer.name != "gate":
            nested = _NESTED[min(layer.level - 1, 1)] if layer.name == "relu2" else 0
            places += [index] * (1 + nested)
    return places


def level_ends(layers: Sequence[Layer]) -> list[int]:
    """Index of the output of each level: its gate if it has one, else its last ReLU.

    Example:
        >>> level_ends(operations(3, guided=False))
        [5, 12, 19]
    """
    last = {layer.level: index for index, layer in enumerate(layers)}
    return list(last.values())


def encode_with_grams(
    encoder: Encoder, image: Tensor, guide: Sequence[Tensor] = ()
) -> tuple[list[Tensor], list[Tensor]]:
    """Run an encoder and form the Gram matrix of every operation on the way.

    Each matrix is formed as soon as its operation is done. Nothing needs to be kept, and the ReLUs,
    which write over the batch norm's output, come too late to falsify its matrix.

    Args:
        encoder: In evaluation mode.
        image: `(B, in_channels, H, W)`, B >= 4, H and W multiples of `2**(depth-1)`.
        guide: VI features, one map per level, if the encoder is guided.

    Returns:
        The features of each level, as from the encoder itself, and the `(B, B)` matrices in the
        order of `operations`.
    """
    done: list[Tensor] = []
    with torch.inference_mode(), _hooked(encoder, done):
        features = encoder(image, guide)
    if not len(encoder.gates):
        return features, done
    grams, rest = [], iter(done)
    for layer in operations(len(features), guided=True):
        gated = layer.name == "gate"
        grams.append(gram(features[layer.level - 1]) if gated else next(rest))
    return features, grams


@contextmanager
def _hooked(encoder: Encoder, grams: list[Tensor]) -> Iterator[None]:
    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        del module, inputs
        grams.append(gram(output))

    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d)
    handles = [m.register_forward_hook(keep) for m in encoder.modules() if isinstance(m, kinds)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
