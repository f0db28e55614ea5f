"""Fractal noise and small helpers that every part of the synthetic scene uses."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Noise", "hash01", "rgb", "smoothstep"]

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
        self._padded: Array = np.pad(self.field, (0, 2), mode="wrap")

    def __call__(self, u: Array, v: Array, period: float) -> Array:
        """Noise of mean 0 and standard deviation 1 at places given in meters.

        Args:
            u: First coordinate, any shape.
            v: Second coordinate, the same shape.
            period: Meters after which the noise repeats; small means fine grain.

        Returns:
            ``float32`` of the same shape.
        """
        u, v = np.broadcast_arrays(np.asarray(u, np.float32), np.asarray(v, np.float32))
        count, row = u.size, 1024
        maps = np.zeros((2, -(-count // row) * row), np.float32)
        maps[0, :count], maps[1, :count] = u.ravel(), v.ravel()
        maps = np.mod(maps * np.float32(self.size / period), np.float32(self.size))
        columns, rows = maps.reshape(2, -1, row)
        found: Array = np.concatenate(
            [
                cv2.remap(self._padded, columns[i : i + 16384], rows[i : i + 16384], 1)
                for i in range(0, len(columns), 16384)
            ]
            or [columns]
        )
        return found.ravel()[:count].reshape(u.shape)


def hash01(*keys: Array | int) -> Array:
    """A value in [0, 1) that depends on whole numbers only; arrays are broadcast."""
    with np.errstate(over="ignore"):
        state: Array = np.asarray(0x9E3779B97F4A7C15, np.uint64)
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


def rgb(red: float, green: float, blue: float) -> Array:
    """A color or an amount of light as a ``(3,)`` ``float32`` array."""
    return np.array([red, green, blue], np.float32)
