"""Paired, seeded augmentation: whatever happens to the infrared image happens to the visible one.

Tensors are ``(C, H, W)``. ``uint8`` input is accepted and scaled to [0, 1] after the crop, which
is much cheaper than converting the whole image first.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.data import disturb
from mma_unet.errors import InputError

__all__ = ["CenterCrop", "PairedAugment"]


def _as_float(image: Tensor) -> Tensor:
    """``float32`` in [0, 1] from ``uint8`` or from floating point already in that range."""
    if image.dtype == torch.uint8:
        return image.to(torch.float32).div_(255.0)
    return image.to(torch.float32)


def _resize(image: Tensor, height: int, width: int) -> Tensor:
    """Antialiased bilinear resize of ``(C, H, W)`` floats in [0, 1]; the range is kept."""
    if image.shape[-2:] == (height, width):
        return image.contiguous()
    resized = F.interpolate(
        image[None], size=(height, width), mode="bilinear", align_corners=False, antialias=True
    )
    return resized[0].clamp_(0.0, 1.0)


def _check_same_size(ir: Tensor, vi: Tensor) -> None:
    if ir.shape[-2:] != vi.shape[-2:]:
        raise InputError(
            f"the infrared image is {tuple(ir.shape[-2:])} and the visible one "
            f"{tuple(vi.shape[-2:])} (height, width): register or resize them to one size."
        )


@dataclass(frozen=True)
class PairedAugment:
    """Random resized crop and flips, the same for both images; tones, for each by itself.

    Attributes:
        size: Side of the square result in pixels.
        scale: Range of the crop's share of the image area; None cuts `size` pixels as they are.
        ratio: Range of the crop's width over height, drawn uniformly in its logarithm.
        flip: Flip horizontally and vertically, each with probability one half.
        jitter: How far the tones of each image are moved: gamma and gain are drawn from
            `exp(-jitter)..exp(jitter)`, what leaves [0, 1] is clipped; 0 leaves them alone.
        zoom: Without `scale`: the crop is enlarged or reduced by `exp(-zoom)..exp(zoom)`.
        degrade: How badly each image is treated by itself, 0 to 1. Each with probability one half:
            its range shrinks to as little as `1 - 0.7 * degrade` of itself, it is blurred by a
            Gaussian of up to `2 * degrade` pixels, and gets noise of up to `0.04 * degrade`.
        blind: Probability that VI goes blind, by one of `disturb.BLINDNESS`.
        wear: Probability that IR moves by up to two pixels, and that VI goes through JPEG.
    """

    size: int
    scale: tuple[float, float] | None = (0.2, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True
    jitter: float = 0.0
    zoom: float = 0.0
    degrade: float = 0.0
    blind: float = 0.0
    wear: float = 0.0

    def __post_init__(self) -> None:
        """Refuse ranges that cannot be drawn from."""
        if self.size < 1:
            raise InputError(f"the crop size is {self.size}: give at least 1 pixel.")
        if self.scale is not None and not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise InputError(f"the crop scale is {self.scale}: give 0 < low <= high <= 1.")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise InputError(f"the crop ratio is {self.ratio}: give 0 < low <= high.")
        for name in ("jitter", "zoom"):
            if not getattr(self, name) >= 0:
                raise InputError(f"the {name} is {getattr(self, name)}: give 0 or more.")
        for name in ("degrade", "blind", "wear"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}: give 0 to 1.")

    def __call__(
        self, ir: Tensor, vi: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Augment one pair.

        Args:
            ir: ``(C, H, W)``, ``uint8`` or float in [0, 1].
            vi: ``(C', H, W)``, the same.
            generator: Source of the randomness; torch's global one by default.

        Returns:
            ``(C, size, size)`` and ``(C', size, size)``, ``float32`` in [0, 1]. Images smaller
            than ``size`` are enlarged.

        Raises:
            InputError: The two images differ in size.
        """
        _check_same_size(ir, vi)
        draws = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
        top, left, height, width = self._window(ir.shape[-2], ir.shape[-1], draws)
        dims = [dim for dim, draw in zip((-1, -2), draws[4:], strict=True) if draw < 0.5]
        results = []
        for image in (ir, vi):
            crop = _as_float(image[:, top : top + height, left : left + width])
            crop = _resize(crop, self.size, self.size)
            crop = crop.flip(dims) if self.flip and dims else crop
            crop = self._toned(crop, generator) if self.jitter else crop
            results.append(self._degraded(crop, generator) if self.degrade else crop)
        ir, vi = results
        if self.blind or self.wear:
            ir, vi = self._disturbed(ir, vi, generator)
        return ir, vi

    def _disturbed(
        self, ir: Tensor, vi: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """VI gone blind, the cameras out of line, compression: each by chance."""
        odds = torch.rand(8, generator=generator).tolist()
        if odds[0] < self.blind:
            ways = list(disturb.BLINDNESS.values())
            vi = ways[int(odds[1] * len(ways))](vi, generator)
        if odds[2] < self.wear:
            ir = disturb.shift(ir, round(4 * odds[3] - 2), round(4 * odds[4] - 2))
        if odds[5] < self.wear:
            vi = disturb.compress(vi, 30 + int(60 * odds[6]))
        return ir, vi

    def _degraded(self, image: Tensor, generator: torch.Generator | None) -> Tensor:
        from kornia.filters import gaussian_blur2d  # of the extra `train`

        fade, low, blur, noise, *odds = torch.rand(7, generator=generator).tolist()
        if odds[0] < 0.5:
            span = 1 - 0.7 * self.degrade * fade
            image = image * span + low * (1 - span)
        if odds[1] < 0.5 and blur > 0:
            image = gaussian_blur2d(image[None], 13, (2 * self.degrade * blur,) * 2)[0]
        if odds[2] < 0.5:
            grain = torch.randn(image.shape, generator=generator)
            image = image + 0.04 * self.degrade * noise * grain
        return image.clamp(0, 1)

    def _toned(self, image: Tensor, generator: torch.Generator | None) -> Tensor:
        draws = torch.rand(2, generator=generator, dtype=torch.float64)
        gamma, gain = ((2 * draws - 1) * self.jitter).exp().tolist()
        return image.pow(gamma).mul_(gain).clamp_(0.0, 1.0)

    def _window(self, rows: int, columns: int, draws: list[float]) -> tuple[int, int, int, int]:
        """Top, left, height and width of the crop from four uniform draws."""
        if self.scale is None:
            side = self.size
            if self.zoom:
                side = round(side * math.exp(self.zoom * (2 * draws[0] - 1)))
            height = width = min(side, rows, columns)
        else:
            height, width = self._area(self.scale, rows, columns, draws)
        top = min(int(draws[2] * (rows - height + 1)), rows - height)
        left = min(int(draws[3] * (columns - width + 1)), columns - width)
        return top, left, height, width

    def _area(
        self, scale: tuple[float, float], rows: int, columns: int, draws: list[float]
    ) -> tuple[int, int]:
        area = rows * columns * (scale[0] + draws[0] * (scale[1] - scale[0]))
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        aspect = math.exp(low + draws[1] * (high - low))
        width = min(max(round(math.sqrt(area * aspect)), 1), columns)
        height = min(max(round(math.sqrt(area / aspect)), 1), rows)
        return height, width


@dataclass(frozen=True)
class CenterCrop:
    """The central square, for validation; images smaller than it are enlarged first.

    Attributes:
        size: Side of the square result in pixels.
    """

    size: int

    def __post_init__(self) -> None:
        """Refuse a size that is not a size."""
        if self.size < 1:
            raise InputError(f"the crop size is {self.size}: give at least 1 pixel.")

    def __call__(
        self, ir: Tensor, vi: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Crop one pair.

        Args:
            ir: ``(C, H, W)``, ``uint8`` or float in [0, 1].
            vi: ``(C', H, W)``, the same.
            generator: Not used; there so that both transforms are called alike.

        Returns:
            ``(C, size, size)`` and ``(C', size, size)``, ``float32`` in [0, 1].

        Raises:
            InputError: The two images differ in size.
        """
        del generator
        _check_same_size(ir, vi)
        return self._one(ir), self._one(vi)

    def _one(self, image: Tensor) -> Tensor:
        rows, columns = image.shape[-2:]
        short = min(rows, columns)
        if short < self.size:
            factor = self.size / short
            rows, columns = (
                max(round(rows * factor), self.size),
                max(round(columns * factor), self.size),
            )
            image = _resize(_as_float(image), rows, columns)
        top, left = (rows - self.size) // 2, (columns - self.size) // 2
        return _as_float(image[:, top : top + self.size, left : left + self.size]).contiguous()
