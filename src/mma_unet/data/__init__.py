"""Images and pairs: reading, writing, pairing, data sets, augmentation, the synthetic scene.

The names below are loaded on first use, so that importing the package stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mma_unet.data.datasets import PairedImages
    from mma_unet.data.images import from_float, read_image, to_float, write_image
    from mma_unet.data.layouts import open_dataset, open_split
    from mma_unet.data.pairs import Pair, Pairing, find_pairs
    from mma_unet.data.transforms import CenterCrop, PairedAugment
    from mma_unet.scene import Scene, render_scene, render_sequence

_HOMES = {
    "CenterCrop": "transforms",
    "Pair": "pairs",
    "PairedAugment": "transforms",
    "PairedImages": "datasets",
    "Pairing": "pairs",
    "Scene": "scene",
    "find_pairs": "pairs",
    "from_float": "images",
    "open_dataset": "layouts",
    "open_split": "layouts",
    "read_image": "images",
    "render_scene": "scene",
    "render_sequence": "scene",
    "to_float": "images",
    "write_image": "images",
}

__all__ = [
    "CenterCrop",
    "Pair",
    "PairedAugment",
    "PairedImages",
    "Pairing",
    "Scene",
    "find_pairs",
    "from_float",
    "open_dataset",
    "open_split",
    "read_image",
    "render_scene",
    "render_sequence",
    "to_float",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
