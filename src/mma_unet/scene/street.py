"""The street without anybody in it: every pixel's ray is cut with ground, houses and horizon.

The place where a ray lands decides color, glow and temperature.
"""

from itertools import pairwise

import numpy as np

from mma_unet.scene.noise import Array, hash01, smoothstep
from mma_unet.scene.surfaces import (
    END,
    FLANK,
    GROUND,
    LEFT,
    RIGHT,
    SKY,
    Building,
    Street,
    Surface,
    house_index,
)
from mma_unet.scene.walls import paint_end, paint_facade, paint_flanks

__all__ = ["look"]


def look(street: Street, origin: Array, rays: Array) -> Surface:
    """Follow rays to where they land and fill in what is there.

    Args:
        street: The scenery.
        origin: ``(3,)`` or ``(H, W, 3)`` where the rays start.
        rays: ``(H, W, 3)`` directions with positive z.

    Returns:
        The surfaces with albedo, emission and warmth.
    """
    surface = _intersect(street, origin, rays)
    _sky(surface, rays, street)
    _ground(surface, street)
    for kind, houses in ((LEFT, street.left), (RIGHT, street.right)):
        paint_facade(surface, kind, houses, street)
    paint_end(surface, street)
    paint_flanks(surface, street)
    return surface


def _intersect(street: Street, origin: Array, rays: Array) -> Surface:
    shape = rays.shape[:2]
    start = np.broadcast_to(np.asarray(origin, np.float32), rays.shape)
    best = np.full(shape, 1e6, np.float32)
    kind = np.zeros(shape, np.int8)
    normal = np.zeros_like(rays)

    def offer(t: Array, valid: Array, which: int, direction: tuple[float, float, float]) -> None:
        nearer = valid & (t > 1e-3) & (t < best)
        best[nearer] = t[nearer]
        kind[nearer] = which
        normal[nearer] = direction

    with np.errstate(divide="ignore", invalid="ignore"):
        offer(-start[..., 1] / rays[..., 1], rays[..., 1] < 0, GROUND, (0, 1, 0))
        end = (street.end - start[..., 2]) / rays[..., 2]
        x, y = start[..., 0] + end * rays[..., 0], start[..., 1] + end * rays[..., 1]
        skyline = 9.0 + 5.0 * hash01(np.floor(np.nan_to_num(x) / 7.0), street.seed, 5)
        offer(end, (y > 0) & (y < skyline), END, (0, 0, -1))
        for which, houses, sign in ((LEFT, street.left, -1.0), (RIGHT, street.right, 1.0)):
            t = (sign * street.wall - start[..., 0]) / rays[..., 0]
            y, z = start[..., 1] + t * rays[..., 1], start[..., 2] + t * rays[..., 2]
            roof = _per_house(houses, np.nan_to_num(z), [h.height for h in houses])
            hit = (y > 0) & (y < roof) & (z < houses[-1].far)
            offer(t, hit, which, (-sign, 0, 0))
            for near, far in pairwise(houses):
                if far.height <= near.height:
                    continue
                t = (far.near - start[..., 2]) / rays[..., 2]
                x, y = start[..., 0] + t * rays[..., 0], start[..., 1] + t * rays[..., 1]
                beyond = (sign * x > street.wall) & (sign * x < street.wall + 9)
                offer(t, beyond & (y > 0) & (y < far.height), FLANK, (0, 0, -1))
    point = start + np.minimum(best, 1e4)[..., None] * rays
    return Surface(kind, point.astype(np.float32), normal, best)


def _per_house(houses: tuple[Building, ...], z: Array, values: list[float]) -> Array:
    picked: Array = np.asarray(values, np.float32)[house_index(houses, z)]
    return picked


