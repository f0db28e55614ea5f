"""The color of the result: chroma is kept where it can be believed."""

from __future__ import annotations

import numpy as np
import torch

from mma_unet.inference.canvas import Canvas
from mma_unet.inference.sources import read_source

ALL = slice(None)


def painted(vi: np.ndarray, fused: np.ndarray) -> np.ndarray:
    canvas = Canvas(read_source(vi, "vi"), gray=False)
    canvas.paint(ALL, ALL, torch.from_numpy(fused.astype(np.float32))[None])
    result = canvas.result()
    assert isinstance(result, np.ndarray)
    return result


def one(color: tuple[int, int, int], fused: float) -> list[int]:
    vi = np.full((4, 4, 3), color, np.uint8)
    return [int(x) for x in painted(vi, np.full((4, 4), fused / 255))[0, 0]]


def test_the_same_luminance_keeps_the_color() -> None:
    vi = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    gray = vi @ np.array((0.299, 0.587, 0.114)) / 255
    assert np.abs(painted(vi, gray).astype(int) - vi).max() <= 1


def test_darker_does_not_become_more_saturated() -> None:
    # Y of (200, 100, 50) is 124.2; half of it halves each channel.
    assert one((200, 100, 50), 62.1) == [100, 50, 25]


def test_bright_colors_that_rise_keep_their_chroma() -> None:
    assert one((140, 100, 90), 150) == [179, 139, 129]  # Y is 110.8


def test_noise_in_the_dark_turns_no_tree_violet() -> None:
    red, green, blue = one((12, 2, 14), 120)  # Y is 6.4
    assert max(red, green, blue) - min(red, green, blue) <= 2
    assert abs(red - 120) <= 2


def test_a_little_lift_in_the_dark_keeps_most_color() -> None:
    red, green, _ = one((40, 10, 10), 24)  # Y is 19; the difference of channels is 30
    assert 24 <= red - green <= 30


def test_bytes_and_floats_agree() -> None:
    rng = np.random.default_rng(1)
    vi, fused = rng.integers(0, 256, (32, 40, 3), np.uint8), rng.random((32, 40))
    of_floats = painted(vi.astype(np.float64) / 255, fused)
    assert np.abs(painted(vi, fused) - 255 * of_floats).max() <= 0.51
