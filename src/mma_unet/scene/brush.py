"""The shape of a car, and the brush that fills its projected panels into a layer's maps."""

from dataclasses import dataclass

import cv2
import numpy as np

from mma_unet.scene.camera import Camera
from mma_unet.scene.noise import Array, rgb

__all__ = ["PROFILE", "Brush", "Car", "CarLayer"]

# z from the front bumper, y, half width: once round the body.
PROFILE = np.array(
    [
        (0.10, 0.24, 0.80), (0.00, 0.48, 0.84), (0.06, 0.66, 0.85), (0.30, 0.80, 0.84),
        (1.30, 0.97, 0.82), (2.05, 1.42, 0.60), (2.50, 1.47, 0.60), (3.10, 1.44, 0.59),
        (3.85, 1.03, 0.76), (4.20, 0.97, 0.82), (4.32, 0.70, 0.86), (4.30, 0.45, 0.85),
        (4.20, 0.24, 0.80),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Car:
    """A car on the road.

    Attributes:
        x: Middle of the car across the street, in meters.
        z: Distance of the end that is nearer to the camera.
        oncoming: Shows its front, headlights on; otherwise its rear.
        paint: RGB albedo.
        running: Whether its lights are on.
        heat: Factor on the engine's excess warmth.
        speed: Meters per frame along z, for sequences.
    """

    x: float
    z: float
    oncoming: bool
    paint: tuple[float, float, float]
    running: bool = True
    heat: float = 1.0
    speed: float = 0.0


@dataclass
class CarLayer:
    """A car drawn over the whole picture: coverage, albedo, emission, warmth, gloss."""

    alpha: Array
    albedo: Array
    emission: Array
    warmth: Array


class Brush:
    """Fills projected shapes into the maps of a layer."""

    def __init__(self, car: Car, camera: Camera, layer: CarLayer) -> None:
        self.car, self.camera, self.layer = car, camera, layer
        self.length = float(PROFILE[:, 0].max())

    def depth(self, z: float) -> float:
        """Distance from the camera of a place along the car."""
        return self.car.z + (z if self.car.oncoming else self.length - z)

    def _pixels(self, corners: list[tuple[float, float, float]]) -> Array:
        turn = -1.0 if self.car.oncoming else 1.0
        points = np.array([(self.car.x + turn * x, y, self.depth(z)) for x, y, z in corners])
        return self.camera.project(points)

    def quad(
        self,
        corners: list[tuple[float, float, float]],
        albedo: Array,
        warm: float,
        glow: Array | None = None,
    ) -> None:
        """Fill a polygon given in the car's own meters."""
        pixels = self._pixels(corners)
        size = self.camera.width, self.camera.height
        low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - 2, 0, size)
        high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + 3, 0, size)
        if (high <= low).any():
            return
        box = slice(low[1], high[1]), slice(low[0], high[0])
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        points = np.round((pixels - low) * 16).astype(np.int32)
        cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
        share = mask.astype(np.float32) / 255
        layer = self.layer
        layer.alpha[box] = np.maximum(layer.alpha[box], share)
        layer.warmth[box] += share * (warm - layer.warmth[box])
        light = np.zeros(3, np.float32) if glow is None else glow
        layer.albedo[box] += share[..., None] * (albedo - layer.albedo[box])
        layer.emission[box] += share[..., None] * (light - layer.emission[box])

    def box(
        self,
        x: float,
        y: float,
        half_width: float,
        half_height: float,
        z: float,
        albedo: Array,
        warm: float,
        glow: Array | None = None,
    ) -> None:
        """Fill an upright rectangle that faces along the street."""
        self.quad(
            [
                (x - half_width, y - half_height, z),
                (x + half_width, y - half_height, z),
                (x + half_width, y + half_height, z),
                (x - half_width, y + half_height, z),
            ],
            albedo,
            warm,
            glow,
        )

    def disc(
        self,
        x: float,
        y: float,
        half_width: float,
        half_height: float,
        z: float,
        albedo: Array,
        warm: float,
        glow: Array | None = None,
    ) -> None:
        """Fill an upright ellipse that faces along the street."""
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        corners = [
            (x + half_width * float(np.cos(t)), y + half_height * float(np.sin(t)), z) for t in turn
        ]
        self.quad(corners, albedo, warm, glow)

    def wheel(self, x: float, z: float) -> None:
        """A tyre with a warm hub, seen from the end and a little from the side."""
        inner, outer = x - 0.1 * np.sign(x), x + 0.06 * np.sign(x)
        turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        black, metal = rgb(0.012, 0.012, 0.012), rgb(0.16, 0.16, 0.16)
        for place in np.linspace(inner, outer, 4):
            rim = [(float(place), 0.31 + 0.31 * float(np.sin(t)), z + 0.31 * float(np.cos(t)))
                   for t in turn]  # fmt: skip
            self.quad(rim, black, 0.50)
        low = z - 0.3 if self.car.oncoming else z + 0.3
        self.box((inner + outer) / 2, 0.17, 0.10, 0.16, low, black, 0.52)
        hub = [(float(outer), 0.31 + 0.19 * float(np.sin(t)), z + 0.19 * float(np.cos(t)))
               for t in turn]  # fmt: skip
        self.quad(hub, metal, 0.66)