def _sky(surface: Surface, rays: Array, street: Street) -> None:
    mask = surface.kind == SKY
    up = np.clip(rays[..., 1][mask], 0, 2)
    cloud = street.noise(rays[..., 0][mask] * 3, up * 8 + 1, 9.0)
    glow = np.exp(-up * 2.6)[:, None]
    color = np.array([0.004, 0.006, 0.013]) + glow * np.array([0.020, 0.013, 0.012])
    surface.emission[mask] = color * (1 + 0.22 * cloud[:, None]).clip(0.4)
    surface.warmth[mask] = 0.05 + 0.09 * np.exp(-up * 2.2) + 0.012 * cloud


def _ground(surface: Surface, street: Street) -> None:
    mask = surface.kind == GROUND
    x, z = surface.point[..., 0][mask], surface.point[..., 2][mask]
    noise, sharp = street.noise, np.clip(14.0 / np.maximum(z, 1), 0.1, 1.0)
    coarse, fine = noise(x, z, 11.0), noise(x, z, 1.6)
    grain = noise(x + 3, z, 0.45)
    road = np.abs(x) < street.kerb
    tone = 0.085 * (1 + 0.16 * coarse + 0.12 * fine + 0.22 * sharp * grain)
    warm = 0.40 + 0.016 * coarse + 0.008 * fine
    tracks = sum(np.exp(-(((x - c - 0.06 * coarse) / 0.24) ** 2)) for c in (-2.6, -1.1, 1.1, 2.6))
    tone = tone * (1 - 0.16 * tracks)
    warm = warm + 0.045 * tracks
    crack = np.exp(-((noise(x + 9, z * 0.7, 7.0) / 0.035) ** 2)) * sharp
    tone = tone * (1 - 0.45 * crack)
    patch = smoothstep(1.1, 1.2, noise(x + 2.3, z + 4.1, 26.0))
    tone, warm = tone * (1 - 0.35 * patch), warm + 0.02 * patch
    joint = 1 - smoothstep(0.0, 0.045, 0.5 - np.maximum(
        np.abs((x / 0.75) % 1 - 0.5), np.abs((z / 0.75) % 1 - 0.5)))  # fmt: skip
    each = hash01(np.floor(x / 0.75), np.floor(z / 0.75), street.seed)
    pave = 0.17 * (0.82 + 0.36 * each + 0.10 * coarse + 0.16 * sharp * grain)
    pave = pave * (1 - 0.55 * joint * sharp)
    kerb = (np.abs(x) > street.kerb) & (np.abs(x) < street.kerb + 0.22)
    pave = np.where(kerb, 0.27 * (1 + 0.15 * grain), pave)
    albedo = np.where(road, tone, pave)[:, None] * np.array([1.0, 0.98, 0.95])
    worn = smoothstep(-1.9, 0.3, fine + 0.8 * grain)
    dash = (np.abs(x) < 0.075) & ((z % 6.0) < 3.0)
    line = np.abs(np.abs(x) - 3.42) < 0.06
    zebra = (np.abs(z - 15.3) < 1.6) & (((x + 0.27) % 1.1) < 0.55) & (np.abs(x) < 3.3)
    stop = (np.abs(z - 12.9) < 0.16) & (x > 0.15) & (x < 3.3)
    paint = ((dash & (np.abs(z - 15.3) > 3)) | line | zebra | stop) & road
    share = (paint * worn * 0.9)[:, None]
    albedo = albedo * (1 - share) + share * np.array([0.62, 0.61, 0.56])
    cover = np.hypot(x - 1.95, z - 6.6)
    iron = (cover < 0.36) * (0.6 + 0.4 * (np.sin(x * 60) * np.sin(z * 60) > 0))
    albedo = albedo * (1 - 0.6 * np.clip(iron, 0, 1)[:, None])
    surface.albedo[mask] = np.clip(albedo, 0.005, 1)
    pave_warm = 0.355 + 0.014 * coarse + 0.012 * (each - 0.5) - 0.02 * joint * sharp
    warm = np.where(road, warm - 0.03 * paint * worn + 0.09 * (cover < 0.36), pave_warm)
    wall = np.exp(-(street.wall - np.abs(x)).clip(0) / 0.5)
    surface.warmth[mask] = warm + 0.05 * wall
