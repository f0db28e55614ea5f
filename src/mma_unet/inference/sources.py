"""From what a user has (paths, arrays, tensors) to what the network takes, and back."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mma_unet.data import read_image, to_float
from mma_unet.data.images import BT601
from mma_unet.data.storage import is_remote, locate
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

__all__ = [
    "IR_RANGES",
    "Array",
    "Fused",
    "Image",
    "Source",
    "luminance",
    "read_pair",
    "read_source",
]

Array: TypeAlias = npt.NDArray[Any]
Image: TypeAlias = "str | os.PathLike[str] | Array | Tensor | PILImage"
"""A path, an array `(H, W)` or `(H, W, 3)`, a tensor `(H, W)` or `(1 or 3, H, W)`, or an image of
Pillow."""
Fused: TypeAlias = "Array | Tensor | PILImage"
"""What comes out: of the kind of the visible image."""

IR_RANGES = ("full", "auto")
_ROWS = 256
"""Rows that are counted at once."""


@dataclass(frozen=True)
class Source:
    """One source image, ready for the network, kept in its own sample type to save memory.

    Attributes:
        name: What to call it in an error.
        planes: `(1 or 3, H, W)` samples as they came; floats are in [0, 1].
        dtype: Sample type to restore: `uint8`, `uint16` or floating point.
        stretch: The two sample values that become 0 and 1; None for the range of the type.
        like: The tensor or Pillow image it came as, if it did: the result is one too.
        was_flat: Whether it came without a channel axis.
    """

    name: str
    planes: Array
    dtype: np.dtype[Any]
    stretch: tuple[float, float] | None
    like: Tensor | PILImage | None
    was_flat: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.planes.shape[-2]), int(self.planes.shape[-1])

    def region(self, rows: slice, cols: slice) -> Tensor:
        """The pixels of some rows and columns, `(1 or 3, h, w)` float32 in [0, 1]."""
        part = np.ascontiguousarray(self.planes[:, rows, cols])
        if self.stretch is None:
            return torch.from_numpy(to_float(part, self.name))
        low, high = self.stretch
        scaled = (part.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6))
        return torch.from_numpy(np.clip(scaled, 0, 1, out=scaled))

    @cached_property
    def luminance(self) -> Tensor:
        """BT.601 luminance `(1, H, W)`, float32 in [0, 1]; kept."""
        return self._gray(slice(None), slice(None))

    def gray_region(self, rows: slice, cols: slice) -> Tensor:
        """The luminance of some rows and columns, `(1, h, w)` float32 in [0, 1]."""
        height, width = self.size
        if rows.indices(height) == (0, height, 1) and cols.indices(width) == (0, width, 1):
            return self.luminance
        return self._gray(rows, cols)

    def bytes_region(self, rows: slice, cols: slice) -> Array | None:
        """`(h, w, 3)` bytes of some rows and columns, if it is a color image of bytes."""
        if self.planes.dtype != np.uint8 or len(self.planes) != 3 or self.stretch is not None:
            return None
        return np.ascontiguousarray(self.planes[:, rows, cols].transpose(1, 2, 0))

    def _gray(self, rows: slice, cols: slice) -> Tensor:
        color = self.bytes_region(rows, cols)
        if color is None:
            return luminance(self.region(rows, cols))
        gray = cv2.cvtColor(color.astype(np.float32), cv2.COLOR_RGB2GRAY)
        return torch.from_numpy(gray)[None].div_(255)


def read_pair(ir: Image, vi: Image, *, stretch: bool = False) -> tuple[Source, Source]:
    """Read and check both images of a pair; `stretch` is for IR.

    Raises:
        InputError: As `read_source`, and if the sizes differ.
    """
    pair = read_source(ir, "ir", stretch=stretch), read_source(vi, "vi")
    if pair[0].size != pair[1].size:
        sizes = " and ".join(f"{one.name} is {one.size[1]}x{one.size[0]}" for one in pair)
        raise InputError(f"{sizes} pixels: register or resize them to one size")
    return pair


def read_source(image: Image, name: str, *, stretch: bool = False) -> Source:
    """Read and check one source image.

    Args:
        image: A path, fsspec URL, place from `locate`, array, tensor or image of Pillow.
        name: What to call one that is no file in an error, e.g. `"ir"`.
        stretch: Map the 0.1 % to 99.9 % quantiles of the samples to [0, 1], as raw thermal counts
            need.

    Raises:
        InputError: If the image cannot be read, has another shape or sample type, lies outside
            [0, 1] as floats, or holds NaN.
    """
    if isinstance(image, Tensor):
        return _from_tensor(image, name, stretch)
    like: PILImage | None = None
    if isinstance(image, (str, os.PathLike)) or is_remote(image):
        place = locate(image) if isinstance(image, str) else cast(Path, image)
        name = str(place)
        array: Array = read_image(place)
    else:
        like = image if _is_pillow(image) else None
        array = np.asarray(image) if like is None else _pillow_array(like)
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))) or not array.size:
        raise InputError(f"{name} has shape {array.shape}: give (H, W) or (H, W, 3)")
    array = array[..., :3] if array.ndim == 3 else array  # as in files, alpha is dropped
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return _source(planes, name, stretch, like=like, was_flat=array.ndim == 2)


def _is_pillow(image: object) -> TypeGuard[PILImage]:
    """Whether it is an image of Pillow, which is not imported to find out."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(image, pillow.Image)


