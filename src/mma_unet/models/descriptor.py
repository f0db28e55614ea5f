"""What a network, or a file exported from one, can do.

See also: `mma_unet.inference.runtimes`, which runs both alike.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Descriptor"]


@dataclass(frozen=True)
class Descriptor:
    """What whoever runs a model must know of it, so that nobody asks what it is.

    Attributes:
        in_channels: Channels of each source and of the fused image, 1 or 3.
        size_multiple: Height and width of the input must be multiples of this.
        tiles: Whether its parts can be run on tiles of an image (a network; not an exported file).
        precisions: What it can be reckoned in, of `"fp32"`, `"bf16"` and `"int8"`.

    Example:
        >>> from mma_unet.models import MMAUNet, preset
        >>> MMAUNet(preset("tiny")).describe()
        Descriptor(in_channels=1, size_multiple=16, tiles=True, precisions=('fp32', 'bf16'))
    """

    in_channels: int
    size_multiple: int
    tiles: bool
    precisions: tuple[str, ...]
