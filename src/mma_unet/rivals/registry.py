"""The methods there are: those of this room, those of other packages, and a function of one's own.

Example:
    >>> sorted(RIVALS)
    ['cddfuse', 'ddfm', 'gff', 'ignet', 'lrrnet', 'mfeif', 'tardal', 'tgfuse']
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.rivals import cddfuse, ddfm, gff, ignet, lrrnet, mfeif, tardal, tgfuse
from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork

__all__ = ["GROUP", "RIVALS", "find_card"]

RIVALS: dict[str, Card] = {
    module.CARD.name: module.CARD
    for module in (lrrnet, cddfuse, mfeif, tgfuse, ignet, tardal, ddfm, gff)
}
"""The methods of this room by name: in the order of the paper's Table 1, then the classical."""

GROUP = "mma_unet.methods"
"""Entry points of other packages: a `Card`, or a function of two images."""

Gray = npt.NDArray[np.float32]


def find_card(name: str) -> Card:
    """The method of a name.

    Args:
        name: One of `RIVALS`, the name of an entry point in the group `mma_unet.methods`, or
            `"module:function"`: a function that takes `(ir, vi)`, each `(H, W)` `float32` in
            [0, 1], and returns the fused image alike; or a `Card`.

    Raises:
        InputError: There is none, or what is there is no method.
    """
    if name in RIVALS:
        return RIVALS[name]
    plugins = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name in plugins:
        place = plugins[name].value
    elif ":" in name:
        name, place = name.rpartition(":")[2].rpartition(".")[2], name
    else:
        known = ", ".join([*RIVALS, *plugins])
        raise InputError(f"unknown method {name!r}: use one of {known}, or MODULE:FUNCTION")
    module, _, attribute = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"method {place}: cannot be imported ({error})") from error
    if isinstance(found, Card):
        return found
    if not callable(found):
        raise InputError(f"method {place}: is no function of two images and no Card")
    return Card(name, name, _network_of(found, place), images="a function of two gray images")


def _network_of(function: Callable[[Gray, Gray], Any], place: str) -> type[RivalNetwork]:
    """A function of two images as a network without parameters."""

    class Function(RivalNetwork):
        bytes_per_pixel = 0

        def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
            pairs = zip(ir.cpu().numpy()[:, 0], vi.cpu().numpy()[:, 0], strict=True)
            fused = [np.asarray(function(*pair), np.float32) for pair in pairs]
            if any(one.shape != ir.shape[-2:] for one in fused):
                raise InputError(
                    f"method {place}: returns {fused[0].shape}, not {tuple(ir.shape[-2:])}"
                )
            return torch.from_numpy(np.stack(fused))[:, None].to(ir.device)

    Function.__module__ = getattr(function, "__module__", None) or __name__
    return Function
