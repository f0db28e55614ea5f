"""From what a user has (paths, arrays, tensors) to what the network takes, and back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mma_unet.data import from_float, read_image, to_float
from mma_unet.data.images import BT601
from mma_unet.data.storage import is_remote, locate
from mma_unet.errors import InputError

__all__ = ["IR_RANGES", "Array", "Image", "Source", "luminance", "read_source", "restore"]

Array: TypeAlias = npt.NDArray[Any]
Image: TypeAlias = str | os.PathLike[str] | Array | Tensor
"""A path, an array `(H, W)` or `(H, W, 3)`, or a tensor `(H, W)` or `(1 or 3, H, W)`."""

IR_RANGES = ("full", "auto")


@dataclass(frozen=True)
class Source:
    """One source image, ready for the network.

    Attributes:
        name: What to call it in an error.
        pixels: `(1 or 3, H, W)` float32 in [0, 1].
        dtype: Sample type to restore: `uint8`, `uint16` or `float32`.
        like: The tensor it came as, if it did: the result is one of its type and device.
        was_flat: Whether it came without a channel axis.
    """

    name: str
    pixels: Tensor
    dtype: np.dtype[Any]
    like: Tensor | None
    was_flat: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.pixels.shape[-2]), int(self.pixels.shape[-1])


def read_source(image: Image, name: str, *, stretch: bool = False) -> Source:
    """Read and check one source image.

    Args:
        image: A path, fsspec URL, place from `locate`, array or tensor.
        name: What to call an array or tensor in an error, e.g. `"ir"`.
        stretch: Map the 0.1 % to 99.9 % quantiles of the samples to [0, 1], as raw thermal counts
            need.

    Raises:
        InputError: If the image cannot be read, has another shape or sample type, lies outside
            [0, 1] as floats, or holds NaN.
    """
    if isinstance(image, Tensor):
        return _from_tensor(image, name, stretch)
    if isinstance(image, (str, os.PathLike)) or is_remote(image):
        place = locate(image) if isinstance(image, str) else cast(Path, image)
        name = str(place)
        array: Array = read_image(place)
    else:
        array = np.asarray(image)
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))) or not array.size:
        raise InputError(f"{name} has shape {array.shape}: give (H, W) or (H, W, 3)")
    array = array[..., :3] if array.ndim == 3 else array  # as in files, alpha is dropped
    dtype = array.dtype if array.dtype in (np.uint8, np.uint16) else np.dtype(np.float32)
    values = _stretch(array, name) if stretch else to_float(array, name)
    planes = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    pixels = torch.from_numpy(np.ascontiguousarray(planes))
    return Source(name, pixels, dtype, like=None, was_flat=array.ndim == 2)


def _from_tensor(image: Tensor, name: str, stretch: bool) -> Source:
    planes = image[None] if image.dim() == 2 else image
    if planes.dim() != 3 or planes.shape[0] not in (1, 3) or not planes.numel():
        raise InputError(
            f"{name} has shape {tuple(image.shape)}: give (H, W), (1, H, W) or (3, H, W)"
        )
    values = _stretch if stretch else to_float
    floating = planes.is_floating_point()
    array = values((planes.float() if floating else planes).detach().cpu().numpy(), name)
    pixels = torch.from_numpy(np.ascontiguousarray(array))
    dtype = np.dtype(np.float32 if floating else str(image.dtype).removeprefix("torch."))
    return Source(name, pixels, dtype, like=image, was_flat=image.dim() == 2)


def _stretch(array: Array, name: str) -> npt.NDArray[np.float32]:
    if array.dtype.kind not in "uif":
        raise InputError(f"{name} holds {array.dtype} samples: convert it to uint16 or float32.")
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds NaN or infinite values: replace them with numbers.")
    low, high = np.quantile(values, (0.001, 0.999))
    scaled: npt.NDArray[np.float32] = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    return scaled


def luminance(pixels: Tensor) -> Tensor:
    """BT.601 luminance `(1, H, W)` of `(1 or 3, H, W)`."""
    if pixels.shape[0] == 1:
        return pixels
    weights = torch.tensor(BT601, dtype=pixels.dtype, device=pixels.device)
    return torch.einsum("c,chw->hw", weights, pixels)[None]


def restore(fused: Tensor, vi: Source, *, gray: bool) -> Array | Tensor:
    """Give a fused luminance the colour, sample type and layout of its visible image.

    Changing Y of YCbCr and keeping Cb and Cr adds the change of Y to each of R, G and B.

    Args:
        fused: `(1 or 3, H, W)` in [0, 1]; three channels are taken as the colour image itself.
        vi: The visible source.
        gray: Return the luminance alone.
    """
    pixels = vi.pixels.to(fused.device)
    if gray or pixels.shape[0] == 1:
        result = luminance(fused)
    elif fused.shape[0] == 3:
        result = fused
    else:
        result = pixels + (fused - luminance(pixels))
    planes = result.cpu().numpy()
    flat = planes.shape[0] == 1 and (vi.was_flat or gray)
    if vi.like is not None:
        samples = torch.from_numpy(from_float(planes, vi.dtype)).to(vi.like)
        return samples[0] if flat and vi.was_flat else samples
    array = from_float(planes, vi.dtype)
    return array[0] if flat else np.ascontiguousarray(array.transpose(1, 2, 0))
