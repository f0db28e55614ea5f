"""Torch data sets of image pairs: reading, caching, reproducible augmentation.

Which files make up RoadScene, MSRS and the rest is told by `mma_unet.data.layouts`.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mma_unet.data.images import Array, from_float, luminance, read_image, to_float
from mma_unet.data.infrared import read_infrared
from mma_unet.data.pairs import Pair, Pairing
from mma_unet.errors import InputError

__all__ = ["Item", "PairTransform", "PairedImages", "gray_image"]


class Item(TypedDict):
    """One pair: its name, ``ir`` ``(1, H, W)`` and ``vi`` ``(1 or 3, H, W)`` in [0, 1]."""

    name: str
    ir: Tensor
    vi: Tensor


class PairTransform(Protocol):
    """Anything called as ``PairedAugment`` and ``CenterCrop`` are."""

    def __call__(
        self, ir: Tensor, vi: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Transform ``(C, H, W)`` tensors, ``uint8`` or float in [0, 1], into float ones."""
        ...


class PairedImages(Dataset[Item]):
    """Pairs of registered images as tensors.

    The infrared image is always reduced to its luminance. Eight-bit images stay eight-bit until
    the transform has cropped them; their luminance is rounded to eight bits as in a gray file. Raw
    counts of an infrared file are stretched by the rule of `mma_unet.data.ranges`.

    Randomness does not depend on the number of workers or on the order of reading: item ``i`` of
    epoch ``e``, ``dataset[e, i]``, uses a generator seeded from ``(seed, e, i)``; ``dataset[i]``
    is that of epoch 0.

    Args:
        pairs: A `Pairing` or a sequence of `Pair`.
        channels: 1 for the luminance of the visible image (BT.601), 3 for its RGB.
        transform: Applied to both images; by default they are only scaled to [0, 1].
        cache: Keep the decoded images in memory after the first read; see `preload`.
        seed: Seed of the transform's randomness.

    Raises:
        InputError: There are no pairs or ``channels`` is neither 1 nor 3; on reading an item,
            what `read_image` raises, or the two images of a pair differ in size.
    """

    def __init__(
        self,
        pairs: Pairing | Sequence[Pair],
        *,
        channels: Literal[1, 3] = 1,
        transform: PairTransform | None = None,
        cache: bool = False,
        seed: int = 0,
    ) -> None:
        self.pairs: tuple[Pair, ...] = pairs.pairs if isinstance(pairs, Pairing) else tuple(pairs)
        if not self.pairs:
            raise InputError("a data set without pairs cannot be used: give at least one pair.")
        if channels not in (1, 3):
            raise InputError(f"channels is {channels}: give 1 (luminance) or 3 (RGB).")
        self.channels = channels
        self.transform = transform
        self.seed = seed
        self._cache: dict[int, tuple[Tensor, Tensor]] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, key: int | tuple[int, int]) -> Item:
        """Read, transform and return one pair.

        Args:
            key: Index, from ``-len(self)`` to ``len(self) - 1``, or ``(epoch, index)``.

        Returns:
            ``name``, ``ir`` ``(1, H, W)`` and ``vi`` ``(channels, H, W)``, ``float32`` in [0, 1].
        """
        epoch, index = key if isinstance(key, tuple) else (0, key)
        if not -len(self) <= index < len(self):
            raise IndexError(f"pair {index} of {len(self)}")
        index %= len(self)
        ir, vi = self._load(index)
        if self.transform is not None:
            ir, vi = self.transform(ir, vi, self._generator(epoch, index))
        return {"name": self.pairs[index].name, "ir": _scaled(ir), "vi": _scaled(vi)}

    def __iter__(self) -> Iterator[Item]:
        return (self[i] for i in range(len(self)))

    def preload(self) -> None:
        """Read everything into the cache now.

        Worth calling before a `DataLoader` forks its workers, which then share one copy.
        Without ``cache=True`` it only checks that every pair can be read.
        """
        for index in range(len(self)):
            self._load(index)

    def _load(self, index: int) -> tuple[Tensor, Tensor]:
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        pair = self.pairs[index]
        (ir, _), vi = read_infrared(pair.ir), read_image(pair.vi)
        if ir.shape[:2] != vi.shape[:2]:
            raise InputError(
                f"{pair.ir} is {ir.shape[1]}x{ir.shape[0]} and {pair.vi} is "
                f"{vi.shape[1]}x{vi.shape[0]} pixels: register or resize them to one size."
            )
        vi = luminance(vi) if self.channels == 1 else _as_rgb(vi)
        loaded = _tensor(luminance(ir), pair.ir), _tensor(vi, pair.vi)
        if self._cache is not None:
            self._cache[index] = loaded
        return loaded

    def _generator(self, epoch: int, index: int) -> torch.Generator:
        state = np.random.SeedSequence([self.seed, epoch, index]).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def _as_rgb(array: Array) -> Array:
    return array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2)


def _tensor(array: Array, source: object) -> Tensor:
    """``(C, H, W)``: ``uint8`` as it is, anything else as ``float32`` in [0, 1]."""
    if array.dtype != np.uint8:
        array = to_float(array, str(source))
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))


def _scaled(image: Tensor) -> Tensor:
    """A float copy, so that nobody can change what lies in the cache."""
    if image.dtype == torch.uint8:
        return image.to(torch.float32).div_(255.0)
    return image.clone()


def gray_image(image: Tensor) -> npt.NDArray[np.uint8]:
    """The gray image that a tensor would be as a file: clipped, rounded half up to 8 bits.

    Args:
        image: One plane `(H, W)`, or with leading axes of length 1; in [0, 1], on any device.

    Returns:
        `(H, W)`.

    Raises:
        InputError: The tensor holds NaN or infinity.

    Example:
        >>> gray_image(torch.tensor([[[[-0.5, 0.5, 1.0]]]])).tolist()
        [[0, 128, 255]]
    """
    plane = image.reshape(image.shape[-2:])
    gray: npt.NDArray[np.uint8] = from_float(plane.cpu().numpy(), np.uint8)
    return gray
