"""What infrared and visible have in common: where edges are, and how they run.

An edge that is bright to dark in one is often dark to bright in the other, or much weaker. So its
direction is kept without the sign, in channels of a soft histogram of orientations, and its
strength is compared with what is around it (after Ye et al., "Fast and Robust Matching for
Multimodal Remote Sensing Image Registration", TGRS 2019, whose CFOG this resembles).
"""

from __future__ import annotations

import cv2
import numpy as np

from mma_unet.registration.geometry import Array

__all__ = ["CHANNELS", "orientation_channels", "shrunk"]

CHANNELS = 6
_ANGLES = np.arange(CHANNELS, dtype=np.float32) * np.float32(np.pi / CHANNELS)
_COSINES, _SINES = np.cos(_ANGLES), np.sin(_ANGLES)
_SPREAD = 2.0
"""Blur of the channels, in pixels: what a small residual may be off."""
_AROUND = 19
"""Width of what an edge is compared with, in pixels."""


def shrunk(image: Array, size: tuple[int, int]) -> Array:
    """A gray image ``(H, W)`` at another size, ``float32``, without aliases."""
    small: Array = cv2.resize(
        image.astype(np.float32, copy=False), size[::-1], interpolation=cv2.INTER_AREA
    )
    return small


def orientation_channels(image: Array, mask: Array) -> tuple[Array, Array]:
    """Channels of an image, and where they can be trusted.

    Args:
        image: ``(H, W)`` ``float32``.
        mask: ``(H, W)`` ``float32``, 1 inside the picture and 0 outside.

    Returns:
        ``(H, W, 6)`` ``float32``, about 0 in the mean and 1 in the mean square inside, 0 outside;
        and the mask without a margin as wide as an edge.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 0.8)
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3)[..., None]
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)[..., None]
    inside = cv2.erode(mask, np.ones((7, 7)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    inside = (inside > 0.99).astype(np.float32)
    if not inside.any():
        return np.zeros((*inside.shape, CHANNELS), np.float32), inside
    # The gradient times the fourth power of the cosine of its angle to each direction.
    along = (gx * _COSINES + gy * _SINES) ** 2
    raw = along * along / ((gx * gx + gy * gy) ** 1.5 + 1e-9) * inside[..., None]
    raw = cv2.GaussianBlur(raw, (0, 0), _SPREAD)
    weight = _around(inside) + 1e-3
    energy = _around(raw.sum(axis=2)) / weight
    floor = 0.1 * float(energy[inside > 0].mean())
    relative = np.sqrt(raw / (energy + floor + 1e-6)[..., None]) * inside[..., None]
    result = (relative - _around(relative) / weight[..., None]) * inside[..., None]
    size = float(np.sqrt((result * result).sum() / (inside.sum() * CHANNELS)))
    return result / np.float32(max(size, 1e-6)), inside


def _around(image: Array) -> Array:
    """The mean of what is around each pixel; zeros outside of the image."""
    for _ in range(2):
        image = cv2.blur(image, (_AROUND, _AROUND), borderType=cv2.BORDER_CONSTANT)
    return image
