"""`Fuser`: the one place that knows the whole way of a pair, from files or arrays to a result."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.errors import InputError
from mma_unet.inference.runtimes import is_exported, make_runtime
from mma_unet.inference.sources import (
    IR_RANGES,
    Array,
    Image,
    Source,
    read_source,
    restore,
)
from mma_unet.models import DEFAULT_MODEL, MMAUNet, load_model

__all__ = ["Fuser"]


class Fuser:
    """Fuse registered infrared and visible images of any size, grey or colour, 8 or 16 bit.

    The network fuses the luminance; the result takes the colour of the visible image, its size
    and its sample type.

    Args:
        model: Shipped weights by name, the path of a weights file or of a file that
            `mma-unet export` wrote, or a network (of which a copy is used, in evaluation mode and
            with batch norm folded).
        device: `"auto"` (CUDA if there is one), `"cpu"`, `"cuda"`, `"cuda:1"`, ...
        runtime: `"torch"`, `"onnxruntime"`, `"openvino"`, or `"auto"`: PyTorch on CUDA, and on the
            CPU OpenVINO if it is installed, else PyTorch.
        precision: `"fp32"`, `"bf16"`, `"int8"` (of an int8 file), or `"auto"`: bfloat16 on a CPU
            that has it natively, else float32. docs/speed.md says what each costs in quality.
        threads: CPU threads; as many as PyTorch uses if `None`.
        gray: Return the fused luminance without colour.
        colour: `"luminance"` fuses the luminance and restores the chroma of VI; `"rgb"` gives the
            three channels to a network that takes three, as the paper does.
        ir_range: `"full"` divides integers by the largest value of their type; `"auto"` stretches
            the 0.1 % to 99.9 % quantiles of the IR image to the full range, as raw 14- or 16-bit
            thermal counts need.

    Raises:
        InputError: If the model is unknown, the device or runtime is not there, or a value is not
            one of the above.

    Example:
        >>> import numpy as np
        >>> ir = np.zeros((48, 70), np.uint8)
        >>> vi = np.zeros((48, 70, 3), np.uint8)
        >>> Fuser("tiny")(ir, vi).shape
        (48, 70, 3)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | MMAUNet = DEFAULT_MODEL,
        *,
        device: str = "auto",
        runtime: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        gray: bool = False,
        colour: str = "luminance",
        ir_range: str = "full",
    ) -> None:
        self.device = _device(device)
        self._model = (
            model if isinstance(model, MMAUNet) or is_exported(model) else load_model(model)
        )
        self.runtime = make_runtime(
            self._model, device=self.device, runtime=runtime, precision=precision, threads=threads
        )
        self.config = self.runtime.config
        if colour not in ("luminance", "rgb"):
            raise InputError(f"colour must be 'luminance' or 'rgb', not {colour!r}")
        if colour == "rgb" and self.config.in_channels != 3:
            raise InputError("colour 'rgb' needs a three-channel model; use 'luminance'")
        if ir_range not in IR_RANGES:
            raise InputError(f"ir_range must be one of {IR_RANGES}, not {ir_range!r}")
        self.gray, self.colour, self.ir_range = gray, colour, ir_range

    @property
    def model(self) -> MMAUNet:
        """The network in PyTorch, as it was given or loaded.

        Raises:
            InputError: If the model is an exported file, which holds none.
        """
        if not isinstance(self._model, MMAUNet):
            raise InputError(f"{self._model} is an exported file: this needs a weights file")
        return self._model

    def __call__(self, ir: Image, vi: Image) -> Array | Tensor:
        """Fuse one pair.

        Args:
            ir: A path, an array `(H, W)` or `(H, W, 3)`, or a tensor `(H, W)` or `(C, H, W)`;
                `uint8`, `uint16` or floats in [0, 1]. Colour is reduced to luminance.
            vi: The same, of the same height and width.

        Returns:
            The fused image with the shape, sample type and kind (array or tensor) of `vi`; an
            array for a path. With `gray`, its luminance.

        Raises:
            InputError: If an image cannot be used or the sizes differ.
        """
        return self.fuse_batch([(ir, vi)])[0]

    def fuse_batch(self, pairs: Sequence[tuple[Image, Image]]) -> list[Array | Tensor]:
        """Fuse several pairs, those of one size together; results in the order of `pairs`."""
        sources = [self.read(ir, vi) for ir, vi in pairs]
        return self.fuse_sources(sources)

    def read(self, ir: Image, vi: Image) -> tuple[Source, Source]:
        """Read and check one pair; see `__call__` for what it takes and raises."""
        ir_source = read_source(ir, "ir", stretch=self.ir_range == "auto")
        vi_source = read_source(vi, "vi")
        if ir_source.size != vi_source.size:
            (ih, iw), (vh, vw) = ir_source.size, vi_source.size
            raise InputError(
                f"{ir_source.name} is {iw}x{ih} and {vi_source.name} is {vw}x{vh} pixels: "
                "register or resize them to one size"
            )
        return ir_source, vi_source

    def fuse_sources(self, sources: Sequence[tuple[Source, Source]]) -> list[Array | Tensor]:
        """Fuse pairs that `read` has returned."""
        groups: dict[tuple[int, int], list[int]] = {}
        for index, (ir, _) in enumerate(sources):
            groups.setdefault(ir.size, []).append(index)
        results: dict[int, Array | Tensor] = {}
        for indices in groups.values():
            members = [sources[i] for i in indices]
            for index, (_, vi), fused in zip(indices, members, self._run(members), strict=True):
                results[index] = restore(fused, vi, gray=self.gray)
        return [results[i] for i in range(len(sources))]

    def _run(self, sources: Sequence[tuple[Source, Source]]) -> Tensor:
        """Fused images `(B, 1 or 3, H, W)` in [0, 1] of pairs of one size."""
        as_rgb = self.colour == "rgb"
        ir = self._stack([ir.luminance for ir, _ in sources])
        vi = self._stack([vi.pixels if as_rgb else vi.luminance for _, vi in sources])
        try:
            with torch.inference_mode():
                fused = self._forward(ir, vi).clamp_(0, 1)
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error) and not isinstance(error, MemoryError):
                raise
            height, width = sources[0][0].size
            raise InputError(
                f"{sources[0][1].name}: not enough memory for {len(sources)} pair(s) of "
                f"{width}x{height} pixels; use a smaller batch, image or model"
            ) from error
        result: Tensor = fused if as_rgb else fused.mean(dim=1, keepdim=True)
        return result

    def _forward(self, ir: Tensor, vi: Tensor) -> Tensor:
        """The network on `(B, in_channels, H, W)` of any size: pad, run, crop."""
        height, width = ir.shape[-2:]
        multiple = self.config.size_multiple
        pad = (0, -width % multiple, 0, -height % multiple)
        if any(pad):
            ir, vi = (F.pad(x, pad, mode="replicate") for x in (ir, vi))
        return self.runtime.run(ir, vi)[..., :height, :width]

    def _stack(self, images: list[Tensor]) -> Tensor:
        """A batch `(B, in_channels, H, W)` on the device."""
        channels = self.config.in_channels
        return torch.stack([image.expand(channels, -1, -1) for image in images]).to(self.device)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"unknown device {name!r}: use auto, cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r} is not supported: use auto, cpu or cuda")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        here = f"only {count} CUDA device(s) are" if count else "no CUDA device is"
        raise InputError(f"device {name!r}: {here} available here; use --device cpu")
    return device
