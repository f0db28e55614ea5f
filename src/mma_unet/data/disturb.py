"""What weather and cameras do to a picture, seeded: blindness of VI, and wear of either source.

Used to train, and to measure how much a method still shows when a source fails. Images are tensors
`(C, H, W)` in [0, 1].

See also: `mma_unet.data.transforms.PairedAugment`, which draws from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["BLINDNESS", "compress", "haze", "overexpose", "shift", "smoke"]


def _uniform(generator: torch.Generator | None, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _clouds(height: int, width: int, generator: torch.Generator | None) -> Tensor:
    """Soft noise `(1, H, W)` with a mean of 0 and a range of about -1 to 1, coarse to fine."""
    total = torch.zeros(1, height, width)
    for octave in range(4):
        cells = 2 ** (octave + 1) + 1
        grid = torch.rand((1, 1, cells, cells), generator=generator) * 2 - 1
        total += 0.6**octave * F.interpolate(grid, (height, width), mode="bicubic")[0]
    return total / 1.6


def smoke(image: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """White smoke: one to five soft, cloudy ellipses in front of the picture.

    Args:
        image: `(C, H, W)` in [0, 1].
        generator: Source of the randomness.

    Returns:
        The same shape, in [0, 1].

    Example:
        >>> dark = torch.zeros(1, 64, 64)
        >>> bool(smoke(dark, torch.Generator().manual_seed(0)).max() > 0.8)
        True
    """
    height, width = image.shape[-2:]
    rows = torch.arange(height)[:, None] / height
    columns = torch.arange(width)[None, :] / width
    density = torch.zeros(1, height, width)
    for _ in range(1 + int(_uniform(generator, 0, 5))):
        x, y = _uniform(generator, 0, 1), _uniform(generator, 0, 1)
        across, down = _uniform(generator, 0.12, 0.55), _uniform(generator, 0.12, 0.55)
        distance = ((columns - x) / across).square() + ((rows - y) / down).square()
        density = torch.maximum(density, (1.6 * torch.exp(-distance)).clamp(max=1.2)[None])
    density = (density * (1 + 0.5 * _clouds(height, width, generator))).clamp(0, 1)
    level = _uniform(generator, 0.85, 1.02) + 0.03 * _clouds(height, width, generator)
    return (image + density * (level - image)).clamp(0, 1)


def haze(image: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Fog: the picture times a transmission of 0.05 to 0.4, and gray airlight for the rest.

    Args:
        image: `(C, H, W)` in [0, 1].
        generator: Source of the randomness.

    Returns:
        The same shape, in [0, 1].
    """
    transmission = _uniform(generator, 0.05, 0.4) * (
        1 + 0.4 * _clouds(image.shape[-2], image.shape[-1], generator)
    )
    transmission = transmission.clamp(0.02, 1)
    return (image * transmission + _uniform(generator, 0.5, 0.95) * (1 - transmission)).clamp(0, 1)


def overexpose(image: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Too long an exposure: a gain of 2 to 6 and an offset up to 0.3, clipped at white.

    Args:
        image: `(C, H, W)` in [0, 1].
        generator: Source of the randomness.

    Returns:
        The same shape, in [0, 1].
    """
    gain, offset = math.exp(_uniform(generator, 0.7, 1.8)), _uniform(generator, 0, 0.3)
    return (gain * image + offset).clamp(0, 1)


BLINDNESS: dict[str, Callable[[Tensor, torch.Generator | None], Tensor]] = {
    "smoke": smoke,
    "haze": haze,
    "overexposure": overexpose,
}
"""Ways in which the visible camera goes blind, by name."""


def compress(image: Tensor, quality: int) -> Tensor:
    """The picture after JPEG of a quality from 1 to 100; `(1 or 3, H, W)` in [0, 1]."""
    planes = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    _, code = cv2.imencode(".jpg", planes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = cv2.imdecode(code, cv2.IMREAD_UNCHANGED)
    assert back is not None
    back = back.reshape(planes.shape)[..., ::-1]
    return torch.from_numpy(back.copy()).permute(2, 0, 1).float() / 255


def shift(image: Tensor, rows: int, columns: int) -> Tensor:
    """The picture moved down by `rows` and right by `columns` pixels, the border replicated."""
    height, width = image.shape[-2:]
    down = (torch.arange(height) - rows).clamp(0, height - 1)
    right = (torch.arange(width) - columns).clamp(0, width - 1)
    return image[..., down, :][..., right]
