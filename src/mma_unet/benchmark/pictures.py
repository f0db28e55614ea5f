"""Pictures for the report: which images to show, where to zoom in, and tiles as data URIs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mma_unet.benchmark.comparison import Comparison
from mma_unet.benchmark.scores import FloatArray
from mma_unet.benchmark.triples import Array, load
from mma_unet.data.images import luminance

__all__ = [
    "Scene",
    "Tile",
    "Window",
    "draw_scenes",
    "draw_tile",
    "pick_evenly",
    "pick_windows",
    "windows_of",
]

_TILE = 400
"""Width of a picture in pixels."""
_CROP = 200
"""Side of a zoomed crop in pixels."""
_DIFFER = (255, 170, 0)
_HOT = (0, 200, 255)
"""RGB of the two frames; the style sheet of the page has the same."""


@dataclass(frozen=True)
class Window:
    """A square part of an image: its top left pixel and its side."""

    top: int
    left: int
    side: int

    def cut(self, image: Array) -> Array:
        """That part of an image."""
        return image[self.top : self.top + self.side, self.left : self.left + self.side]


@dataclass(frozen=True)
class Tile:
    """One method's picture of a scene and its two crops, as JPEG data URIs."""

    name: str
    is_source: bool
    picture: str
    crops: tuple[str, str]


@dataclass(frozen=True)
class Scene:
    """One image of the comparison, as each method shows it."""

    name: str
    width: int
    height: int
    windows: tuple[Window, Window]
    tiles: tuple[Tile, ...]


def pick_evenly(names: Sequence[str], count: int) -> list[str]:
    """So many names at even steps through the list, so that nobody can choose flattering ones.

    Example:
        >>> pick_evenly("abcdefghi", 3)
        ['b', 'e', 'h']
    """
    count = min(count, len(names))
    return [names[int((i + 0.5) * len(names) / count)] for i in range(count)]


def pick_windows(
    spread: FloatArray, heat: npt.NDArray[np.uint8], share: float = 0.3
) -> tuple[Window, Window]:
    """Where to zoom in: where the methods differ most, and where the infrared image is hottest.

    Both are means over a square of `share` of the shorter side. The second square is the hottest
    that does not touch the first, where there is room for one.

    Args:
        spread: `(H, W)` standard deviation over the methods.
        heat: `(H, W)` infrared luminance.
        share: Side of the squares.
    """
    height, width = spread.shape
    side = max(1, min(max(round(min(height, width) * share), 24), height, width))
    first = _peak(_box_means(spread, side))
    means = _box_means(heat.astype(np.float64), side)
    rows = np.abs(np.arange(means.shape[0]) - first[0])[:, None]
    columns = np.abs(np.arange(means.shape[1]) - first[1])[None, :]
    apart = (rows >= side) | (columns >= side)
    second = _peak(np.where(apart, means, -1.0)) if apart.any() else _peak(means)
    return Window(*first, side), Window(*second, side)


def _box_means(image: FloatArray, side: int) -> FloatArray:
    """Mean of every square that lies within the image, by its top left pixel."""
    total = np.pad(image.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    boxes = (
        total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    )
    return np.asarray(boxes / side**2, dtype=np.float64)


def _peak(means: FloatArray) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.argmax(means)), means.shape)
    return int(row), int(column)


def draw_scenes(comparison: Comparison, limit: int, order: Sequence[int]) -> list[Scene]:
    """Draw some of the images, every method beside the sources.

    Args:
        comparison: What is shown.
        limit: How many images, unless the comparison names those to show.
        order: Order of the methods.
    """
    even = pick_evenly(comparison.names, limit) if limit else []
    return [_draw(comparison, name, order) for name in comparison.show or even]


def _draw(comparison: Comparison, name: str, order: Sequence[int]) -> Scene:
    methods = [comparison.methods[i] for i in order]
    images, ir, vi = [], None, None
    for method in methods:
        fused, ir, vi = load(method.triples[name])
        images.append(fused)
    assert ir is not None
    assert vi is not None
    windows = windows_of(images, ir)
    shown = [("infrared", True, ir), ("visible", True, vi)]
    shown += [(m.name, False, image) for m, image in zip(methods, images, strict=True)]
    tiles = tuple(_tile(label, source, image, windows) for label, source, image in shown)
    return Scene(name, ir.shape[1], ir.shape[0], windows, tiles)


def windows_of(images: Sequence[Array], ir: Array) -> tuple[Window, Window]:
    """`pick_windows` for the results of several methods on one pair."""
    stack = np.stack([_standardized(image) for image in images])
    return pick_windows(stack.std(axis=0), luminance(ir))


def _standardized(image: Array) -> FloatArray:
    """Luminance of mean 0 and standard deviation 1, so that overall brightness does not count."""
    plain = luminance(image).astype(np.float64)
    return np.asarray((plain - plain.mean()) / max(float(plain.std()), 1.0), dtype=np.float64)


def _tile(name: str, source: bool, image: Array, windows: tuple[Window, Window]) -> Tile:
    picture, crops = draw_tile(image, windows)
    return Tile(name, source, _data_uri(picture), (_data_uri(crops[0]), _data_uri(crops[1])))


def draw_tile(image: Array, windows: tuple[Window, Window]) -> tuple[Array, tuple[Array, Array]]:
    """An image brought to the width of a tile with its two windows framed, and the windows.

    Args:
        image: `(H, W)` or `(H, W, 3)` `uint8`.
        windows: Where to zoom in.

    Returns:
        The picture, 400 pixels wide, and two crops of 200 by 200, all RGB.
    """
    color = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    scale = _TILE / color.shape[1]
    size = (_TILE, max(1, round(color.shape[0] * scale)))
    picture = np.ascontiguousarray(_resize(color, size))
    for window, frame in zip(windows, (_DIFFER, _HOT), strict=True):
        start = round(window.left * scale), round(window.top * scale)
        end = (
            min(round((window.left + window.side) * scale), size[0]) - 1,
            min(round((window.top + window.side) * scale), size[1]) - 1,
        )
        cv2.rectangle(picture, start, end, frame, 2)
    first, second = (_resize(window.cut(color), (_CROP, _CROP)) for window in windows)
    return picture, (first, second)


def _resize(image: Array, size: tuple[int, int]) -> Array:
    smaller = size[0] < image.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    resized: Array = cv2.resize(np.ascontiguousarray(image), size, interpolation=way)
    return resized


def _data_uri(image: Array) -> str:
    _, buffer = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(buffer.tobytes()).decode("ascii")