def _pillow_array(image: PILImage) -> Array:
    """The samples of a Pillow image as `read_image` gives those of such a file."""
    if image.mode in ("1", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "RGBa", "La"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    elif image.mode in ("LA", "RGBA"):  # alpha is dropped, gray with alpha has three channels
        return np.asarray(image.convert("RGBA"))[..., :3]
    array: Array = np.array(image)  # Pillow's own view is read-only
    if image.mode.startswith("I"):  # 16 bits of a file, in whatever Pillow holds them
        if array.min() < 0 or array.max() > np.iinfo(np.uint16).max:
            return array
        return array.astype(np.uint16)
    return array


def _from_tensor(image: Tensor, name: str, stretch: bool) -> Source:
    planes = image[None] if image.dim() == 2 else image
    if planes.dim() != 3 or planes.shape[0] not in (1, 3) or not planes.numel():
        raise InputError(
            f"{name} has shape {tuple(image.shape)}: give (H, W), (1, H, W) or (3, H, W)"
        )
    floating = planes.is_floating_point()
    samples = (planes.float() if floating else planes).detach().cpu().numpy()
    return _source(samples, name, stretch, like=image, was_flat=image.dim() == 2)


def _source(
    planes: Array,
    name: str,
    stretch: bool,
    *,
    like: Tensor | PILImage | None,
    was_flat: bool,
) -> Source:
    """Check samples `(1 or 3, H, W)`, and find the range to stretch if they are raw counts."""
    kept = planes.dtype in (np.uint8, np.uint16) or planes.dtype.kind == "f"
    dtype = planes.dtype if kept else np.dtype(np.float32)
    if stretch:
        return Source(name, planes, dtype, _quantiles(planes, name), like, was_flat)
    if planes.dtype not in (np.uint8, np.uint16):
        planes = to_float(planes, name)
    return Source(name, planes, dtype, None, like, was_flat)


def _quantiles(planes: Array, name: str) -> tuple[float, float]:
    """The 0.1 % and 99.9 % quantiles of the samples."""
    if planes.dtype.kind not in "uif":
        raise InputError(f"{name} holds {planes.dtype} samples: convert it to uint16 or float32.")
    if planes.dtype in (np.uint8, np.uint16):  # by counting, without a copy of the image
        counts = np.zeros(np.iinfo(planes.dtype).max + 1, np.int64)
        for top in range(0, planes.shape[1], _ROWS):
            part = planes[:, top : top + _ROWS].ravel()
            counts += np.bincount(part, minlength=len(counts))
        ranks = np.cumsum(counts)
        places = (ranks[-1] - 1) * np.array((0.001, 0.999))
        below = np.searchsorted(ranks, np.floor(places), side="right")
        above = np.searchsorted(ranks, np.ceil(places), side="right")
        values: Array = below + (above - below) * (places % 1)
    else:
        if not np.isfinite(planes).all():
            raise InputError(f"{name} holds NaN or infinite values: replace them with numbers.")
        values = np.quantile(planes.astype(np.float32, copy=False), (0.001, 0.999))
    return float(values[0]), float(values[1])


def luminance(pixels: Tensor) -> Tensor:
    """BT.601 luminance `(1, H, W)` of `(1 or 3, H, W)`."""
    if pixels.shape[0] == 1:
        return pixels
    weights = torch.tensor(BT601, dtype=pixels.dtype, device=pixels.device)
    return torch.einsum("c,chw->hw", weights, pixels)[None]
