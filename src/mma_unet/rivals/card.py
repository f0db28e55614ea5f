"""What is to be known of a method: its paper, its terms, its weights, its habits.

See Also:
    `mma_unet.rivals.registry`: all cards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch

from mma_unet.models import count_parameters
from mma_unet.models.profile import count_module_macs
from mma_unet.rivals.network import RivalNetwork

__all__ = ["Card"]


@dataclass(frozen=True)
class Card:
    """One method.

    Attributes:
        name: What the command line calls it.
        title: What its paper calls it.
        network: Its network.
        paper: Authors, title, place and year.
        code: Where its authors keep their code.
        code_license: The terms of that code, of which nothing is in this package.
        weights: Where users get the weights; "" if there are none to get.
        weights_license: Their terms. The package ships none.
        digests: SHA-256 of the files known to be theirs.
        images: What the authors' script does to images before and after the network.
        differs: What is different there from the paper, or here from there.
    """

    name: str
    title: str
    network: type[RivalNetwork]
    paper: str = ""
    code: str = ""
    code_license: str = ""
    weights: str = ""
    weights_license: str = ""
    digests: tuple[str, ...] = field(default=())
    images: str = ""
    differs: str = ""

    @cached_property
    def parameters(self) -> int:
        """Trained values of the network."""
        with torch.device("meta"):
            return count_parameters(self.network())

    def macs(self, height: int, width: int) -> int:
        """Multiply-accumulates for one pair, as `mma_unet.models.count_macs`; 0 if not learned."""
        if not self.parameters:
            return 0
        with torch.device("meta"):
            network = self.network().eval()
            image = network.prepare(torch.zeros(1, 1, height, width))
        return network.passes * count_module_macs(network.once, image, image)

    def lines(self) -> list[tuple[str, str]]:
        """What to show: headings and texts, those without a text left out."""
        size = f"{self.parameters / 1e6:.2f} M parameters"
        macs = self.macs(480, 640) / 1e9
        known = ", ".join(self.digests)
        rows = [
            ("Paper", self.paper),
            ("Code of the authors", f"{self.code} ({self.code_license})" if self.code else ""),
            ("Weights", self.weights),
            ("Terms of the weights", self.weights_license),
            ("SHA-256", known),
            ("Size", f"{size}, {macs:.1f} GMACs for one 480x640 pair" if macs else ""),
            ("Tiles", "yes" if self.network.radius is not None else "no: all pixels matter to all"),
            ("Images", self.images),
            ("Differences", self.differs),
        ]
        return [(heading, text) for heading, text in rows if text]
