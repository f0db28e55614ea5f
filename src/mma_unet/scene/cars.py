"""Cars as folded sheets: a side profile with a width at each point, projected panel by panel."""

import cv2
import numpy as np

from mma_unet.scene.brush import PROFILE, Brush, Car, CarLayer
from mma_unet.scene.camera import Camera
from mma_unet.scene.noise import Array, rgb, smoothstep

__all__ = ["Car", "CarLayer", "draw_car"]

_GLASS = {4: "screen", 7: "rear"}
_WARMTH = (0.62, 0.80, 0.70, 0.60, 0.28, 0.22, 0.22, 0.24, 0.27, 0.33, 0.31, 0.37)


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
    brush = Brush(car, camera, layer)
    paint = np.asarray(car.paint, np.float32)
    # The shadowed underside and the tyres first, then panels from the far end to the near one.
    brush.quad([(-0.78, 0.12, 0.3), (0.78, 0.12, 0.3), (0.78, 0.34, 0.3), (-0.78, 0.34, 0.3)],
               0 * paint + 0.01, 0.45)  # fmt: skip
    for z in (3.45, 0.85):
        for side in (-1, 1):
            brush.wheel(side * 0.80, z)
    if not car.oncoming:
        for side in (-1, 1):
            brush.box(side * 0.93, 0.98, 0.10, 0.065, 1.3, 0.7 * paint, 0.31)
    panels = list(range(len(PROFILE) - 1))
    panels.sort(key=lambda i: -brush.depth((PROFILE[i, 0] + PROFILE[i + 1, 0]) / 2))
    for i in panels:
        (za, ya, wa), (zb, yb, wb) = PROFILE[i], PROFILE[i + 1]
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
            _window(brush, inner, 0.24 if car.running else 0.20)
    _flank(brush, car, camera.x)
    _face(brush, car)
    _soften(layer, camera.focal / car.z)
    return layer


def _soften(layer: CarLayer, unit: float) -> None:
    """Round the corners, and blend the panels as curved sheet metal would; ``unit`` is px/m."""
    rows = np.flatnonzero(layer.alpha.any(axis=1))
    columns = np.flatnonzero(layer.alpha.any(axis=0))
    if rows.size == 0:
        return
    margin = int(0.3 * unit) + 4
    box = (
        slice(max(rows[0] - margin, 0), rows[-1] + margin),
        slice(max(columns[0] - margin, 0), columns[-1] + margin),
    )
    alpha = layer.alpha[box]
    solid = (alpha > 0.5).astype(np.float32)
    rounded = cv2.GaussianBlur(alpha, (0, 0), max(0.022 * unit, 0.6))
    layer.alpha[box] = np.minimum(smoothstep(0.40, 0.62, rounded), cv2.blur(alpha, (3, 3)) * 1.5)

    def blend(image: Array, meters: float) -> Array:
        sigma = max(meters * unit, 0.5)
        weight = np.maximum(cv2.GaussianBlur(solid, (0, 0), sigma), 0.1)
        mask = solid if image.ndim == 2 else solid[..., None]
        weight = weight if image.ndim == 2 else weight[..., None]
        mixed: Array = cv2.GaussianBlur(image * mask, (0, 0), sigma) / weight
        return mixed

    layer.warmth[box] = blend(layer.warmth[box], 0.030)
    layer.albedo[box] = 0.45 * layer.albedo[box] + 0.55 * blend(layer.albedo[box], 0.035)


