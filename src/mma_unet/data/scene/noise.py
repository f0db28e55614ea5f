"""Fractal noise and small helpers that every part of the synthetic scene uses."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Noise", "hash01", "smoothstep"]

Array = npt.NDArray[Any]


class Noise:
    """A tile of 1/f noise that repeats without a seam, looked up bilinearly.

    Args:
        rng: Source of the randomness.
        size: Side of the tile in samples.
        power: Slope of the amplitude spectrum; larger is smoother.
    """

    def __init__(self, rng: np.random.Generator, size: int = 512, power: float = 1.5) -> None:
        fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij")
        radius = np.hypot(fy, fx)
        radius[0, 0] = 1.0
        spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / radius**power
        spectrum[0, 0] = 0.0
        field = np.fft.irfft2(spectrum, s=(size, size))
        self.field: Array = (field / field.std()).astype(np.float32)
        self.size = size

    def __call__(self, u: Array, v: Array, period: float) -> Array:
        """Noise of mean 0 and standard deviation 1 at places given in metres.

        Args:
            u: First coordinate, any shape.
            v: Second coordinate, the same shape.
            period: Metres after which the noise repeats; small means fine grain.

        Returns:
            ``float32`` of the same shape.
        """
        x, y = u * (self.size / period), v * (self.size / period)
        x0, y0 = np.floor(x), np.floor(y)
        fx, fy = (x - x0).astype(np.float32), (y - y0).astype(np.float32)
        i, j = x0.astype(np.int64) % self.size, y0.astype(np.int64) % self.size
        i1, j1 = (i + 1) % self.size, (j + 1) % self.size
        top = self.field[j, i] * (1 - fx) + self.field[j, i1] * fx
        bottom = self.field[j1, i] * (1 - fx) + self.field[j1, i1] * fx
        result: Array = top * (1 - fy) + bottom * fy
        return result


def hash01(*keys: Array | int) -> Array:
    """A value in [0, 1) that depends on whole numbers only; arrays are broadcast."""
    with np.errstate(over="ignore"):
        state = np.uint64(0x9E3779B97F4A7C15)
        for key in keys:
            state = np.bitwise_xor(state, np.asarray(key).astype(np.int64).astype(np.uint64))
            state = state * np.uint64(0xBF58476D1CE4E5B9)
            state = np.bitwise_xor(state, state >> np.uint64(29))
            state = state * np.uint64(0x94D049BB133111EB)
            state = np.bitwise_xor(state, state >> np.uint64(32))
    return (np.asarray(state >> np.uint64(40)) / 2.0**24).astype(np.float32)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between; ``low > high`` turns it round."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    result: Array = t * t * (3.0 - 2.0 * t)
    return result
