"""TarDAL: a dense generator on the two stacked images, trained against two discriminators.

Jinyuan Liu et al., "Target-aware Dual Adversarial Learning and a Multi-scenario Multi-Modality
Benchmark to Fuse Infrared and Visible for Object Detection", CVPR 2022. Written from the paper and
the names and shapes of its checkpoint.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork

__all__ = ["CARD", "TarDAL"]

_WIDTH = 32
_LAYERS = 3


def _block(inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class TarDAL(RivalNetwork):
    """The generator. The discriminators serve the training alone and are not here."""

    radius = _LAYERS + 5
    bytes_per_pixel = 2_000

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _block(2, _WIDTH)
        self.dense = nn.ModuleList(_block(_WIDTH * (i + 1), _WIDTH) for i in range(_LAYERS))
        stacked = _WIDTH * (_LAYERS + 1)
        self.fuse = nn.Sequential(
            nn.Sequential(nn.Conv2d(stacked, 4 * _WIDTH, 3, padding=1), nn.ReLU()),
            _block(4 * _WIDTH, 2 * _WIDTH),
            _block(2 * _WIDTH, _WIDTH),
            nn.Sequential(nn.Conv2d(_WIDTH, 1, 3, padding=1), nn.Tanh()),
        )

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """See `RivalNetwork.forward`."""
        x = self.encoder(torch.cat([ir, vi], 1))
        for layer in self.dense:
            x = torch.cat([x, layer(x)], 1)
        out: Tensor = self.fuse(x)
        return out


CARD = Card(
    name="tardal",
    title="TarDAL",
    network=TarDAL,
    paper=(
        'Jinyuan Liu et al., "Target-aware Dual Adversarial Learning and a Multi-scenario '
        'Multi-Modality Benchmark to Fuse Infrared and Visible for Object Detection", CVPR 2022'
    ),
    code="https://github.com/JinyuanLiu-CV/TarDAL",
    code_license="GPL-3.0",
    weights="https://github.com/Linfeng-Tang/VIF-Benchmark, Checkpoint/TarDAL/tardal.pt",
    weights_license="GPL-3.0",
    digests=("e0fa61e25cffa9fb14ff17b47ea7ba237a6e8c6f37e1b9b115d63354ff0f13e1",),
    images="gray in [0, 1], as it is; the result clipped and rounded",
    differs=(
        "the benchmark cuts color results off to 8 bits and takes Cb and Cr of VI as they are; "
        "here they are rounded, with the color of every method of this package"
    ),
)
