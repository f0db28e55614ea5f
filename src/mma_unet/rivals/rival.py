"""`Rival`: another method with the interface of `Fuser`.

See Also:
    `mma_unet.inference.Fuser`: ours. `mma_unet.rivals.registry`: what methods there are.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.inference.canvas import Canvas
from mma_unet.inference.engine import Engine
from mma_unet.inference.memory import memory_budget
from mma_unet.inference.runtimes.with_torch import torch_threads
from mma_unet.inference.sources import Fused, Source
from mma_unet.rivals.card import Card
from mma_unet.rivals.checkpoint import digest, find_weights, load_network
from mma_unet.rivals.network import RivalNetwork
from mma_unet.rivals.registry import RIVALS, find_card

__all__ = ["Rival"]

_LEAST_TILE = 64


class Rival(Engine):
    """Fuse registered infrared and visible images by the method of others.

    Sources are read and results are written as by `Fuser`: the luminance is fused, and the result
    takes the color, the size and the sample type of the visible image.

    Args:
        method: A name of `RIVALS`, of a plug-in, or `"module:function"` (see `find_card`); or a
            card.
        weights: Its checkpoint; if `None`, the one that `mma-unet rivals get` has kept.
        device: `"auto"` (CUDA if there is one), `"cpu"`, `"cuda"`, `"cuda:1"`, ...
        threads: CPU threads; as many as PyTorch uses if `None`.
        gray: Return the fused luminance without color.
        **reading: `ir_range`, `ir_valid`, `max_memory`, `page`, `strip` and `ir_slot` as for
            `Fuser`; larger images are fused in tiles where the method allows it.

    Attributes:
        card: What is known of the method.
        weights: The checkpoint that was read; None for a method without parameters.
        on_tile: Called with the passes done and those in all while one image is fused in many.

    Raises:
        InputError: The method is unknown, or its weights are not there or not its own.

    Example:
        >>> import numpy as np
        >>> ir = np.zeros((48, 70), np.uint8)
        >>> vi = np.zeros((48, 70, 3), np.uint8)
        >>> Rival("gff")(ir, vi).shape
        (48, 70, 3)
    """

    def __init__(
        self,
        method: str | Card,
        *,
        weights: str | os.PathLike[str] | None = None,
        device: str = "auto",
        threads: int | None = None,
        gray: bool = False,
        **reading: Any,
    ) -> None:
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        super().__init__(device, **reading)
        self.card: Card = method if isinstance(method, Card) else find_card(method)
        self.weights: Path | None = None
        if self.card.parameters:
            self.weights = find_weights(self.card, weights)
            network = load_network(self.card, self.weights, RIVALS)
        elif weights is None:
            network = self.card.network()
        else:
            raise InputError(f"{self.card.name} has no parameters: leave {weights} out")
        network.train(network.by_image).requires_grad_(False)
        self.network: RivalNetwork = network.to(self.device)
        self.gray, self._threads = gray, threads
        self.on_tile: Callable[[int, int], None] = lambda *_: None
        network.on_pass = lambda done, passes: self.on_tile(done, passes)

    def __repr__(self) -> str:
        return f"Rival({self.card.name!r}, device={str(self.device)!r})"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights; "" without weights."""
        return "" if self.weights is None else digest(self.weights)

    def expect(self, pairs: int) -> None:
        """As `Fuser.expect`; nothing is chosen by it here."""

    def fuse_sources(self, sources: Sequence[tuple[Source, Source]]) -> list[Fused]:
        """Fuse pairs that `read` has returned."""
        return [self._fuse(ir, vi) for ir, vi in sources]

    def _fuse(self, ir: Source, vi: Source) -> Fused:
        height, width = vi.size
        least = self.network.least
        if min(vi.size) < least:
            raise InputError(
                f"{vi.name}: {width}x{height} pixels are too few for {self.card.title}, which "
                f"needs {least}x{least}"
            )
        try:
            with torch.inference_mode(), torch_threads(self._threads):
                fused = self._run(_gray(ir).to(self.device), _gray(vi).to(self.device), vi.name)
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error) and not isinstance(error, MemoryError):
                raise
            raise InputError(
                f"{vi.name}: not enough memory for {width}x{height} pixels by {self.card.title}; "
                "use --max-memory, or smaller images"
            ) from error
        if self.network.truncates and vi.dtype == np.uint8:
            fused = (fused * 255).floor() / 255
        canvas = Canvas(vi, gray=self.gray, ir=ir)
        canvas.paint(slice(None), slice(None), fused[0])
        return canvas.result()

    def _run(self, ir: Tensor, vi: Tensor, name: str) -> Tensor:
        """Fuse `(1, 1, H, W)`, whole if the memory suffices, else in tiles if the method can."""
        pixels = ir.shape[-2] * ir.shape[-1]
        per_pixel, radius = self.network.bytes_per_pixel, self.network.radius
        spare = memory_budget(self.max_memory, self.device)
        if pixels * per_pixel <= spare:
            return self.network.fuse_images(ir, vi)
        if radius is None:
            if self.max_memory is None:  # a guess of ours must not refuse what may succeed
                return self.network.fuse_images(ir, vi)
            raise InputError(
                f"{name}: {self.card.title} needs about {pixels * per_pixel / 1e6:.0f} MB beyond "
                "what is held and cannot be run in tiles; allow more with --max-memory"
            )
        side = max(math.isqrt(max(spare, 0) // per_pixel) - 2 * radius, _LEAST_TILE)
        return self.network.fuse_in_tiles(ir, vi, side)


def _gray(source: Source) -> Tensor:
    """The luminance as others read it, `(1, 1, H, W)`: of bytes, whole gray levels."""
    gray = source.luminance[None]
    if source.dtype == np.uint8 and len(source.planes) == 3 and source.stretch is None:
        return (gray * 255).round() / 255
    return gray
