"""What fuses pairs: the part that `Fuser` and the methods of others have in common.

See also: `mma_unet.inference.sources`, one image; `mma_unet.inference.ir_slot`, what it is of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

from mma_unet.data.ranges import IrRange, check_ir_range
from mma_unet.inference.ir_slot import PLAIN, IrSlot
from mma_unet.inference.memory import parse_memory, reading_budget
from mma_unet.inference.placement import Align, Placement
from mma_unet.inference.runtimes.choose import choose_device
from mma_unet.inference.sources import (
    Fused,
    Image,
    Mask,
    Source,
    read_infrared_source,
    read_source,
    valid_pixels,
)

__all__ = ["Engine"]


class Engine(ABC):
    """What folders, videos and comparisons ask of a method; the arguments are those of `Fuser`.

    Raises:
        InputError: The device is not there, or a value is none of those that are known.
    """

    def __init__(
        self,
        device: str,
        *,
        ir_range: IrRange = "auto",
        ir_valid: Image | None = None,
        max_memory: str | int | None = None,
        page: int | None = None,
        strip: bool = False,
        ir_slot: IrSlot = PLAIN,
        align: Align = None,
    ) -> None:
        check_ir_range(ir_range)
        self.device = choose_device(device)
        self.valid = None if ir_valid is None else valid_pixels(ir_valid)
        self.max_memory = None if max_memory is None else parse_memory(max_memory)
        self.ir_range, self.page, self.strip, self.ir_slot = ir_range, page, strip, ir_slot
        self.placement = align if isinstance(align, Placement) else Placement(align)

    def __call__(self, ir: Image, vi: Image, *, ir_valid: Image | None = None) -> Fused:
        """Fuse one pair.

        Args:
            ir: A path, an array `(H, W)` or `(H, W, 3)`, a tensor `(H, W)` or `(C, H, W)`, or an
                image of Pillow; of any real type. A palette is looked up and alpha dropped, as in
                files; color is reduced to luminance.
            vi: The same, of the same height and width unless `align` is given; `uint8`, `uint16` or
                floats in [0, 1]; or `ir` again, if the file holds both.
            ir_valid: The mask for this pair instead of that of all.

        Returns:
            The fused image with the shape, sample type and kind (array, tensor or image of Pillow)
            of `vi`; an array for a path. With `gray`, its luminance.

        Raises:
            InputError: If an image cannot be used or the sizes differ.
        """
        return self.fuse_sources([self.read(ir, vi, ir_valid)])[0]

    def fuse_batch(self, pairs: Sequence[tuple[Image, Image]]) -> list[Fused]:
        """Fuse several pairs, those of one size together; results in the order of `pairs`."""
        self.expect(len(pairs))
        return self.fuse_sources([self.read(ir, vi) for ir, vi in pairs])

    def read(self, ir: Image, vi: Image, ir_valid: Image | None = None) -> tuple[Source, Source]:
        """Read and check one pair; takes and raises what calling the `Fuser` does."""
        mask = self.valid if ir_valid is None else valid_pixels(ir_valid)
        limit = partial(reading_budget, self.max_memory, self.device)
        reader = partial(
            _read_pair, ir_range=self.ir_range, valid=mask, page=self.page, limit=limit
        )
        return self.placement(*self.ir_slot.read(ir, vi, reader))

    @abstractmethod
    def expect(self, pairs: int) -> None:
        """Say how many pairs are to come."""

    @abstractmethod
    def fuse_sources(self, sources: Sequence[tuple[Source, Source]]) -> list[Fused]:
        """Fuse pairs that `read` has returned."""


def _read_pair(
    ir: Image,
    vi: Image,
    names: tuple[str, str] = ("ir", "vi"),
    *,
    ir_range: IrRange,
    valid: Mask | None,
    page: int | None,
    limit: Callable[[], int | None],
) -> tuple[Source, Source]:
    """Read and check a pair; `limit` tells before each how much memory decoding may take.

    `names` are for images that are no files.

    Raises:
        InputError: What `read_infrared_source` and `read_source` raise.
    """
    infrared = read_infrared_source(
        ir, names[0], ir_range=ir_range, valid=valid, page=page, max_bytes=limit()
    )
    return infrared, read_source(vi, names[1], page=page, max_bytes=limit())
