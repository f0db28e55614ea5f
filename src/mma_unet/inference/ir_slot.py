"""What stands in the place of the infrared image, when it is no plain gray picture of heat.

Radiometric files give the counts of the sensor instead of the picture they show, and the visible
image too if they hold one. A channel of a file, the levels behind a false-color picture, or a
black-hot picture turned round are taken when asked for; what looks like one of these and is not
asked for gets a note.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor

from mma_unet.data.images import from_float, luminance, read_photo, to_float
from mma_unet.data.metadata import read_metadata
from mma_unet.data.overlay import shows_graphics
from mma_unet.data.palettes import PALETTES, PaletteFit, check_palette, fit_palette, from_palette
from mma_unet.data.storage import is_remote, locate, read_bytes
from mma_unet.data.thermal import THERMAL_SUFFIXES, ThermalFrame, as_shown, read_thermal
from mma_unet.data.thermal.pair import aligned
from mma_unet.errors import InputError
from mma_unet.inference.sources import (
    Image,
    Source,
)

__all__ = ["PLAIN", "IrSlot", "ReadPair"]

Pair = tuple[Source, Source]
ReadPair = Callable[[Image, Image, tuple[str, str]], Pair]
"""Reads and checks a pair whose images, where they are no files, have these names."""

_CAMERA_PIXELS = 1 << 21
"""The largest pictures that cameras draw into."""
_IN_COLOR, _GRAY = 8.0, 1.0
"""Mean spread of the channels from which a picture is in color, and up to which it is gray."""


@dataclass(frozen=True)
class IrSlot:
    """How the infrared image is to be understood.

    Attributes:
        channel: Which channel of the file is the infrared image, from 1 on; 4 for RGB+T files.
        palette: The palette of false-color pictures, one of `mma_unet.data.palettes.PALETTES`, or
            `"auto"`. Pictures that are gray are left as they are.
        black_hot: Whether hot is black: it is turned round.
        single: Whether a file that is given for both has to hold both.

    Raises:
        InputError: A value is none of these.
    """

    channel: int | None = None
    palette: str | None = None
    black_hot: bool = False
    single: bool = False

    def __post_init__(self) -> None:
        if self.channel is not None and not 1 <= self.channel <= 4:
            raise InputError(f"the IR channel must be 1 to 4, not {self.channel}")
        if self.palette is not None:
            check_palette(self.palette)

    def read(self, ir: Image, vi: Image, read_pair: ReadPair) -> Pair:
        """Read a pair, with what is asked for done to the infrared source.

        Args:
            ir: As `Fuser` takes it. Given for both, a radiometric file that holds a visible picture
                is taken apart, and so is a file whose `channel` is the infrared image.
            vi: As `Fuser` takes it.
            read_pair: Reads the images that result.

        Raises:
            InputError: A file cannot be read or does not hold what is asked for.
        """
        place, other = _place(ir), _place(vi)
        notes: list[str] = []
        names = (str(place or "ir"), str(other or "vi"))
        both = place is not None and place == other
        metadata = None
        if self.channel is not None:
            ir = self._channel(ir, place)
        elif place is not None and place.suffix.lower() in THERMAL_SUFFIXES:
            data = read_bytes(place)
            frame = read_thermal(data, place) if both else _frame(data, place, notes)
            if frame is not None and both:
                pair = aligned(frame)
                ir, vi, metadata = pair.ir, pair.vi, read_metadata(data)
                notes.append(pair.note)
            elif frame is not None:
                ir = as_shown(frame, data)
                notes.append(f"{place}: the counts of its sensor are fused, not the picture shown")
        if both and self.single and self.channel is None and metadata is None:
            raise InputError(
                f"{place} does not hold both pictures, as radiometric JPEGs of some cameras do: "
                "give the infrared and the visible image"
            )
        infrared, visible = read_pair(ir, vi, names)
        if metadata is not None:
            visible = replace(visible, metadata=metadata)
        infrared, found = self.finish(infrared)
        notes += found
        if not notes and _are_swapped(infrared, visible):
            notes.append(
                f"{infrared.name} is in color and {visible.name} is gray: are the two swapped?"
            )
        if both and self.channel == 4:
            visible = replace(visible, alpha=None, note="")
        text = "\n".join([*filter(None, (infrared.note, visible.note)), *notes])
        return replace(infrared, note=text), visible

    def finish(self, infrared: Source, *, look: bool = True) -> tuple[Source, list[str]]:
        """The source with its palette inverted and hot in white; and what is to be said of it.

        Args:
            infrared: As it was read.
            look: Look for false color and graphics that nobody named.
        """
        notes: list[str] = []
        if not look and self.palette is None:
            return (_turned(infrared) if self.black_hot else infrared), notes
        shown = _eight_bit(infrared)
        if shown is not None and len(infrared.planes) == 3:
            infrared = self._without_palette(infrared, shown, notes)
        small = shown is not None and shown.shape[0] * shown.shape[1] <= _CAMERA_PIXELS
        if shown is not None and small and look and shows_graphics(luminance(shown)):
            notes.append(
                f"{infrared.name} seems to show the camera's own text or graphics, which are fused "
                "too: give the radiometric file, or switch them off in the camera"
            )
        return (_turned(infrared) if self.black_hot else infrared), notes

    def settled(self, infrared: Source) -> IrSlot:
        """For a video: with the palette of this frame for all, if it is to be found."""
        shown = _eight_bit(infrared) if self.palette == "auto" else None
        if shown is None or shown.ndim == 2:
            return self
        fit = fit_palette(shown)
        if fit is None:
            return self
        _refuse_unknown(fit, infrared.name)
        return replace(self, palette=fit.name)

    def _channel(self, ir: Image, place: Path | None) -> Image:
        """The channel that is the infrared image, of a file or an array."""
        number = cast(int, self.channel)
        if place is not None:
            photo = read_photo(place)
            stack = photo.pixels if photo.pixels.ndim == 3 else photo.pixels[..., None]
            if photo.fourth is not None:
                stack = np.dstack((stack, photo.fourth))
        elif isinstance(ir, Tensor):
            stack = np.moveaxis(np.atleast_3d(ir.detach().cpu().numpy()), 0, -1)
        else:
            stack = np.atleast_3d(np.asarray(ir))
        if number > stack.shape[2]:
            raise InputError(
                f"{place or 'ir'} has {stack.shape[2]} channel(s), so none is number {number}: "
                "check --ir-channel"
            )
        return np.ascontiguousarray(stack[..., number - 1])

    def _without_palette(
        self, infrared: Source, shown: npt.NDArray[np.uint8], notes: list[str]
    ) -> Source:
        """The levels behind a false-color picture, or a note that it is one."""
        named = None if self.palette in (None, "auto") else self.palette
        fit = fit_palette(shown, PALETTES if named is None else (named,))
        if fit is None:
            return infrared
        if self.palette is None:
            if fit.good:
                notes.append(
                    f"{infrared.name} is in false color (palette {fit.name}), whose brightness is "
                    f"not heat: --ir-palette {fit.name}, or auto, turns it back into gray"
                )
            return infrared
        if named is None:
            _refuse_unknown(fit, infrared.name)
            notes.append(f"{infrared.name}: levels of the palette {fit.name} are fused")
        levels = from_palette(shown, fit.name, narrow=fit.narrow)
        return replace(infrared, planes=levels[None], dtype=np.dtype(np.uint8), stretch=None)


PLAIN = IrSlot()
"""Nothing is asked for."""


def _refuse_unknown(fit: PaletteFit, name: str) -> None:
    if not fit.good:
        raise InputError(
            f"{name} is in color but fits no palette that is known (nearest: {fit.name}): name it "
            "with --ir-palette, or save the picture in gray"
        )


def _place(image: Image) -> Path | None:
    """The place of a file; None for what is in memory."""
    if isinstance(image, str):
        return locate(image)
    return cast(Path, image) if isinstance(image, os.PathLike) or is_remote(image) else None


def _frame(data: bytes, place: Path, notes: list[str]) -> ThermalFrame | None:
    """The thermal frame of a file; with a note if it has one that cannot be read."""
    try:
        return read_thermal(data, place)
    except InputError as error:
        notes.append(f"{error} Until then the picture that it shows is fused.")
        return None


def _eight_bit(source: Source) -> npt.NDArray[np.uint8] | None:
    """`(H, W)` or `(H, W, 3)` bytes of a picture as it is shown; None for raw counts."""
    planes = source.planes
    if planes.dtype != np.uint8:
        shares = planes.dtype.kind == "f" and 0 <= planes.min() <= planes.max() <= 1
        if len(planes) != 3 or not (shares or planes.dtype == np.uint16):
            return None
        planes = from_float(to_float(planes, source.name), np.uint8)
    return planes[0] if len(planes) == 1 else np.ascontiguousarray(planes.transpose(1, 2, 0))


def _turned(source: Source) -> Source:
    """White for black, within the range that is fused."""
    if source.stretch is not None:
        low, high = source.stretch
        planes: npt.NDArray[Any] = np.float32(low + high) - source.planes.astype(np.float32)
    elif source.planes.dtype.kind == "f":
        planes = 1 - source.planes
    else:
        planes = np.iinfo(source.planes.dtype).max - source.planes
    return replace(source, planes=planes)


def _spread(source: Source) -> float:
    """How far apart the channels are in the mean, in 255 levels."""
    if len(source.planes) == 1:
        return 0.0
    step = max(1, source.size[0] // 64)
    part = source.region(slice(step // 2, None, step), slice(step // 2, None, step))
    return 255 * float((part.amax(0) - part.amin(0)).mean())


def _are_swapped(ir: Source, vi: Source) -> bool:
    return _spread(ir) >= _IN_COLOR and _spread(vi) <= _GRAY
