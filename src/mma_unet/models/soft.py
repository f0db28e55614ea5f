"""Soft choice of the layer difference: every candidate pair of a level, weighed and added.

The paper sets the difference between the fused VI and IR levels by hand and leaves choosing it to
future work (section 5.2). A pair is fused at its deeper level, so at each level five pairs with
differences from -2 to +2 meet in the same place and can stand in for one another.

See also: `mma_unet.models.fusion`, the hard choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mma_unet.models.config import MMAUNetConfig
from mma_unet.models.fusion import PairFusion

__all__ = ["OFFSETS", "SoftFusion", "offset_pairing"]

OFFSETS = (-2, -1, 0, 1, 2)
"""Candidate differences, IR level minus VI level; +1 is the paper's."""


def _pair(level: int, offset: int) -> tuple[int, int]:
    return level - max(offset, 0), level + min(offset, 0)


def offset_pairing(offset: int, depth: int = 5) -> tuple[tuple[int, int], ...]:
    """All pairs `(vi_level, ir_level)` with `ir - vi = offset` that are fused at level 2 or deeper.

    Level 1 is left out, as in the paper, so that the decoder is the same for every offset; with
    +2 and -2 no pair lives at level 2 and the decoder passes it through (as in E4 of table 4).

    Raises:
        ValueError: If no pair is left.

    Example:
        >>> offset_pairing(1)
        ((1, 2), (2, 3), (3, 4), (4, 5))
        >>> offset_pairing(-2)
        ((3, 1), (4, 2), (5, 3))
    """
    pairs = tuple(_pair(level, offset) for level in range(2, depth + 1))
    pairs = tuple(pair for pair in pairs if min(pair) >= 1)
    if not pairs:
        raise ValueError(f"no pair with offset {offset} in {depth} levels")
    return pairs


class SoftFusion(nn.Module):
    """Takes the place of `AsymmetricFusion` while the pairing is being chosen.

    At each fused level the maps of all candidate pairs are added with weights that sum to one, a
    softmax of trained logits.

    Args:
        config: The network; its pairing must be `offset_pairing(0)`, whose decoder has a place for
            a fused map at every level from 2 on.
        offsets: The candidates; those larger than `depth` allows are left out.
        per_level: Weights of its own for each level; by default the levels share them.

    Attributes:
        logits: `(levels or 1, offsets)`, all zero at first.
        temperature: Divides the logits; the smaller, the harder the choice.
    """

    def __init__(
        self, config: MMAUNetConfig, offsets: Sequence[int] = OFFSETS, *, per_level: bool = False
    ) -> None:
        super().__init__()
        if config.pairing != offset_pairing(0, config.depth):
            raise ValueError("soft fusion needs the pairing offset_pairing(0)")
        self.offsets = tuple(o for o in offsets if abs(o) < config.depth)
        self.per_level, self.depth = per_level, config.depth
        self.places = [
            [(o, _pair(level, o)) for o in self.offsets if min(_pair(level, o)) >= 1]
            for level in range(2, config.depth + 1)
        ]
        self.candidates = nn.ModuleList(
            nn.ModuleList(PairFusion(config, pair) for _, pair in place) for place in self.places
        )
        rows = len(self.places) if per_level else 1
        self.logits = nn.Parameter(torch.zeros(rows, len(self.offsets)))
        self.temperature = 1.0

    def weights(self) -> Tensor:
        """Softmax over the offsets, `(levels or 1, offsets)`, each row summing to one."""
        return (self.logits / self.temperature).softmax(dim=1)

    def forward(self, ir: Sequence[Tensor], vi: Sequence[Tensor]) -> list[Tensor]:
        """Fused maps of levels 2 to `depth`, each a weighted sum over its candidates."""
        fused: list[Tensor] = []
        for row, (place, fuses) in enumerate(zip(self.places, self.candidates, strict=True)):
            index = [self.offsets.index(offset) for offset, _ in place]
            logits = self.logits[row if self.per_level else 0, index]
            weights = (logits / self.temperature).softmax(dim=0)
            maps = [
                weight * fuse(ir[i - 1], vi[v - 1])
                for weight, (_, (v, i)), fuse in zip(weights, place, fuses.children(), strict=True)
            ]
            fused.append(torch.stack(maps).sum(dim=0))
        return fused

    def chosen(self) -> tuple[tuple[int, int], ...]:
        """The pairing with the largest weights: of one offset, or level by level."""
        if not self.per_level:
            return offset_pairing(self.offsets[int(self.logits[0].argmax())], self.depth)
        best = []
        for logits, place in zip(self.logits, self.places, strict=True):
            index = [self.offsets.index(offset) for offset, _ in place]
            best.append(place[int(logits[index].argmax())][1])
        return tuple(best)
