"""What fuses pairs: `Fuser`, and the methods of others with the same interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mma_unet.inference.sources import Fused, Image, Source

__all__ = ["Engine"]


class Engine(Protocol):
    """What folders, videos and comparisons ask of a method; `Fuser` says what each means."""

    def expect(self, pairs: int) -> None:
        """Say how many pairs are to come."""

    def read(self, ir: Image, vi: Image) -> tuple[Source, Source]:
        """Read and check one pair."""
        ...

    def fuse_sources(self, sources: Sequence[tuple[Source, Source]]) -> list[Fused]:
        """Fuse pairs that `read` has returned."""
        ...

    def fuse_batch(self, pairs: Sequence[tuple[Image, Image]]) -> list[Fused]:
        """Fuse several pairs."""
        ...
