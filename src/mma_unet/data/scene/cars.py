"""Cars as folded sheets: a side profile with a width at each point, projected panel by panel."""

from dataclasses import dataclass

import cv2
import numpy as np

from mma_unet.data.scene.camera import Camera
from mma_unet.data.scene.noise import Array

__all__ = ["Car", "CarLayer", "draw_car"]

# z from the front bumper, y, half width: once round the body.
_PROFILE = np.array(
    [
        (0.10, 0.24, 0.80), (0.00, 0.48, 0.84), (0.06, 0.66, 0.85), (0.30, 0.80, 0.84),
        (1.30, 0.97, 0.82), (2.05, 1.42, 0.60), (2.50, 1.47, 0.60), (3.10, 1.44, 0.59),
        (3.85, 1.03, 0.76), (4.20, 0.97, 0.82), (4.32, 0.70, 0.86), (4.30, 0.45, 0.85),
        (4.20, 0.24, 0.80),
    ]
)  # fmt: skip
_GLASS = {4: "screen", 7: "rear"}
_WARMTH = (0.62, 0.80, 0.70, 0.60, 0.34, 0.29, 0.29, 0.33, 0.35, 0.37, 0.38, 0.40)


@dataclass(frozen=True)
class Car:
    """A car on the road.

    Attributes:
        x: Middle of the car across the street, in metres.
        z: Distance of the end that is nearer to the camera.
        oncoming: Shows its front, headlights on; otherwise its rear.
        paint: RGB albedo.
        running: Whether its lights are on.
        heat: Factor on the engine's excess warmth.
        speed: Metres per frame along z, for sequences.
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


def draw_car(car: Car, camera: Camera) -> CarLayer:
    """Draw a car where it stands.

    Args:
        car: The car; its nearer end must be in front of the camera.
        camera: Projects it.

    Returns:
        Maps of the camera's size.
    """
    shape = camera.height, camera.width
    layer = CarLayer(
        np.zeros(shape, np.float32),
        np.zeros((*shape, 3), np.float32),
        np.zeros((*shape, 3), np.float32),
        np.zeros(shape, np.float32),
    )
    brush = _Brush(car, camera, layer)
    paint = np.asarray(car.paint, np.float32)
    glass = np.array([0.02, 0.024, 0.03], np.float32)
    # The shadowed underside and the tyres first, then panels from the far end to the near one.
    brush.quad([(-0.78, 0.12, 0.3), (0.78, 0.12, 0.3), (0.78, 0.34, 0.3), (-0.78, 0.34, 0.3)],
               0 * paint + 0.01, 0.45)  # fmt: skip
    for z in (3.45, 0.85):
        for side in (-1, 1):
            brush.wheel(side * 0.80, z)
    panels = list(range(len(_PROFILE) - 1))
    panels.sort(key=lambda i: -brush.depth((_PROFILE[i, 0] + _PROFILE[i + 1, 0]) / 2))
    for i in panels:
        (za, ya, wa), (zb, yb, wb) = _PROFILE[i], _PROFILE[i + 1]
        corners = [(-wa, ya, za), (wa, ya, za), (wb, yb, zb), (-wb, yb, zb)]
        engine = _WARMTH[i] - 0.36
        warm = 0.36 + (engine * car.heat if engine > 0 else engine)
        slope = np.clip(0.75 + 0.5 * (yb - ya) / max(abs(zb - za), 0.3), 0.45, 1.2)
        brush.quad(corners, paint * slope, warm)
        for side in (-1, 1):
            low = [(side * w, 0.24, z) for z, w in ((za, wa), (zb, wb))]
            high = [(side * wb, yb, zb), (side * wa, ya, za)]
            heat = 0.33 + 0.16 * car.heat * float(np.exp(-(((za + zb) / 2 - 0.7) ** 2) / 0.8))
            brush.quad(low + high, paint * 0.8, heat)
        if i in _GLASS:
            inner = [(0.88 * x, y + 0.05 * (1 if n < 2 else -1), z)
                     for n, (x, y, z) in enumerate(corners)]  # fmt: skip
            brush.quad(inner, glass, 0.30 if car.running else 0.27)
    _face(brush, car)
    layer.alpha = cv2.GaussianBlur(layer.alpha, (0, 0), 0.7)
    spread = max(camera.focal / car.z * 0.035, 0.5)
    inside = cv2.GaussianBlur((layer.alpha > 0.5).astype(np.float32), (0, 0), spread)
    soft = cv2.GaussianBlur(layer.warmth * (layer.alpha > 0.5), (0, 0), spread)
    layer.warmth = np.where(layer.alpha > 0.02, soft / np.maximum(inside, 0.15), 0)
    return layer


def _face(brush: "_Brush", car: Car) -> None:
    """Lamps, grille, plate and windows' posts on the end that is seen."""
    dark = np.array([0.015, 0.015, 0.017], np.float32)
    if car.oncoming:
        z = -0.02
        brush.box(0.0, 0.58, 0.46, 0.085, z, dark, 0.36 + 0.52 * car.heat)
        brush.box(0.0, 0.36, 0.62, 0.06, z, dark, 0.36 + 0.40 * car.heat)
        brush.box(0.0, 0.46, 0.26, 0.055, z - 0.01, np.float32([0.5, 0.5, 0.45]), 0.42)
        for side in (-1, 1):
            glow = np.float32([1.0, 0.95, 0.82]) * (26.0 if car.running else 0.0)
            brush.disc(side * 0.64, 0.66, 0.13, 0.072, z, np.float32([0.4, 0.4, 0.4]), 0.62, glow)
            brush.disc(side * 0.66, 0.37, 0.05, 0.04, z, np.float32([0.3] * 3), 0.50, glow * 0.08)
            brush.box(side * 0.93, 0.98, 0.10, 0.065, 1.25, np.float32(car.paint) * 0.7, 0.33)
    else:
        z = 4.34
        brush.box(0.0, 0.50, 0.27, 0.06, z, np.float32([0.55, 0.52, 0.35]), 0.34)
        brush.box(0.0, 0.30, 0.70, 0.05, z, dark, 0.40)
        tail = np.float32([1.0, 0.03, 0.015]) * (3.2 if car.running else 0.0)
        for side in (-1, 1):
            red = np.float32([0.30, 0.015, 0.01])
            brush.box(side * 0.66, 0.76, 0.17, 0.075, z, red, 0.37, tail)
            brush.box(side * 0.56, 0.74, 0.05, 0.05, z, np.float32([0.35, 0.3, 0.28]), 0.37)
            brush.box(side * 0.93, 0.98, 0.10, 0.065, 1.3, np.float32(car.paint) * 0.7, 0.33)
        brush.disc(0.48, 0.27, 0.05, 0.04, z, dark, 0.36 + 0.62 * car.heat)


