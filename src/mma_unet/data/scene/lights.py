"""Lamps, shop windows and headlights, and the light they throw."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mma_unet.data.scene.noise import Array, smoothstep

__all__ = ["Light", "irradiance"]


@dataclass(frozen=True)
class Light:
    """A small source of light.

    Attributes:
        position: x, y, z in metres.
        colour: Linear RGB, strength included.
        direction: Unit vector of its beam, None where it shines all round.
        edge: Cosines at which the beam is dark and at which it is full.
        reach: Metres within which it does not grow stronger.
    """

    position: tuple[float, float, float]
    colour: tuple[float, float, float]
    direction: tuple[float, float, float] | None = None
    edge: tuple[float, float] = (0.1, 0.75)
    reach: float = 0.7


def irradiance(lights: Iterable[Light], points: Array, normals: Array, wrap: float = 0.0) -> Array:
    """Light that falls on a surface; nothing casts a shadow.

    Args:
        lights: The sources.
        points: ``(..., 3)`` places.
        normals: ``(..., 3)`` unit normals.
        wrap: 0 for a hard surface; up to 1 for one that is also lit from the side, as cloth is.

    Returns:
        ``(..., 3)`` linear RGB.
    """
    total = np.zeros(points.shape, dtype=np.float32)
    for light in lights:
        to_light = np.asarray(light.position, dtype=np.float32) - points
        square = np.einsum("...i,...i->...", to_light, to_light)
        cosine = np.einsum("...i,...i->...", to_light, normals) / np.sqrt(square + 1e-6)
        strength = np.clip((cosine + wrap) / (1 + wrap), 0, None) / (square + light.reach**2)
        if light.direction is not None:
            beam = -(to_light @ np.asarray(light.direction, dtype=np.float32))
            strength = strength * smoothstep(*light.edge, beam / np.sqrt(square + 1e-6))
        total += strength[..., None] * np.asarray(light.colour, dtype=np.float32)
    return total
