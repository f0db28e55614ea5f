"""What every network of the room is: two images in, one out, with its authors' way around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

__all__ = ["RivalNetwork", "stretch"]


class RivalNetwork(nn.Module):
    """A network whose parameters are named and shaped as in its authors' checkpoints.

    `forward` is the bare network, `fuse_images` the whole way from image to image, as its authors'
    script goes it.

    Attributes:
        radius: How many pixels away a source pixel can still move a fused one; None if all can.
        bytes_per_pixel: Memory that `forward` holds at its peak, for each pixel of the image.
        least: Smallest height and width that it takes.
        truncates: Whether 8-bit results are cut off, not rounded.
        by_image: Whether batch norm uses the statistics of the image instead of the stored ones.
        passes: How often `once` is run for a pair.
        on_pass: Called with the passes done and those in all, by a network of many.
    """

    radius: ClassVar[int | None] = None
    bytes_per_pixel: ClassVar[int]
    least: ClassVar[int] = 1
    truncates: ClassVar[bool] = False
    by_image: ClassVar[bool] = False
    passes: ClassVar[int] = 1

    def __init__(self) -> None:
        super().__init__()
        self.on_pass: Callable[[int, int], None] = lambda *_: None

    def forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """The network.

        Args:
            ir: What `prepare` gives, `(B, 1, H, W)`.
            vi: The same.

        Returns:
            The fused batch `(B, 1, H, W)`, before `finish`.
        """
        raise NotImplementedError

    def once(self, ir: Tensor, vi: Tensor) -> Tensor:
        """One of the `passes`, for what they cost; takes what `forward` takes."""
        return self(ir, vi)  # type: ignore[no-any-return]

    def prepare(self, image: Tensor) -> Tensor:
        """A luminance `(B, 1, H, W)` in [0, 1] as the network takes it."""
        return image

    def finish(self, fused: Tensor) -> Tensor:
        """What the network returns, as luminance in [0, 1]."""
        return fused.clamp(0, 1)

    def fuse_images(self, ir: Tensor, vi: Tensor) -> Tensor:
        """From luminance to luminance, `(B, 1, H, W)` in [0, 1]."""
        fused: Tensor = self(self.prepare(ir), self.prepare(vi))
        return self.finish(fused)

    def fuse_in_tiles(self, ir: Tensor, vi: Tensor, side: int) -> Tensor:
        """As `fuse_images`, with the same result, window by window.

        A window is run with `radius` pixels around it, so that no border but the image's own
        reaches into what is kept.

        Args:
            ir: `(B, 1, H, W)` in [0, 1].
            vi: The same.
            side: Height and width of what is kept of a window.
        """
        if self.radius is None:
            raise TypeError(f"{type(self).__name__} has no radius")
        ir, vi = self.prepare(ir), self.prepare(vi)
        height, width = ir.shape[-2:]
        fused = torch.empty_like(ir)
        for top in range(0, height, side):
            for left in range(0, width, side):
                above, before = max(top - self.radius, 0), max(left - self.radius, 0)
                rows = slice(above, top + side + self.radius)
                cols = slice(before, left + side + self.radius)
                part = self(ir[..., rows, cols], vi[..., rows, cols])
                core = part[..., top - above :, left - before :][..., :side, :side]
                fused[..., top : top + side, left : left + side] = core
        return self.finish(fused)


def stretch(image: Tensor, spare: float = 0.0) -> Tensor:
    """Every image of a batch `(B, C, H, W)`, stretched from its minimum and maximum to 0 and 1.

    Args:
        image: Any range; a constant image becomes 0.
        spare: Is added to the range before the division.

    Example:
        >>> stretch(torch.tensor([[[[1.0, 2.0, 5.0]]]]))
        tensor([[[[0.0000, 0.2500, 1.0000]]]])
    """
    low = image.amin(dim=(1, 2, 3), keepdim=True)
    extent = image.amax(dim=(1, 2, 3), keepdim=True) - low + spare
    return (image - low) / torch.where(extent > 0, extent, 1)
