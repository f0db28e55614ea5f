"""`Fuser`: the one place that knows the whole way of a pair, from files or arrays to a result."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.allocator import release_memory
from mma_unet.data.ranges import IrRange
from mma_unet.errors import InputError
from mma_unet.inference.canvas import Canvas
from mma_unet.inference.engine import Engine
from mma_unet.inference.grid import Window, least_tile, peak_bytes, tile_pixels
from mma_unet.inference.ir_slot import PLAIN, IrSlot
from mma_unet.inference.memory import memory_budget
from mma_unet.inference.placement import Align
from mma_unet.inference.runtimes import choose
from mma_unet.inference.runtimes.base import Runtime
from mma_unet.inference.runtimes.exported import Exported, is_exported, read_exported
from mma_unet.inference.runtimes.with_torch import TorchRuntime
from mma_unet.inference.sources import Fused, Image, Source
from mma_unet.inference.tiling import STATISTICS, fuse_tiles
from mma_unet.models import DEFAULT_MODEL, MMAUNet, load_model, run_padded

__all__ = ["Fuser"]


class Fuser(Engine):
    """Fuse registered infrared and visible images of any size, gray or color, 8 or 16 bit.

    The network fuses the luminance; the result takes the color of the visible image, its size
    and its sample type.

    Args:
        model: Shipped weights by name, the path of a weights file or of an `.onnx` or `.xml` file
            that `mma-unet export` wrote, or a network (copied, for evaluation, batch norm folded).
        device: `"auto"` (CUDA if there is one), `"cpu"`, `"cuda"`, `"cuda:1"`, ...
        runtime: `"torch"`, `"onnxruntime"`, `"openvino"`, or `"auto"`: PyTorch, and OpenVINO where
            it is installed, on the CPU, for many pairs: see `expect`.
        precision: `"fp32"`, `"bf16"`, `"int8"` (of an int8 file), or `"auto"`: bfloat16 on a CPU
            that has it natively, else float32. docs/speed.md says what each costs in quality.
        threads: CPU threads; as many as PyTorch uses if `None`.
        gray: Return the fused luminance without color.
        color: `"luminance"` fuses the luminance and restores the chroma of VI; `"rgb"` gives the
            three channels to a network that takes three, as the paper does.
        ir_range: `"auto"` stretches IR images of raw counts or degrees, `"full"` none, `"stretch"`
            all, and two numbers fix what becomes 0 and 1 (see `mma_unet.data.ranges`).
        ir_valid: A mask of all IR images, black where they have no value: there the result is VI,
            as it is at NaN, no-data marks and a black surround without it.
        max_memory: The most memory to hold, in bytes or as `"2GB"`; by default half of what is
            free may be taken. Images too large for it are fused in tiles.
        statistics: For tiles, `"exact"` or `"reduced"` (docs/large-images.md).
        style: From 0, natural, to 1, thermal: hot targets first; see `load_model`.
        page: Which page of TIFF files, from 1 on; the first by default.
        strip: Leave EXIF, ICC profile, dpi and GeoTIFF tags of VI out of the files of `fuse_files`.
        ir_slot: How IR images are to be understood: their channel, palette or polarity.
        align: For cameras that are not aligned: `"auto"`, a rig or its file, `"resize"`, or a
            `Placement`, which says more of it (docs/alignment.md).

    Attributes:
        on_tile: Called with the tiles done and the tiles in all while one image is fused in tiles.

    Raises:
        InputError: If the model, device or runtime is not there, or a value is none of the above.

    Example:
        >>> import numpy as np
        >>> ir, vi = np.zeros((48, 70), np.uint8), np.zeros((48, 70, 3), np.uint8)
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
        color: str = "luminance",
        ir_range: IrRange = "auto",
        ir_valid: Image | None = None,
        max_memory: str | int | None = None,
        statistics: str = "exact",
        style: float = 0.0,
        page: int | None = None,
        strip: bool = False,
        ir_slot: IrSlot = PLAIN,
        align: Align = None,
    ) -> None:
        super().__init__(
            device, ir_range=ir_range, ir_valid=ir_valid, max_memory=max_memory, page=page,
            strip=strip, ir_slot=ir_slot, align=align,
        )  # fmt: skip
        self._model: MMAUNet | Exported
        if isinstance(model, MMAUNet):
            self._name, self._model = f"width {model.config.width}", copy.deepcopy(model)
        else:
            self._name = os.fspath(model)
            exported = is_exported(model)
            self._model = read_exported(model) if exported else load_model(model, style=style)
        if style and (isinstance(model, MMAUNet) or isinstance(self._model, Exported)):
            raise InputError(f"{self._name}: style needs weights; give their name or file")
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self._wanted, self._threads, self._pairs = runtime, threads, 1
        first = choose.choose_runtime(runtime, self.device, self._model)
        self.precision = choose.choose_precision(precision, first, self.device, self._model)
        self.config, self._able = self._model.config, self._model.describe()
        colors = ("luminance", "rgb")
        for name, value, known in (
            ("color", color, colors),
            ("statistics", statistics, STATISTICS),
        ):
            if value not in known:
                raise InputError(f"{name} must be {' or '.join(known)}, not {value!r}")
        if color == "rgb" and self._able.in_channels != 3:
            raise InputError("color 'rgb' needs a three-channel model; use 'luminance'")
        self.gray, self.color, self.statistics = gray, color, statistics
        self.on_tile: Callable[[int, int], None] = lambda *_: None

    def __repr__(self) -> str:
        runtime, device = self._runtime_name(), str(self.device)
        return f"Fuser({self._name!r}, {runtime=}, precision={self.precision!r}, {device=})"

    def _runtime_name(self) -> str:
        """The runtime that is at work, or would be now."""
        if "runtime" not in vars(self):
            return choose.choose_runtime(self._wanted, self.device, self._model, self._pairs)
        return self.runtime.name

    def expect(self, pairs: int) -> None:
        """Say how many pairs are to come, for the choice of the runtime.

        OpenVINO needs a second before the first pair, so `"auto"` takes it from 32 pairs on;
        `fuse_batch` and `fuse_files` count theirs. The first pair fused settles the runtime.
        """
        self._pairs = max(self._pairs, pairs)

    @cached_property
    def runtime(self) -> Runtime:
        """What runs the network; chosen and made when it is first needed."""
        return choose.make_runtime(
            self._model, device=self.device, runtime=self._wanted, precision=self.precision,
            threads=self._threads, pairs=self._pairs,
        )  # fmt: skip

    @property
    def model(self) -> MMAUNet:
        """The network in PyTorch, as it was loaded, or a copy of the one given.

        Raises:
            InputError: If the model is an exported file, which holds none.
        """
        if not isinstance(self._model, MMAUNet):
            raise InputError(f"{self._name} is an exported file: this needs a weights file")
        return self._model

    def fuse_sources(self, sources: Sequence[tuple[Source, Source]]) -> list[Fused]:
        """Fuse pairs that `read` has returned."""
        groups: dict[tuple[int, int], list[int]] = {}
        for index, (ir, _) in enumerate(sources):
            groups.setdefault(ir.size, []).append(index)
        results: dict[int, Fused] = {}
        for indices in groups.values():
            members = [sources[i] for i in indices]
            spare = memory_budget(self.max_memory, self.device)
            spare -= sum(Canvas.bytes_for(vi, gray=self.gray) for _, vi in members)
            size = self._padded(members[0][0].size)
            at_once = spare // peak_bytes(self.model, *size) if self._able.tiles else 1
            if at_once < 1:
                for index, (ir, vi) in zip(indices, members, strict=True):
                    results[index] = self._tiled(ir, vi)
            for start in range(0, len(members), at_once) if at_once else ():
                some = slice(start, start + at_once)
                for index, result in zip(indices[some], self._untiled(members[some]), strict=True):
                    results[index] = result
        return [results[i] for i in range(len(sources))]

    @cached_property
    def _tile_network(self) -> MMAUNet:
        """The network whose parts are run tile by tile, whatever the runtime."""
        runtime = self.runtime if self._runtime_name() == "torch" else None  # folded once
        if not isinstance(runtime, TorchRuntime):
            runtime = TorchRuntime(self.model, device=self.device, precision=self.precision)
        return runtime.network

    def _untiled(self, sources: Sequence[tuple[Source, Source]]) -> list[Fused]:
        """Results for pairs of one size, fused together."""
        height, width = sources[0][0].size
        ir, vi = self._inputs(sources, Window(0, height, 0, width))
        try:
            with torch.inference_mode():
                fused = run_padded(self.runtime.run, self._able.size_multiple, ir, vi).clamp_(0, 1)
        except (MemoryError, RuntimeError) as error:
            if "memory" not in str(error) and not isinstance(error, MemoryError):
                raise
            raise InputError(
                f"{sources[0][1].name}: not enough memory for {len(sources)} pair(s) of "
                f"{width}x{height} pixels; use --max-memory, a smaller batch or a smaller model"
            ) from error
        results: list[Fused] = []
        for (infrared, visible), planes in zip(sources, self._planes(fused), strict=True):
            canvas = Canvas(visible, gray=self.gray, ir=infrared)
            canvas.paint(slice(None), slice(None), planes)
            results.append(canvas.result())
        return results

    def _tiled(self, ir: Source, vi: Source) -> Fused:
        """Result for one pair that is fused in tiles."""
        size = self._padded(vi.size)
        canvas = Canvas(vi, gray=self.gray, ir=ir)
        spare = memory_budget(self.max_memory, self.device)
        lacking = peak_bytes(self._tile_network, *least_tile(self.config, size)) - spare
        if lacking > 0 and self.max_memory is not None:
            needed = (self.max_memory + lacking) / 1e6
            raise InputError(
                f"{vi.name}: {vi.size[1]}x{vi.size[0]} pixels need {needed:.0f} MB at least; "
                "allow more with --max-memory or use a smaller model"
            )

        def load(window: Window) -> tuple[Tensor, Tensor]:
            release_memory()
            return self._inputs([(ir, vi)], window)

        tiles = fuse_tiles(
            self._tile_network, size, load, statistics=self.statistics, step=self.on_tile,
            max_pixels=tile_pixels(self._tile_network, spare),
        )  # fmt: skip
        with torch.inference_mode():
            for core, fused in tiles:
                bottom, right = min(core.bottom, vi.size[0]), min(core.right, vi.size[1])
                rows, cols = slice(core.top, bottom), slice(core.left, right)
                cropped = fused[..., : bottom - core.top, : right - core.left].clamp(0, 1)
                canvas.paint(rows, cols, self._planes(cropped)[0])
        return canvas.result()

    def _planes(self, fused: Tensor) -> Tensor:
        """What the network returns, as `(B, 1, H, W)` luminance or `(B, 3, H, W)` color."""
        return fused if self.color == "rgb" else fused.mean(dim=1, keepdim=True)

    def _padded(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width rounded up to what the network takes."""
        multiple = self._able.size_multiple
        return size[0] + -size[0] % multiple, size[1] + -size[1] % multiple

    def _inputs(
        self, sources: Sequence[tuple[Source, Source]], window: Window
    ) -> tuple[Tensor, Tensor]:
        """A window of pairs of one size for the network, replicated where it leaves the image."""
        height, width = sources[0][0].size
        rows = slice(window.top, min(window.bottom, height))
        cols = slice(window.left, min(window.right, width))
        beyond = (0, max(window.right - width, 0), 0, max(window.bottom - height, 0))
        region = Source.region if self.color == "rgb" else Source.gray_region
        ir = self._stack([ir.gray_region(rows, cols) for ir, _ in sources])
        vi = self._stack([region(vi, rows, cols) for _, vi in sources])
        if any(beyond):
            ir, vi = (F.pad(x, beyond, mode="replicate") for x in (ir, vi))
        return ir, vi

    def _stack(self, images: list[Tensor]) -> Tensor:
        """A batch `(B, in_channels, H, W)` on the device."""
        channels = self._able.in_channels
        return torch.stack([image.expand(channels, -1, -1) for image in images]).to(self.device)
