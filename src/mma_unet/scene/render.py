"""Putting the street together: light, wet road, people and cars by distance, then the sensors.

See also `mma_unet.scene.plan`, which decides what stands where.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from mma_unet.errors import InputError
from mma_unet.scene.camera import Camera, infrared_sensor, visible_sensor
from mma_unet.scene.cars import Car, CarLayer, draw_car
from mma_unet.scene.layers import blade_layer, lamp_layer, person_layer, steam_alpha, tree_layer
from mma_unet.scene.lights import Light, irradiance
from mma_unet.scene.noise import Array, rgb, smoothstep
from mma_unet.scene.people import Person
from mma_unet.scene.plan import Plan, plan_street
from mma_unet.scene.street import look
from mma_unet.scene.surfaces import GROUND, Surface

__all__ = ["Scene", "render_scene", "render_sequence"]

_AMBIENT = np.array([0.020, 0.022, 0.032], np.float32)

# The dipped headlights of the car that carries the cameras.
_OWN_BEAMS = tuple(
    Light((x, 0.7, 0.4), (4.2, 4.0, 3.5), (0.0, -0.075, 0.997), (0.945, 0.992), reach=2.0)
    for x in (0.1, 1.3)
)


@dataclass(frozen=True)
class Scene:
    """A registered pair.

    Attributes:
        ir: ``(H, W)`` ``uint8``, brighter is warmer.
        vi: ``(H, W, 3)`` RGB ``uint8``.
        people: ``(x0, y0, x1, y1)`` in pixels around each person, hidden or not; the first is
            behind the steam and the second in the dark. Those out of the picture are left out.
    """

    ir: Array
    vi: Array
    people: tuple[tuple[float, float, float, float], ...] = ()


def render_scene(height: int = 480, width: int = 640, seed: int = 0, supersample: int = 2) -> Scene:
    """Draw the night street of a seed.

    Args:
        height: Rows of the result, at least 32.
        width: Columns, at least 32.
        seed: Decides houses, signs, people, cars and noise; any whole number from 0.
        supersample: Samples per pixel in each direction; 1 is quicker and coarser.

    Returns:
        The pair; the same for the same arguments.

    Raises:
        InputError: A size, the seed or ``supersample`` is out of range.

    Example:
        >>> scene = render_scene(48, 64, supersample=1)
        >>> scene.ir.shape, scene.vi.shape
        ((48, 64), (48, 64, 3))
    """
    return next(render_sequence(1, height, width, seed, supersample))


def render_sequence(
    frames: int, height: int = 480, width: int = 640, seed: int = 0, supersample: int = 1
) -> Iterator[Scene]:
    """Draw the street while people walk, cars drive and the steam drifts.

    Args:
        frames: How many frames, at about 25 in a second.
        height: Rows, at least 32.
        width: Columns, at least 32.
        seed: As in `render_scene`.
        supersample: As in `render_scene`.

    Yields:
        One pair for each frame.

    Raises:
        InputError: A size, the seed or ``supersample`` is out of range.
    """
    if height < 32 or width < 32:
        raise InputError(f"a scene of {width}x{height} pixels is too small: give at least 32x32.")
    if seed < 0 or supersample < 1 or frames < 1:
        raise InputError("a scene needs a seed from 0, and at least 1 frame and 1 sample.")
    return _frames(frames, (height, width), seed, supersample)


def _frames(frames: int, size: tuple[int, int], seed: int, supersample: int) -> Iterator[Scene]:
    stage = _Stage(plan_street(seed), Camera(size[0] * supersample, size[1] * supersample))
    for frame in range(frames):
        light, warmth = stage.frame(frame)
        rng = np.random.default_rng([seed, 3, frame])
        ir, vi = infrared_sensor(warmth, size, rng), visible_sensor(light, size, rng)
        yield Scene(ir, vi, stage.boxes(frame, size))


class _Stage:
    """What stays the same from frame to frame, and the drawing of one frame."""

    def __init__(self, plan: Plan, camera: Camera) -> None:
        self.plan, self.camera = plan, camera
        self.lights = (*plan.lights, *_OWN_BEAMS)
        self.rays = camera.rays()
        self.eye = np.array([camera.x, camera.y, 0], np.float32)
        self.surface = look(plan.street, np.array([camera.x, camera.y, 0.0]), self.rays)
        self.lit = _shade(self.surface, self.lights)
        self.mirror, self.wet = self._wet_road()
        self.standing: list[tuple[float, CarLayer]] = [
            *((lamp.z, lamp_layer(lamp, camera)) for lamp in plan.lamps),
            *((blade.z, blade_layer(blade, camera)) for blade in plan.blades),
            *((tree.z, tree_layer(tree, camera, plan.noise)) for tree in plan.trees),
        ]

    def _wet_road(self) -> tuple[Array, Array]:
        """The picture mirrored in the road, and how strongly the road mirrors."""
        surface, noise = self.surface, self.plan.noise
        ground = surface.kind == GROUND
        x, z = surface.point[..., 0], surface.point[..., 2]
        x, z = np.where(ground, x, 0), np.where(ground, z, 1)
        puddle = smoothstep(-0.2, 1.3, noise(x * 1.5 + 4, z, 13.0)) * 0.75 + 0.2
        road = np.where(np.abs(x) < self.plan.street.kerb, 1.0, 0.25)
        incline = np.abs(self.rays[..., 1]) / np.linalg.norm(self.rays, axis=-1)
        fresnel = 0.02 + 0.75 * (1 - incline) ** 5
        wet = (ground * puddle * road * fresnel).astype(np.float32)
        ripple = 0.010 * noise(x, z, 0.8)
        bounced = self.rays * np.array([1, -1, 1], np.float32)
        bounced[..., 0] += ripple
        bounced[..., 1] = np.where(ground, bounced[..., 1], 1.0) * (1 + 3 * ripple)
        top = int(self.camera.center[1])
        part = look(self.plan.street, surface.point[top:], bounced[top:])
        mirrored = np.zeros_like(surface.point)
        mirrored[top:] = np.minimum(_shade(part, self.lights), 6.0)
        blur = self.camera.height / 90
        mirrored = cv2.GaussianBlur(mirrored, (0, 0), sigmaX=blur / 5, sigmaY=blur)
        return mirrored, wet

    def frame(self, time: int) -> tuple[Array, Array]:
        """Linear light ``(h, w, 3)`` and warmth ``(h, w)`` at a time in frames."""
        plan, camera = self.plan, self.camera
        cars = [replace(c, z=c.z + c.speed * time) for c in plan.cars]
        cars = [c for c in cars if 3.5 < c.z < 70]
        people = self._people(time)
        beams = [beam for car in cars for beam in _beams(car)]
        light = self.lit.copy()
        if beams:
            extra = irradiance(beams, self.surface.point, self.surface.normal)
            light += self.surface.albedo * extra
        dim, glow = self._contact(cars, [(p.x, p.z) for p in people])
        light *= dim[..., None]
        warmth = self.surface.warmth + glow
        streaks = self._streaks(cars)
        light = light * (1 - 0.5 * self.wet[..., None])
        light += self.wet[..., None] * (self.mirror + streaks) * (0.4 + 0.6 * dim[..., None])

        layers = [
            *self.standing,
            *((car.z, draw_car(car, camera)) for car in cars),
            *((p.z, person_layer(p, camera, plan.noise)) for p in people),
        ]
        layers.sort(key=lambda entry: -entry[0])
        behind = sum(z >= plan.steam.z for z, _ in layers)
        for z, layer in layers[:behind]:
            light, warmth = self._over(light, warmth, z, layer, beams)
        light, warmth = self._steam(light, warmth, time, beams)
        for z, layer in layers[behind:]:
            light, warmth = self._over(light, warmth, z, layer, beams)
        return light.astype(np.float32), warmth.astype(np.float32)

    def _people(self, time: int) -> list[Person]:
        moved = (
            replace(
                p, x=p.x + p.speed[0] * time, z=p.z + p.speed[1] * time, phase=p.phase + 0.2 * time
            )
            for p in self.plan.people
        )
        return [p for p in moved if p.z > 2]

    def boxes(
        self, time: int, size: tuple[int, int]
    ) -> tuple[tuple[float, float, float, float], ...]:
        """Boxes around the people in pixels of a picture of that height and width."""
        found, scale = [], size[0] / self.camera.height
        for p in self._people(time):
            half = 0.15 * p.tall
            corners = np.array([(p.x - half, p.tall, p.z), (p.x + half, 0.0, p.z)])
            x0, y0, x1, y1 = (self.camera.project(corners) * scale).ravel().tolist()
            if x1 > 0 and x0 < size[1]:
                found.append((max(x0, 0.0), max(y0, 0.0), min(x1, size[1]), min(y1, size[0])))
        return tuple(found)

    def _over(
        self, light: Array, warmth: Array, z: float, layer: CarLayer, beams: list[Light]
    ) -> tuple[Array, Array]:
        """Lay something over what is farther away, lit as it is where it stands."""
        rows = np.nonzero(layer.alpha.any(axis=1))[0]
        columns = np.nonzero(layer.alpha.any(axis=0))[0]
        if rows.size == 0:
            return light, warmth
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        points = self.rays[box] * np.float32(z) + self.eye
        normals = np.broadcast_to(np.array([0, 0.35, -0.94], np.float32), points.shape)
        falling = irradiance((*self.lights, *beams), points, normals, wrap=0.35) + _AMBIENT
        share = layer.alpha[box]
        seen = layer.albedo[box] * falling + layer.emission[box]
        light[box] += share[..., None] * (seen - light[box])
        warmth[box] += share * (layer.warmth[box] - warmth[box])
        return light, warmth

    def _steam(
        self, light: Array, warmth: Array, time: int, beams: list[Light]
    ) -> tuple[Array, Array]:
        """Steam scatters light and hides; long waves go through it almost unhindered."""
        alpha = steam_alpha(self.plan.steam, self.camera, self.plan.noise, float(time))
        points = self.rays * np.float32(self.plan.steam.z) + self.eye
        normals = np.zeros_like(points)  # a cloud scatters to all sides alike
        scatter = irradiance((*self.lights, *beams), points, normals, wrap=1.0)
        billow = 1 + 0.18 * self.plan.noise(points[..., 0] + 3, points[..., 1] - 0.08 * time, 4.0)
        color = (0.55 * scatter + 1.5 * _AMBIENT) * billow[..., None]
        light = light + alpha[..., None] * (color - light)
        warmth = warmth + 0.13 * alpha * (0.46 - warmth)
        return light, warmth

    def _contact(self, cars: list[Car], feet: list[tuple[float, float]]) -> tuple[Array, Array]:
        """Darkness and warmth on the ground under and beside what stands on it."""
        ground = self.surface.kind == GROUND
        x, z = self.surface.point[..., 0][ground], self.surface.point[..., 2][ground]
        dim, glow = np.ones_like(x), np.zeros_like(x)
        for car in cars:
            across = smoothstep(1.25, 0.75, np.abs(x - car.x))
            along = smoothstep(2.7, 2.0, np.abs(z - car.z - 2.17))
            dim *= 1 - 0.85 * across * along
            engine = car.z + (0.9 if car.oncoming else 3.4)
            spot = np.exp(-(((x - car.x) / 0.8) ** 2) - ((z - engine) / 1.0) ** 2)
            glow += 0.16 * car.heat * spot
        for px, pz in feet:
            dim *= 1 - 0.5 * np.exp(-(((x - px) / 0.28) ** 2) - ((z - pz) / 0.35) ** 2)
        steam = self.plan.steam
        glow += 0.30 * np.exp(-((np.hypot(x - steam.x, z - steam.z) / 0.42) ** 4))
        maps = np.ones(ground.shape, np.float32), np.zeros(ground.shape, np.float32)
        maps[0][ground], maps[1][ground] = dim, glow
        return maps

    def _streaks(self, cars: list[Car]) -> Array:
        """Mirror images of lamps, neon and headlights, drawn long by the rough wet road."""
        sources: list[tuple[tuple[float, float, float], Array, float]] = [
            (lamp.head, rgb(22, 13.5, 5.6), 0.30) for lamp in self.plan.lamps if lamp.on
        ]
        for blade in self.plan.blades:
            place = (blade.side * 5.9, blade.bottom + 0.31 * len(blade.text), blade.z)
            sources.append((place, rgb(*blade.color) * 1.6, 0.6))
        for car in cars:
            if not car.running:
                continue
            color = rgb(1, 0.95, 0.82) * 26 if car.oncoming else rgb(3, 0.1, 0.05)
            for side in (-0.65, 0.65):
                sources.append(((car.x + side, 0.68, car.z), color, 0.16))
        image = np.zeros_like(self.lit)
        columns = np.arange(self.camera.width, dtype=np.float32)
        rows = np.arange(self.camera.height, dtype=np.float32)
        for (x, y, z), color, radius in sources:
            ((column, row),) = self.camera.project(np.array([(x, -y, z)]))
            across = 0.8 * radius * self.camera.focal / z + 0.0018 * self.camera.width
            along = across + 0.20 * (row - self.camera.center[1])
            down = np.exp(-(((rows - row) / along) ** 2)) / (1 + along / across / 6)
            near = slice(max(int(column - 3 * across), 0), max(int(column + 3 * across), 1))
            side = np.exp(-(((columns[near] - column) / across) ** 2))
            image[:, near] += (down[:, None] * side)[..., None] * color
        return image


def _shade(surface: Surface, lights: tuple[Light, ...]) -> Array:
    falling = irradiance(lights, surface.point, surface.normal) + _AMBIENT
    haze = (1 - np.exp(-surface.distance.clip(0, 120) / 260.0))[..., None]
    clear: Array = surface.albedo * falling + surface.emission
    hazy: Array = clear * (1 - haze) + haze * np.array([0.012, 0.010, 0.011], np.float32)
    return hazy.astype(np.float32)


def _beams(car: Car) -> list[Light]:
    """The headlights of a car that is running."""
    if not car.running:
        return []
    ahead = -1.0 if car.oncoming else 1.0
    place = car.z if car.oncoming else car.z + 4.3
    direction = np.array([0.0, -0.06, ahead])
    x, y, z = (direction / np.linalg.norm(direction)).tolist()
    return [
        Light((car.x + side, 0.66, place), (16.0, 15.2, 13.2), (x, y, z), (0.86, 0.985), reach=1.5)
        for side in (-0.65, 0.65)
    ]
