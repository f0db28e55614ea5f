"""Turning a false-color picture of a thermal camera back into gray, by the nearest palette entry.

A camera or a program that shows heat in colors looks each level up in a palette of 256 colors. In
the luminance of such a picture hot and cold are mixed up (the hottest red of `jet` is as dark as
its coldest blue), so it is no infrared image to fuse. With the palette known, each pixel is given
the place of the palette entry whose color is nearest. Codecs blur colors, so the way back is exact
to a few levels, not to the bit.

The palettes are those of OpenCV (`cv2.applyColorMap`), and those of cameras, as they were measured
on their files: `iron` and `rainbow-hc` are the tables that FLIR cameras store in their JPEGs,
`iron-red` was read off DJI pictures, `ironbow` is the black to white version that programs draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.errors import InputError

__all__ = [
    "PALETTES",
    "PaletteFit",
    "check_palette",
    "fit_palette",
    "from_palette",
    "palette_colors",
]

Bytes = npt.NDArray[np.uint8]

_OPENCV = (
    "autumn", "jet", "winter", "rainbow", "ocean", "summer", "spring", "cool", "hsv", "pink", "hot",
    "parula", "magma", "inferno", "plasma", "viridis", "cividis", "twilight", "twilight_shifted",
    "turbo", "deepgreen",
)  # fmt: skip
_CAMERAS = {
    "iron": "001f25 1d1167 480b8e 6e0aa0 8e11a1 aa1d95 c12d7f d24063 e05646 ea6e2a f18616 f39d0a "
    "f5b40c f3c821 efda4a e8e78d e1efef",
    "rainbow-hc": "000000 780178 e001e5 6900bc 000f9e 0085c5 00d7d0 008958 1c6200 8aab00 ddd400 "
    "a86600 7e0203 ac1a19 da3637 eb9796 fcf8f7",
    "iron-red": "0b0138 26025c 510375 750585 9c0894 bb167f d62953 ed3f1e f75607 fa7100 f98a00 "
    "faa400 fbbc00 fdd200 ffe605 fffa16 ffff7a",
    "ironbow": "000000 21008c cc0078 ffd600 ffffff",
}
"""Colors at even steps from cold to hot; those between are interpolated."""

PALETTES: tuple[str, ...] = (*_CAMERAS, *_OPENCV)
"""Names of the palettes."""

_COLORFUL = 12.0
"""Mean spread of the channels, in RGB levels, from which a picture is in color."""
_ACCEPTED = 0.28
"""Largest distance from a palette, as a share of that spread. Photographs are at 0.4 and above,
false color is below 0.2 even as JPEG."""
_LIKELY = 0.6
"""Share of the pixels that is judged: the rest may be text and logos."""
_SAMPLES = 2048
_CHUNK = 1 << 15


@dataclass(frozen=True)
class PaletteFit:
    """The palette that explains the colors of a picture best.

    Attributes:
        name: One of `PALETTES`.
        narrow: Whether its colors lie in 16 to 235, as in video, rather than in 0 to 255.
        distance: How far the pixels are off, at most, leaving 40 % aside; in RGB levels.
        spread: How far apart their channels are in the mean; in RGB levels.
    """

    name: str
    narrow: bool
    distance: float
    spread: float

    @property
    def good(self) -> bool:
        """Whether the picture is made with this palette."""
        return self.distance <= _ACCEPTED * self.spread


def check_palette(name: str) -> str:
    """`name` if it is a palette or `"auto"`.

    Raises:
        InputError: If not, with the names that are known.
    """
    if name != "auto" and name not in PALETTES:
        raise InputError(f"palette {name!r} is not known: use auto or one of {' '.join(PALETTES)}")
    return name


@cache
def palette_colors(name: str, *, narrow: bool = False) -> Bytes:
    """The colors of a palette from cold to hot.

    Args:
        name: One of `PALETTES`.
        narrow: In 16 to 235, as some cameras and videos show them.

    Returns:
        ``(256, 3)`` RGB.

    Raises:
        InputError: The name is not known.

    Example:
        >>> palette_colors("jet")[[0, 255]].tolist()
        [[0, 0, 128], [128, 0, 0]]
    """
    check_palette(name)
    if name in _CAMERAS:
        stops = np.array([list(bytes.fromhex(color)) for color in _CAMERAS[name].split()], float)
        places = np.linspace(0, len(stops) - 1, 256)
        channels = [np.interp(places, np.arange(len(stops)), stops[:, i]) for i in range(3)]
        colors = np.stack(channels, axis=1)
    else:
        number = getattr(cv2, f"COLORMAP_{name.upper()}")
        levels = np.arange(256, dtype=np.uint8)[:, None]
        colors = np.asarray(cv2.applyColorMap(levels, number)[:, 0, ::-1], float)
    if narrow:
        colors = 16 + colors * (219 / 255)
    table: Bytes = np.rint(colors).astype(np.uint8)
    table.flags.writeable = False
    return table


def fit_palette(image: npt.NDArray[Any], names: Sequence[str] = PALETTES) -> PaletteFit | None:
    """Find the palette of a false-color picture.

    Args:
        image: ``(H, W, 3)`` RGB `uint8`.
        names: Those of `PALETTES` that are tried.

    Returns:
        The best of them, which need not be good; None for a picture that is nearly gray.

    Example:
        >>> levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
        >>> fit_palette(palette_colors("turbo")[levels]).name
        'turbo'
        >>> fit_palette(np.repeat(levels[:, :, None], 3, axis=2)) is None
        True
    """
    step = max(1, round((image.shape[0] * image.shape[1] / _SAMPLES) ** 0.5))
    pixels = image[step // 2 :: step, step // 2 :: step].reshape(-1, 3)
    spread = float(np.ptp(pixels.astype(np.int16), axis=1).mean())
    if spread < _COLORFUL:
        return None
    fits: list[PaletteFit] = []
    for name in names:
        for narrow in (False, True):
            distances = _nearest(pixels, palette_colors(name, narrow=narrow))[1]
            distance = float(np.quantile(distances, _LIKELY))
            fits.append(PaletteFit(name, narrow, distance, spread))
    return min(fits, key=lambda fit: fit.distance)


def from_palette(image: npt.NDArray[Any], name: str, *, narrow: bool = False) -> Bytes:
    """The levels from which a false-color picture was made.

    Args:
        image: ``(H, W, 3)`` RGB `uint8`.
        name: One of `PALETTES`.
        narrow: See `palette_colors`.

    Returns:
        ``(H, W)``: 0 for the coldest color to 255 for the hottest.

    Raises:
        InputError: The name is not known.

    Example:
        >>> levels = np.array([[0, 100, 255]], np.uint8)
        >>> from_palette(palette_colors("hot")[levels], "hot").tolist()
        [[0, 100, 255]]
    """
    pixels = image.reshape(-1, 3).astype(np.uint32)
    packed = pixels[:, 0] << 16 | pixels[:, 1] << 8 | pixels[:, 2]
    unique, places = np.unique(packed, return_inverse=True)
    colors = np.stack([unique >> 16, unique >> 8 & 255, unique & 255], axis=1).astype(np.uint8)
    levels, _ = _nearest(colors, palette_colors(name, narrow=narrow))
    gray: Bytes = levels[places].reshape(image.shape[:2])
    return gray


def _nearest(pixels: Bytes, colors: Bytes) -> tuple[Bytes, npt.NDArray[np.float32]]:
    """For pixels ``(N, 3)`` the index of the nearest color, and how far off it is."""
    table = colors.astype(np.float32)
    lengths = (table * table).sum(axis=1)
    levels = np.empty(len(pixels), np.uint8)
    distances = np.empty(len(pixels), np.float32)
    for start in range(0, len(pixels), _CHUNK):
        part = pixels[start : start + _CHUNK].astype(np.float32)
        squares = lengths - 2 * (part @ table.T)
        best = squares.argmin(axis=1)
        least = squares[np.arange(len(part)), best] + (part * part).sum(axis=1)
        levels[start : start + _CHUNK] = best
        distances[start : start + _CHUNK] = np.sqrt(np.maximum(least, 0))
    return levels, distances
