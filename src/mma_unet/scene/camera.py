"""The two cameras: where things land in the picture, and what the sensors make of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from mma_unet.scene.noise import Array

__all__ = ["Camera", "infrared_sensor", "visible_sensor"]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on the road looking along it; x right, y up, z forward, in meters.

    Attributes:
        height: Rows of the picture it draws, after supersampling.
        width: Columns.
        x: Place across the street.
        y: Height above the road.
    """

    height: int
    width: int
    x: float = 0.7
    y: float = 1.75

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return 0.86 * max(self.width, self.height)

    @property
    def center(self) -> tuple[float, float]:
        """Column and row of the vanishing point."""
        return 0.5 * self.width, 0.475 * self.height

    def project(self, points: Array) -> Array:
        """``(N, 3)`` places in front of the camera to ``(N, 2)`` columns and rows."""
        points = np.asarray(points, dtype=np.float64)
        depth = np.maximum(points[:, 2], 0.1)
        column = self.center[0] + self.focal * (points[:, 0] - self.x) / depth
        row = self.center[1] - self.focal * (points[:, 1] - self.y) / depth
        return np.stack([column, row], axis=1)

    def rays(self) -> Array:
        """``(H, W, 3)`` directions with z = 1."""
        columns = (np.arange(self.width) + 0.5 - self.center[0]) / self.focal
        rows = -(np.arange(self.height) + 0.5 - self.center[1]) / self.focal
        x, y = np.meshgrid(columns, rows)
        return np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float32)


def visible_sensor(light: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """Lens glow, exposure, noise and eight bits.

    Args:
        light: ``(h, w, 3)`` linear light, 1 being about what saturates.
        size: Height and width of the result.
        rng: Source of the noise.

    Returns:
        ``(H, W, 3)`` RGB ``uint8``.
    """
    image = cv2.resize(light, size[::-1], interpolation=cv2.INTER_AREA)
    bright = np.minimum(image, 30.0)
    glow = np.zeros_like(image)
    for sigma, weight in ((0.004, 0.10), (0.016, 0.05), (0.05, 0.025), (0.13, 0.012)):
        glow = glow + weight * cv2.GaussianBlur(bright, (0, 0), sigma * size[1] + 0.5)
    image = image * 0.9 + glow
    exposed = 1.0 - np.exp(-2.6 * image)
    # Shot noise grows with the light, read noise does not; both before the tone curve.
    sigma_noise = np.sqrt(1.2e-5 + 1.0e-4 * exposed)
    exposed = exposed + sigma_noise * rng.standard_normal(image.shape, dtype=np.float32)
    grain = 0.0012 * cv2.GaussianBlur(
        rng.standard_normal(image.shape, dtype=np.float32), (0, 0), 0.8
    )
    toned = np.clip(exposed + grain, 0.0, 1.0) ** (1 / 2.2)
    contrast = toned * toned * (3 - 2 * toned)
    toned = 0.55 * toned + 0.45 * contrast
    result: Array = np.floor(np.clip(toned, 0, 1) * 255 + 0.5).astype(np.uint8)
    return result


def infrared_sensor(warmth: Array, size: tuple[int, int], rng: np.random.Generator) -> Array:
    """The softer optics of a thermal camera, its temporal and column noise, and eight bits.

    Args:
        warmth: ``(h, w)`` apparent temperature, 0 the coldest sky and 1 bare skin.
        size: Height and width of the result.
        rng: Source of the noise.

    Returns:
        ``(H, W)`` ``uint8``.
    """
    image = cv2.resize(warmth, size[::-1], interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image, (0, 0), 0.0011 * size[1] + 0.15)
    halo = cv2.GaussianBlur(image, (0, 0), 0.03 * size[1])
    image = 1.12 * image - 0.035 + 0.12 * (image - halo)
    image = image + 0.008 * rng.standard_normal(image.shape, dtype=np.float32)
    image = image + 0.003 * rng.standard_normal((1, size[1]), dtype=np.float32)
    rows = np.linspace(-1, 1, size[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, size[1], dtype=np.float32)[None]
    image = image - 0.02 * (rows**2 + columns**2)
    result: Array = np.floor(np.clip(image, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    return result
