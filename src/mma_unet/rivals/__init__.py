"""Other methods, written anew from their papers, with the interface of `Fuser`.

No line is taken from the code of their authors, and no weights of theirs are in the package. Each
method is one file: the network, with parameters named and shaped as in its official checkpoint, and
its card. `docs/rivals.md` says how close each comes to what its authors' code gives.
"""

from mma_unet.rivals.card import Card
from mma_unet.rivals.network import RivalNetwork
from mma_unet.rivals.registry import RIVALS, find_card
from mma_unet.rivals.rival import Rival

__all__ = ["RIVALS", "Card", "Rival", "RivalNetwork", "find_card"]
