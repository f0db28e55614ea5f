"""A picture as thermal cameras give it: counts and degrees."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

HEIGHT, WIDTH = 96, 128


def scene(seed: int = 0) -> np.ndarray:
    """A smooth picture in [0, 1] with a dark and a bright end."""
    noise = np.random.default_rng(seed).random((HEIGHT, WIDTH)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    low, high = np.quantile(smooth, (0.02, 0.98))
    return np.clip((smooth - low) / (high - low), 0, 1)


def counts(seed: int = 0) -> np.ndarray:
    """The scene as a 14-bit camera gives it."""
    return (7000 + 2000 * scene(seed)).astype(np.uint16)


RAW: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "14 bits": lambda x: (7000 + 2000 * x).astype(np.uint16),
    "14 bits, all of them": lambda x: (16383 * x).astype(np.uint16),
    "centi-kelvin": lambda x: (27315 + 5000 * x).astype(np.uint16),
    "degrees": lambda x: (-12 + 50 * x).astype(np.float32),
    "degrees in doubles": lambda x: 20 + 15 * x.astype(np.float64),
    "tenths of degrees": lambda x: (-120 + 900 * x).astype(np.int16),
    "radiance": lambda x: (1_000_000 + 90_000 * x).astype(np.int32),
    "counts over 65535": lambda x: ((7000 + 2000 * x) / 65535).astype(np.float32),
}
"""What thermal cameras and their software give for a picture in [0, 1]."""
