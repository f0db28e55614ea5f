"""What stands where in the street of a seed: houses, lamps, signs, trees, people, cars, steam."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mma_unet.scene.cars import Car
from mma_unet.scene.lights import Light
from mma_unet.scene.noise import Noise
from mma_unet.scene.people import Person
from mma_unet.scene.surfaces import Building, Street

__all__ = ["Blade", "Lamp", "Plan", "Steam", "Tree", "plan_street"]

_SHOPS = ("CAFE LUNA", "BOOKS", "PIZZERIA", "BAKERY", "RECORDS", "NOODLES", "PHARMACY", "FLOWERS")
_BLADES = ("HOTEL", "BAR", "JAZZ", "CINEMA", "GRILL")
_NEON = ((1.0, 0.10, 0.28), (0.08, 0.75, 1.0), (1.0, 0.45, 0.06), (0.25, 1.0, 0.35))
_WALLS = (
    (0.25, 0.11, 0.075), (0.30, 0.26, 0.20), (0.17, 0.16, 0.16), (0.21, 0.085, 0.065),
    (0.33, 0.29, 0.25), (0.19, 0.13, 0.10),
)  # fmt: skip
_SODIUM = (1.0, 0.60, 0.24)


@dataclass(frozen=True)
class Lamp:
    """A street lamp: its post stands at ``x``, its arm reaches over the road."""

    x: float
    z: float
    on: bool
    height: float = 6.2

    @property
    def head(self) -> tuple[float, float, float]:
        """Where the light sits."""
        return self.x - math.copysign(1.5, self.x), self.height, self.z


@dataclass(frozen=True)
class Blade:
    """A neon sign across the pavement, its letters one above the other."""

    text: str
    side: int
    z: float
    bottom: float
    color: tuple[float, float, float]


@dataclass(frozen=True)
class Tree:
    """A street tree."""

    x: float
    z: float
    top: float
    radius: float


@dataclass(frozen=True)
class Steam:
    """Steam that rises from a cover in the ground and drifts sideways."""

    x: float
    z: float
    drift: float


@dataclass(frozen=True)
class Plan:
    """Everything that is in the scene."""

    street: Street
    lamps: tuple[Lamp, ...]
    blades: tuple[Blade, ...]
    trees: tuple[Tree, ...]
    people: tuple[Person, ...]
    cars: tuple[Car, ...]
    steam: Steam
    lights: tuple[Light, ...]
    noise: Noise


def plan_street(seed: int) -> Plan:
    """Draw up the scene of a seed.

    Args:
        seed: Any whole number from 0.

    Returns:
        The plan; the same for the same seed.
    """
    rng = np.random.default_rng([seed, 1])
    noise = Noise(np.random.default_rng([seed, 2]))
    names = list(rng.permutation(_SHOPS))
    left = _houses(rng, names, lit_first=True)
    right = _houses(rng, names, lit_first=False)
    street = Street(left, right, noise, seed=seed)

    def near(value: float, spread: float) -> float:
        return float(value + rng.uniform(-spread, spread))

    lamps = (
        Lamp(-4.3, near(19.0, 0.8), True),
        Lamp(4.3, near(27.0, 0.8), True),
        Lamp(-4.3, near(36.0, 1.0), True),
        Lamp(4.3, near(46.0, 1.0), True),
        Lamp(4.3, near(10.2, 0.4), False),
    )
    neon = [_NEON[i] for i in rng.permutation(len(_NEON))]
    texts = list(rng.permutation(_BLADES))
    blades = (
        Blade(texts[0], -1, near(15.2, 0.4), 4.1, neon[0]),
        Blade(texts[1], 1, near(19.5, 0.8), 4.3, neon[1]),
        Blade(texts[2], -1, near(31.0, 1.0), 4.6, neon[2]),
    )
    trees = (Tree(-4.7, near(27.5, 1.0), 5.2, 1.9), Tree(4.8, near(20.5, 0.8), 5.6, 2.0))
    cars = (
        Car(-1.85, near(21.0, 1.5), True, (0.10, 0.11, 0.13), True, near(1.0, 0.05), -0.28),
        Car(2.75, near(7.2, 0.3), False, _pick(rng), False, near(0.75, 0.1)),
        Car(1.75, near(34.0, 2.0), False, (0.2, 0.2, 0.21), True, 1.0, 0.22),
    )
    steam = Steam(-2.75, near(8.6, 0.3), near(-0.36, 0.05))
    return Plan(
        street, lamps, blades, trees, _people(rng, near), cars, steam,
        (*_lamp_lights(lamps), *_shop_lights(left, -1, street), *_shop_lights(right, 1, street),
         *_blade_lights(blades)),
        noise,
    )  # fmt: skip


def _pick(rng: np.random.Generator) -> tuple[float, float, float]:
    paints = ((0.12, 0.02, 0.02), (0.03, 0.05, 0.10), (0.06, 0.065, 0.06), (0.14, 0.14, 0.145))
    return paints[int(rng.integers(len(paints)))]


def _houses(rng: np.random.Generator, names: list[str], lit_first: bool) -> tuple[Building, ...]:
    houses: list[Building] = []
    place, previous = (-1.5 if lit_first else -4.0), -1
    while place < 75:
        far = place + float(rng.uniform(8.5, 12.5))
        choice = int(rng.integers(len(_WALLS)))
        if choice == previous:
            choice = (choice + 1) % len(_WALLS)
        previous = choice
        shade = float(rng.uniform(0.8, 1.15)) * (1.0 if lit_first or len(houses) > 1 else 0.38)
        red, green, blue = _WALLS[choice]
        number = len(houses)
        has_shop = number in ((1, 2, 4) if lit_first else (3, 4, 6)) and bool(names)
        warm = rng.uniform(0, 1)
        shop = (1.0, 0.72, 0.38) if warm < 0.6 else (0.75, 0.92, 1.0)
        sign = _NEON[int(rng.integers(len(_NEON)))]
        houses.append(
            Building(
                place, far, float(rng.choice([8.2, 11.2, 11.2, 14.2])),
                (red * shade, green * shade, blue * shade),
                1.0 if choice in (0, 3, 5) else 0.0,
                shop if has_shop else None,
                str(names.pop()) if has_shop else "",
                (0.4 + 0.6 * sign[0], 0.4 + 0.6 * sign[1], 0.4 + 0.6 * sign[2]),
            )
        )  # fmt: skip
        place = far
    return tuple(houses)


def _lamp_lights(lamps: tuple[Lamp, ...]) -> list[Light]:
    red, green, blue = _SODIUM
    return [
        Light(lamp.head, (34 * red, 34 * green, 34 * blue), (0.0, -1.0, 0.0), (0.15, 0.8))
        for lamp in lamps
        if lamp.on
    ]


def _shop_lights(houses: tuple[Building, ...], side: int, street: Street) -> list[Light]:
    lights = []
    for house in houses:
        if house.shop is None or house.near > 50:
            continue
        span = house.far - house.near
        for share in (0.25, 0.75):
            red, green, blue = house.shop
            lights.append(
                Light(
                    (side * (street.wall - 0.3), 1.9, house.near + share * span),
                    (1.1 * red, 1.1 * green, 1.1 * blue),
                    (-float(side), 0.0, 0.0),
                    (-0.1, 0.8),
                    1.2,
                )
            )
    return lights


def _blade_lights(blades: tuple[Blade, ...]) -> list[Light]:
    return [
        Light(
            (blade.side * 5.4, blade.bottom + 1.2, blade.z - 0.3),
            (1.3 * blade.color[0], 1.3 * blade.color[1], 1.3 * blade.color[2]),
            reach=1.2,
        )
        for blade in blades
    ]


def _people(rng: np.random.Generator, near: Callable[[float, float], float]) -> tuple[Person, ...]:
    def someone(
        x: float, z: float, facing: float, speed: tuple[float, float], stride: float = 0.9
    ) -> Person:
        gray = float(rng.uniform(0.02, 0.10))
        coat = tuple(float(c) for c in gray * rng.uniform(0.6, 1.3, 3))
        return Person(
            near(x, 0.12), near(z, 0.15), float(rng.uniform(1.62, 1.86)),
            float(rng.uniform(0.7, 2.2)), stride, facing, (coat[0], coat[1], coat[2]),
            (0.035, 0.036, 0.045), float(rng.uniform(0.94, 1.06)), speed,
        )  # fmt: skip

    return (
        someone(-4.15, 10.4, 0.85, (0.035, 0.0)),  # behind the steam
        someone(4.75, 9.6, -0.35, (0.0, -0.03)),  # in the dark behind the parked car
        someone(5.45, 12.2, 0.25, (0.0, 0.03), 0.7),
        someone(0.35, 15.6, -0.95, (-0.045, 0.0), 1.0),  # on the crossing
        someone(-5.1, 17.2, 0.2, (0.0, -0.03), 0.7),  # a couple under the lamp
        someone(-4.55, 17.5, -0.2, (0.0, -0.03), 0.7),
        someone(5.2, 30.0, 0.3, (0.0, -0.03)),
        someone(-5.3, 33.0, 0.1, (0.0, -0.03)),
    )