class _Brush:
    """Fills projected shapes into the maps of a layer."""

    def __init__(self, car: Car, camera: Camera, layer: CarLayer) -> None:
        self.car, self.camera, self.layer = car, camera, layer
        self.length = float(_PROFILE[:, 0].max())

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
        """Fill a polygon given in the car's own metres."""
        mask = np.zeros(self.layer.alpha.shape, np.uint8)
        pixels = np.round(self._pixels(corners) * 16).astype(np.int32)
        cv2.fillPoly(mask, [pixels], 255, cv2.LINE_AA, 4)
        rows, columns = np.nonzero(mask)
        if rows.size == 0:
            return
        share = mask[rows, columns].astype(np.float32) / 255
        layer = self.layer
        layer.alpha[rows, columns] = np.maximum(layer.alpha[rows, columns], share)
        layer.albedo[rows, columns] += share[:, None] * (albedo - layer.albedo[rows, columns])
        layer.warmth[rows, columns] += share * (warm - layer.warmth[rows, columns])
        light = np.zeros(3, np.float32) if glow is None else glow
        layer.emission[rows, columns] += share[:, None] * (light - layer.emission[rows, columns])

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
            (x + half_width * float(np.cos(t)), y + half_height * float(np.sin(t)), z)
            for t in turn
        ]
        self.quad(corners, albedo, warm, glow)

    def wheel(self, x: float, z: float) -> None:
        """A tyre with a warm hub, seen from the end and a little from the side."""
        inner, outer = x - 0.1 * np.sign(x), x + 0.06 * np.sign(x)
        turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        black, metal = np.float32([0.012] * 3), np.float32([0.16] * 3)
        for place in np.linspace(inner, outer, 4):
            rim = [(float(place), 0.31 + 0.31 * float(np.sin(t)), z + 0.31 * float(np.cos(t)))
                   for t in turn]  # fmt: skip
            self.quad(rim, black, 0.60)
        low = z - 0.3 if self.car.oncoming else z + 0.3
        self.box((inner + outer) / 2, 0.17, 0.10, 0.16, low, black, 0.62)
        hub = [(float(outer), 0.31 + 0.19 * float(np.sin(t)), z + 0.19 * float(np.cos(t)))
               for t in turn]  # fmt: skip
        self.quad(hub, metal, 0.78)
