"""The plain data of the street: houses, their row, and what a ray lands on."""

from dataclasses import dataclass, field

import numpy as np

from mma_unet.scene.noise import Array, Noise

__all__ = [
    "END",
    "FLANK",
    "GROUND",
    "LEFT",
    "RIGHT",
    "SKY",
    "Building",
    "Street",
    "Surface",
    "house_index",
]

SKY, GROUND, LEFT, RIGHT, END, FLANK = range(6)
"""What a ray can land on."""


@dataclass(frozen=True)
class Building:
    """One house front, from ``near`` to ``far`` along the street."""

    near: float
    far: float
    height: float
    color: tuple[float, float, float]
    brick: float
    shop: tuple[float, float, float] | None
    sign: str
    sign_color: tuple[float, float, float]


@dataclass(frozen=True)
class Street:
    """Where the walls stand and which houses line them."""

    left: tuple[Building, ...]
    right: tuple[Building, ...]
    noise: Noise
    wall: float = 6.4
    kerb: float = 3.7
    end: float = 75.0
    seed: int = 0


@dataclass
class Surface:
    """What each ray lands on; all maps are ``(H, W)`` or ``(H, W, 3)``."""

    kind: Array
    point: Array
    normal: Array
    distance: Array
    albedo: Array = field(init=False)
    emission: Array = field(init=False)
    warmth: Array = field(init=False)

    def __post_init__(self) -> None:
        """Start black and cold."""
        self.albedo = np.zeros_like(self.point)
        self.emission = np.zeros_like(self.point)
        self.warmth = np.zeros_like(self.distance)


def house_index(houses: tuple[Building, ...], z: Array) -> Array:
    """Number of the house at each distance ``z`` along the street."""
    edges = np.array([h.far for h in houses[:-1]])
    return np.searchsorted(edges, z)
