"""CKA of all pairs of layers of a pair of encoders, over the minibatches of a set of image pairs.

One pass over the images serves all matrices of a training: VI with VI, IR with IR, and IR with VI.
What has been accumulated is kept in a file after each batch, so that an interrupted run
goes on where it was.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.analysis.cka import MinibatchCKA, gram
from mma_unet.analysis.encoders import Encoders
from mma_unet.analysis.layers import encode_with_grams, operations
from mma_unet.data import Pair, PairedImages
from mma_unet.errors import InputError
from mma_unet.files import replacing

__all__ = ["MATRICES", "Batches", "CenterSquare", "accumulate", "load_sums", "matrices"]

MATRICES = ("vi", "ir", "cross", "images")
"""VI by VI, IR by IR, IR (rows) by VI (columns), and the IR by the VI images themselves."""

_SUMS = ("cross", "self_a", "self_b")


@dataclass(frozen=True)
class CenterSquare:
    """The largest central square, scaled to a side of `size` pixels."""

    size: int

    def __call__(
        self, ir: Tensor, vi: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Cut and scale a pair of `(C, H, W)` images of one size; results are float in [0, 1]."""
        del generator
        return self._one(ir), self._one(vi)

    def _one(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[:, top : top + side, left : left + side]
        image = image / 255 if image.dtype == torch.uint8 else image.float()
        size = (self.size, self.size)
        return F.interpolate(image[None], size, mode="bilinear", antialias=True)[0].clamp(0, 1)


class Batches:
    """The image pairs of an analysis, shuffled once by a fixed seed and split evenly.

    Args:
        pairs: At least 4.
        size: Side of the square images in pixels, see `CenterSquare`.
        batch: Pairs in a batch, at least 4; as many batches as come closest to it.

    Attributes:
        size: As given.
        parts: For each batch, the places of its pairs in `pairs`.

    Raises:
        InputError: If there are too few pairs, or `batch` is too small.
    """

    def __init__(self, pairs: Sequence[Pair], *, size: int, batch: int) -> None:
        if len(pairs) < 4 or batch < 4:
            raise InputError(
                f"{len(pairs)} pairs in batches of {batch}: the unbiased CKA needs at least 4 in a "
                "batch"
            )
        order = np.random.default_rng(0).permutation(len(pairs))
        count = min(max(round(len(pairs) / batch), 1), len(pairs) // 4)
        self.parts = [part.tolist() for part in np.array_split(order, count)]
        self.size = size
        self._pairs = tuple(pairs)
        self._sets: dict[int, PairedImages] = {}

    def __len__(self) -> int:
        return len(self.parts)

    def read(self, index: int, channels: int) -> tuple[Tensor, Tensor]:
        """Infrared and visible images of batch `index`, each `(B, channels, size, size)`."""
        if channels not in self._sets:
            self._sets[channels] = PairedImages(
                self._pairs, channels=1 if channels == 1 else 3, transform=CenterSquare(self.size)
            )
        items = [self._sets[channels][place] for place in self.parts[index]]
        ir = torch.stack([item["ir"] for item in items]).expand(-1, channels, -1, -1)
        return ir.contiguous(), torch.stack([item["vi"] for item in items])


def accumulate(
    encoders: Encoders, batches: Batches, cache: Path, *, device: str = "cpu"
) -> Iterator[int]:
    """Add every batch that the cache does not hold yet.

    Args:
        encoders: Of one training.
        batches: The images.
        cache: File of the sums; one for each choice of encoders and images.
        device: Where the networks run.

    Yields:
        How many batches are done: once at the start, then after each one.

    Raises:
        InputError: The sides of the images are no multiple of what the encoders need, or what
            `PairedImages` raises.
    """
    if batches.size % encoders.size_multiple:
        raise InputError(
            f"a size of {batches.size} pixels: give a multiple of {encoders.size_multiple}"
        )
    sums = load_sums(cache)
    done = sums["vi"].batches
    yield done
    vi_encoder, ir_encoder = encoders.vi.to(device), encoders.ir.to(device)
    for index in range(done, len(batches)):
        ir, vi = batches.read(index, encoders.config.in_channels)
        features, vi_grams = encode_with_grams(vi_encoder, vi.to(device))
        _, ir_grams = encode_with_grams(ir_encoder, ir.to(device), features)
        sums["vi"].update(vi_grams, vi_grams)
        sums["ir"].update(ir_grams, ir_grams)
        sums["cross"].update(ir_grams, vi_grams)
        sums["images"].update([gram(ir)], [gram(vi)])
        _save_sums(sums, cache)
        yield index + 1


def matrices(encoders: Encoders, cache: Path) -> dict[str, np.ndarray]:
    """CKA over operations by name of `MATRICES`, from finished sums.

    Raises:
        RuntimeError: The cache does not fit the encoders.
    """
    found = {name: total.compute().numpy() for name, total in load_sums(cache).items()}
    vi = len(operations(len(encoders.vi.levels), guided=False))
    ir = len(operations(len(encoders.ir.levels), guided=encoders.config.guided))
    if [found[name].shape for name in MATRICES] != [(vi, vi), (ir, ir), (ir, vi), (1, 1)]:
        raise RuntimeError(f"{cache} is of other encoders")
    return found


def load_sums(cache: Path) -> dict[str, MinibatchCKA]:
    """What `accumulate` has kept; empty sums if there is nothing that can be read."""
    sums = {name: MinibatchCKA() for name in MATRICES}
    try:
        with np.load(cache) as file:
            for name, total in sums.items():
                for part in _SUMS:
                    setattr(total, part, torch.from_numpy(file[f"{name}_{part}"]))
                total.batches = int(file["batches"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return {name: MinibatchCKA() for name in MATRICES}
    return sums


def _save_sums(sums: dict[str, MinibatchCKA], cache: Path) -> None:
    arrays = {
        f"{name}_{kind}": getattr(total, kind).cpu().numpy()
        for name, total in sums.items()
        for kind in _SUMS
    }
    with replacing(cache) as part, part.open("wb") as file:
        np.savez(file, batches=np.array(sums["vi"].batches), **arrays)