def _flank(brush: Brush, car: Car, eye: float) -> None:
    """Windows, door seams and wheels of the side that the camera sees."""
    side = 1.0 if eye > car.x else -1.0
    if car.oncoming:
        side = -side  # the car's own right is on our left
    glass = rgb(0.02, 0.024, 0.03)
    for front, rear, front_top, rear_top in ((1.48, 2.52, 2.08, 2.52), (2.62, 3.68, 2.62, 3.08)):
        corners = [
            (side * 0.805, 1.02, front),
            (side * 0.795, 1.04, rear),
            (side * 0.625, 1.37, rear_top),
            (side * 0.625, 1.36, front_top),
        ]
        brush.quad(corners, glass, 0.25, rgb(0.010, 0.009, 0.011))
    for seam in (1.40, 2.57):
        line = [(side * 0.86, y, seam + dz) for y, dz in ((0.35, 0), (0.95, 0), (0.95, 0.03))]
        brush.quad([*line, (side * 0.86, 0.35, seam + 0.03)], rgb(0.01, 0.01, 0.01), 0.34)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for z in (0.85, 3.45):
        for radius, tone, warm in ((0.37, 0.006, 0.40), (0.31, 0.012, 0.50), (0.19, 0.13, 0.66)):
            rim = [
                (side * 0.865, 0.31 + radius * float(np.sin(t)), z + radius * float(np.cos(t)))
                for t in turn
                if radius < 0.35 or np.sin(t) > -0.2
            ]
            brush.quad(rim, rgb(tone, tone, tone), warm)


def _window(brush: Brush, corners: list[tuple[float, float, float]], warm: float) -> None:
    """Dark glass that mirrors the sky towards its upper edge."""
    (la, lb, lc, ld) = (np.array(c) for c in corners)
    top_first = la[1] > ld[1]
    steps = 8
    for i in range(steps):
        a, b = i / steps, (i + 1) / steps
        strip = [la + a * (ld - la), lb + a * (lc - lb), lb + b * (lc - lb), la + b * (ld - la)]
        height = 1 - (a + b) / 2 if top_first else (a + b) / 2
        points = [(float(x), float(y), float(z)) for x, y, z in strip]
        glow = rgb(0.010, 0.009, 0.011) * (0.25 + height**2)
        brush.quad(points, rgb(0.02, 0.024, 0.03), warm - 0.04 * height, glow)


def _face(brush: Brush, car: Car) -> None:
    """Lamps, grille, plate and windows' posts on the end that is seen."""
    dark = np.array([0.015, 0.015, 0.017], np.float32)
    if car.oncoming:
        z = -0.02
        brush.box(0.0, 0.58, 0.46, 0.085, z, dark, 0.36 + 0.52 * car.heat)
        brush.box(0.0, 0.36, 0.62, 0.06, z, dark, 0.36 + 0.40 * car.heat)
        brush.box(0.0, 0.46, 0.26, 0.055, z - 0.01, rgb(0.5, 0.5, 0.45), 0.42)
        for side in (-1, 1):
            glow = rgb(1.0, 0.95, 0.82) * (26.0 if car.running else 0.0)
            brush.disc(side * 0.64, 0.66, 0.13, 0.072, z, rgb(0.4, 0.4, 0.4), 0.62, glow)
            brush.disc(side * 0.66, 0.37, 0.05, 0.04, z, rgb(0.3, 0.3, 0.3), 0.50, glow * 0.08)
            brush.box(side * 0.93, 0.98, 0.10, 0.065, 1.25, rgb(*car.paint) * 0.7, 0.33)
    else:
        z = 4.34
        trim = rgb(*car.paint)
        brush.box(0.0, 0.87, 0.80, 0.012, z, 0.3 * trim, 0.28)
        brush.box(0.0, 0.93, 0.79, 0.030, z, 1.5 * trim + 0.02, 0.25, rgb(0.012, 0.011, 0.012))
        brush.box(0.0, 0.36, 0.84, 0.10, z, 0.55 * trim + 0.01, 0.40)
        brush.box(0.0, 0.47, 0.83, 0.012, z, 1.6 * trim + 0.02, 0.38)
        brush.box(0.0, 0.24, 0.74, 0.045, z, dark, 0.46)
        brush.box(0.0, 0.62, 0.27, 0.065, z, rgb(0.50, 0.48, 0.36), 0.29)
        tail = rgb(1.0, 0.03, 0.015) * (3.2 if car.running else 0.0)
        for side in (-1, 1):
            red = rgb(0.30, 0.015, 0.01)
            brush.box(side * 0.66, 0.76, 0.17, 0.075, z, red, 0.37, tail)
            brush.box(side * 0.56, 0.74, 0.05, 0.05, z, rgb(0.35, 0.3, 0.28), 0.37)
        brush.disc(0.48, 0.25, 0.07, 0.05, z, dark, 0.40 + 0.62 * car.heat)
