"""Lamps, shop windows and headlights, and the light they throw."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mma_unet.scene.noise import Array, smoothstep

__all__ = ["Light", "irradiance"]


@dataclass(frozen=True)
class Light:
    """A small source of light.

    Attributes:
        position: x, y, z in meters.
        color: Linear RGB, strength included.
        direction: Unit vector of its beam, None where it shines all round.
        edge: Cosines at which the beam is dark and at which it is full.
        reach: Meters within which it does not grow stronger.
    """

    position: tuple[float, float, float]
    color: tuple[float, float, float]
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
    shape = points.shape
    px, py, pz = (np.ascontiguousarray(points[..., i], np.float32).ravel() for i in range(3))
    nx, ny, nz = (np.ascontiguousarray(normals[..., i], np.float32).ravel() for i in range(3))
    total = np.zeros((3, px.size), np.float32)
    for light in lights:
        x, y, z = (np.float32(v) for v in light.position)
        # Beyond this distance the light adds less than the picture can show.
        far = np.float32(np.sqrt(max(light.color) / 0.003))
        near = np.flatnonzero(np.abs(pz - z) < far)
        if near.size == 0:
            continue
        whole = near.size > 0.8 * px.size
        pick = slice(None) if whole else near
        dx, dy, dz = x - px[pick], y - py[pick], z - pz[pick]
        square = dx * dx + dy * dy + dz * dz + np.float32(1e-6)
        inverse = 1 / np.sqrt(square)
        cosine = (dx * nx[pick] + dy * ny[pick] + dz * nz[pick]) * inverse
        strength = np.maximum(cosine + np.float32(wrap), 0) / np.float32(1 + wrap)
        strength /= square + np.float32(light.reach**2)
        if light.direction is not None:
            ax, ay, az = (np.float32(v) for v in light.direction)
            beam = -(dx * ax + dy * ay + dz * az) * inverse
            strength *= smoothstep(*light.edge, beam)
        for channel, amount in enumerate(light.color):
            total[channel][pick] += strength * np.float32(amount)
    result: Array = total.T.reshape(shape)
    return result
