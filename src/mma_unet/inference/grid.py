"""How an image is split into tiles: geometry, receptive field and memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from torch import Tensor

from mma_unet.models import MMAUNet, MMAUNetConfig, count_parameters

__all__ = ["Tile", "Window", "halo", "least_tile", "peak_bytes", "plan_tiles", "tile_pixels"]

_MOST_PIXELS = 2**22
"""A tile of more pixels saves nothing: the halo is small beside it already."""
_BYTES_PER_PIXEL_AND_WIDTH = 36
_FIXED_BYTES = 64 * 10**6


@dataclass(frozen=True)
class Window:
    """Rows `top` to `bottom` and columns `left` to `right` of an image, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.bottom - self.top, self.right - self.left

    def crop(self, x: Tensor, within: Window, octaves: int = 0) -> Tensor:
        """This part of `x`, a map `(B, C, h, w)` of `within`, `octaves` below the image."""
        rows = slice(self.top - within.top >> octaves, self.bottom - within.top >> octaves)
        cols = slice(self.left - within.left >> octaves, self.right - within.left >> octaves)
        return x[..., rows, cols]


@dataclass(frozen=True)
class Tile:
    """A `core` to be computed, and the `outer` window that must be read for it."""

    core: Window
    outer: Window


def halo(config: MMAUNetConfig, *, decoder: bool = True) -> int:
    """How far around a core the network looks, rounded up to the multiple that keeps alignment.

    Args:
        config: The network.
        decoder: To the image, or up to the sums of the pairs only, as the statistics need.

    Example:
        >>> from mma_unet.models import preset
        >>> halo(preset("paper")), halo(preset("paper"), decoder=False)
        (128, 64)
    """
    reach = 0  # of the decoder, in pixels of the level at hand
    wanted = dict.fromkeys(config.fused_levels, 0)
    if decoder:
        for level in range(1, max(config.fused_levels)):
            if level in wanted:
                reach += 2  # the double convolution after the skip; the skip itself is its input
                wanted[level] = reach
            reach = ceil(reach / 2) + 1  # pixel shuffle and the convolution before it
        wanted[max(config.fused_levels)] = reach
    need = 0
    for level in range(max(config.ir_depth, config.vi_depth), 0, -1):
        uses = [
            wanted[max(pair)] * 2 ** (max(pair) - level) for pair in config.pairing if level in pair
        ]
        need = max([2 * need, *uses]) + 2  # pooling doubles it; two 3x3 convolutions
    return need + -need % config.size_multiple


def least_tile(config: MMAUNetConfig, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the smallest tile that an image of `size` can be split into."""
    side = config.size_multiple + 2 * halo(config)
    return min(side, size[0]), min(side, size[1])


def peak_bytes(model: MMAUNet, height: int, width: int) -> int:
    """Upper estimate of the memory one forward pass takes for one tile or image.

    The feature maps cost about 32 bytes per pixel and unit of width (two encoders of nearly
    2 x width x 4 bytes each, and the decoder), measured; the rest is weights and workspace.
    """
    return height * width * _bytes_per_pixel(model.config) + _fixed_bytes(model)


def tile_pixels(model: MMAUNet, budget: int) -> int:
    """The most pixels a tile may have (halo included) for `peak_bytes` to stay within `budget`."""
    spare = budget - _fixed_bytes(model)
    return max(min(spare // _bytes_per_pixel(model.config), _MOST_PIXELS), 0)


def _bytes_per_pixel(config: MMAUNetConfig) -> int:
    return _BYTES_PER_PIXEL_AND_WIDTH * config.width + 16 * config.in_channels


def _fixed_bytes(model: MMAUNet) -> int:
    return _FIXED_BYTES + 8 * count_parameters(model)


def plan_tiles(size: tuple[int, int], margin: int, multiple: int, max_pixels: int) -> list[Tile]:
    """Cover a padded image with the tiles that compute the fewest pixels.

    Args:
        size: Height and width, multiples of `multiple`.
        margin: Halo, a multiple of `multiple`.
        multiple: What cores are aligned to.
        max_pixels: The most pixels of a tile with its halo; a single core of `multiple` squared
            with its halo is taken where even that is more.

    Example:
        >>> len(plan_tiles((512, 512), 128, 16, 2**18)), len(plan_tiles((512, 512), 64, 16, 2**16))
        (1, 16)
    """
    height, width = size
    best: tuple[int, int, int] | None = None
    for columns in range(1, width // multiple + 1):
        core_w = -(-width // (columns * multiple)) * multiple
        tile_w = min(core_w + 2 * margin, width)
        rows_that_fit = max_pixels // tile_w
        if rows_that_fit >= height:
            core_h = height
        else:
            core_h = (rows_that_fit - 2 * margin) // multiple * multiple
        if core_h < multiple and core_w > multiple:
            continue
        core_h = max(core_h, multiple)
        core_h = -(-height // (ceil(height / core_h) * multiple)) * multiple
        tile_h = min(core_h + 2 * margin, height)
        cost = tile_h * tile_w * ceil(height / core_h) * ceil(width / core_w)
        if best is None or cost < best[0]:
            best = (cost, core_h, core_w)
    assert best is not None  # a core as small as can be always counts
    _, core_h, core_w = best
    return [
        Tile(core, _grow(core, margin, size))
        for top in range(0, height, core_h)
        for left in range(0, width, core_w)
        for core in [Window(top, min(top + core_h, height), left, min(left + core_w, width))]
    ]


def _grow(core: Window, margin: int, size: tuple[int, int]) -> Window:
    return Window(
        max(core.top - margin, 0),
        min(core.bottom + margin, size[0]),
        max(core.left - margin, 0),
        min(core.right + margin, size[1]),
    )
