"""From what a user has (paths, arrays, tensors) to what the network takes, and back."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mma_unet.data import to_float
from mma_unet.data.channels import is_picture
from mma_unet.data.images import BT601, read_photo
from mma_unet.data.infrared import understand
from mma_unet.data.metadata import Metadata
from mma_unet.data.ranges import IrRange, RangeMemory, scaled
from mma_unet.data.storage import as_place, is_remote
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

__all__ = [
    "Array", "Fused", "Image", "Source", "luminance", "read_infrared_source",
    "read_source", "valid_pixels",
]  # fmt: skip

Array: TypeAlias = npt.NDArray[Any]
Mask: TypeAlias = npt.NDArray[np.bool_]
Image: TypeAlias = "str | os.PathLike[str] | Array | Tensor | PILImage"
"""A path, an array `(H, W)` or `(H, W, 3)`, a tensor `(H, W)` or `(1 or 3, H, W)`, or an image of
Pillow."""
Fused: TypeAlias = "Array | Tensor | PILImage"
"""What comes out: of the kind of the visible image."""


@dataclass(frozen=True)
class Source:
    """One source image, ready for the network, kept in its own sample type to save memory.

    Attributes:
        name: What to call it in an error.
        planes: `(1 or 3, H, W)` samples as they came; floats that are not stretched are in [0, 1].
        dtype: Sample type to restore: `uint8`, `uint16` or floating point.
        stretch: The two sample values that become 0 and 1; None for the range of the type.
        like: The tensor or Pillow image it came as, if it did: the result is one too.
        was_flat: Whether it came without a channel axis.
        alpha: `(H, W)`, the alpha channel of the file that it is.
        metadata: What that file carries beside its pixels.
        share: `(H, W)` share of the fused image, 0 where this infrared source has no value; None
            if it has one everywhere.
        note: What was done to the samples or is to be said of them, in lines; empty if nothing.
    """

    name: str
    planes: Array
    dtype: np.dtype[Any]
    stretch: tuple[float, float] | None
    like: Tensor | PILImage | None
    was_flat: bool
    alpha: Array | None = None
    metadata: Metadata | None = None
    share: npt.NDArray[np.float32] | None = None
    note: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.planes.shape[-2]), int(self.planes.shape[-1])

    def region(self, rows: slice, cols: slice) -> Tensor:
        """The pixels of some rows and columns, `(1 or 3, h, w)` float32 in [0, 1]."""
        part = np.ascontiguousarray(self.planes[:, rows, cols])
        return torch.from_numpy(scaled(part, self.stretch, self.name))

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

    def blended(self, vi: Source, rows: slice, cols: slice, fused: Tensor) -> Tensor:
        """A window of the fused image, which is `vi` where this infrared source has no value.

        Args:
            vi: The visible source.
            rows: The rows of the window.
            cols: Its columns.
            fused: `(1 or 3, h, w)` in [0, 1].
        """
        if self.share is None:
            return fused
        visible = vi.region(rows, cols) if len(fused) == 3 else vi.gray_region(rows, cols)
        share = torch.from_numpy(self.share[rows, cols])[None].to(fused)
        return torch.lerp(visible.to(fused).expand_as(fused), fused, share.expand_as(fused))

    def _gray(self, rows: slice, cols: slice) -> Tensor:
        color = self.bytes_region(rows, cols)
        if color is None:
            return luminance(self.region(rows, cols))
        gray = cv2.cvtColor(color.astype(np.float32), cv2.COLOR_RGB2GRAY)
        return torch.from_numpy(gray)[None].div_(255)


def read_source(
    image: Image, name: str, *, page: int | None = None, max_bytes: int | None = None
) -> Source:
    """Read and check one visible source image.

    Args:
        image: A path, fsspec URL, place from `locate`, array, tensor or image of Pillow.
        name: What to call one that is no file in an error, e.g. `"vi"`.
        page: Which page of a TIFF file, from 1 on.
        max_bytes: The most memory that decoding a file may take; what is free by default.

    Raises:
        InputError: If the image cannot be read, has another shape or sample type, lies outside
            [0, 1] as floats, or holds NaN.
    """
    source, _ = _read(image, name, page, max_bytes, raw=False)
    if source.planes.dtype in (np.uint8, np.uint16):
        return source
    return replace(source, planes=to_float(source.planes, source.name))


def read_infrared_source(
    image: Image,
    name: str = "ir",
    *,
    ir_range: IrRange = "auto",
    valid: Mask | None = None,
    nodata: float | None = None,
    memory: RangeMemory | None = None,
    page: int | None = None,
    max_bytes: int | None = None,
) -> Source:
    """Read an infrared source image, whatever it measures, by the rule of `mma_unet.data.ranges`.

    Args:
        image: As for `read_source`; of any real sample type, and with NaN where there is no value.
        name: What to call one that is no file in an error.
        ir_range: The rule, or the range itself.
        valid: `(H, W)`, False where there is no value.
        nodata: The sample that means "no data" in an array; a file may name its own.
        memory: Of the video that it is a frame of.
        page: As for `read_source`.
        max_bytes: As for `read_source`.

    Raises:
        InputError: If the image cannot be read, has another shape, a sample type that is no number,
            no value at all, or another size than `valid`.
    """
    source, tag = _read(image, name, page, max_bytes, raw=True)
    if valid is not None and valid.shape != source.size:
        sizes = " and ".join(f"{size[1]}x{size[0]}" for size in (valid.shape, source.size))
        raise InputError(f"the mask of valid pixels and {source.name} are {sizes}: give one size")
    found = understand(
        source.planes, source.name, ir_range=ir_range, valid=valid, memory=memory,
        nodata=tag if nodata is None else nodata,
    )  # fmt: skip
    return replace(
        source, planes=found.planes, stretch=found.range, share=found.share,
        note="\n".join(filter(None, (source.note, found.note))),
    )  # fmt: skip


def _read(
    image: Image, name: str, page: int | None, max_bytes: int | None, *, raw: bool
) -> tuple[Source, float | None]:
    """Samples as they are; and what means "no data", if the file says so."""
    if isinstance(image, Tensor):
        return _from_tensor(image, name), None
    like: PILImage | None = None
    nodata: float | None = None
    alpha, metadata, note = None, None, ""
    if isinstance(image, (str, os.PathLike)) or is_remote(image):
        place = as_place(cast("str | Path", image))
        name = str(place)
        photo = read_photo(place, page=page, max_bytes=max_bytes, raw=raw)
        array: Array = photo.pixels
        alpha, metadata, nodata = photo.alpha, photo.metadata, photo.nodata
        if photo.fourth is not None and is_picture(photo.fourth):
            alpha = None
            note = (
                f"{name}: its fourth channel varies like a picture, so it is no alpha and is left "
                "out: --ir-channel 4 fuses it as the infrared image"
            )
    else:
        like = image if _is_pillow(image) else None
        array = np.asarray(image) if like is None else _pillow_array(like)
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))) or not array.size:
        raise InputError(f"{name} has shape {array.shape}: give (H, W) or (H, W, 3)")
    array = array[..., :3] if array.ndim == 3 else array  # as in files, alpha is dropped
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    source = _source(planes, name, like=like, was_flat=array.ndim == 2)
    return replace(source, alpha=alpha, metadata=metadata, note=note), nodata


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


def _from_tensor(image: Tensor, name: str) -> Source:
    planes = image[None] if image.dim() == 2 else image
    if planes.dim() != 3 or planes.shape[0] not in (1, 3) or not planes.numel():
        raise InputError(
            f"{name} has shape {tuple(image.shape)}: give (H, W), (1, H, W) or (3, H, W)"
        )
    floating = planes.is_floating_point()
    samples = (planes.float() if floating else planes).detach().cpu().numpy()
    return _source(samples, name, like=image, was_flat=image.dim() == 2)


def _source(planes: Array, name: str, *, like: Tensor | PILImage | None, was_flat: bool) -> Source:
    kept = planes.dtype in (np.uint8, np.uint16) or planes.dtype.kind == "f"
    dtype = planes.dtype if kept else np.dtype(np.float32)
    return Source(name, planes, dtype, None, like, was_flat)


def luminance(pixels: Tensor) -> Tensor:
    """BT.601 luminance `(1, H, W)` of `(1 or 3, H, W)`."""
    if pixels.shape[0] == 1:
        return pixels
    weights = torch.tensor(BT601, dtype=pixels.dtype, device=pixels.device)
    return torch.einsum("c,chw->hw", weights, pixels)[None]


def valid_pixels(mask: Image) -> Mask:
    """The mask `(H, W)` that an image is: True where it is not black.

    Raises:
        InputError: If it cannot be read, or has another shape than an image.
    """
    array = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else mask
    if isinstance(array, np.ndarray):
        array = (array != 0).astype(np.uint8)
    return np.asarray((_read(array, "ir_valid", None, None, raw=True)[0].planes != 0).any(axis=0))
