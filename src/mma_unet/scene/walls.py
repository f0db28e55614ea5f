"""House fronts, close up and far off: brick, plaster, windows, shops and their boards."""

import cv2
import numpy as np

from mma_unet.scene.noise import Array, Noise, hash01, smoothstep
from mma_unet.scene.surfaces import END, FLANK, RIGHT, Building, Street, Surface, house_index

__all__ = ["paint_end", "paint_facade", "paint_flanks"]

_FONT = cv2.FONT_HERSHEY_DUPLEX


def _brick(u: Array, v: Array, strength: Array, noise: Noise, seed: int) -> tuple[Array, Array]:
    """Brightness of a brick bond and the share of mortar."""
    row = np.floor(v / 0.11)
    shifted = u / 0.33 + 0.5 * (row % 2)
    column = np.floor(shifted)
    dv, du = np.abs((v / 0.11) % 1 - 0.5), np.abs(shifted % 1 - 0.5)
    mortar = np.maximum(smoothstep(0.40, 0.46, dv), smoothstep(0.45, 0.48, du)) * strength
    each = hash01(row, column, seed)
    tone = 1 + strength * (0.55 * (each - 0.5) + 0.10 * noise(u, v, 0.9))
    return tone * (1 + 0.7 * mortar), mortar


def paint_facade(surface: Surface, kind: int, houses: tuple[Building, ...], street: Street) -> None:
    """Fill in one row of houses; ``kind`` is LEFT or RIGHT."""
    mask = surface.kind == kind
    if not mask.any():
        return
    z, y = surface.point[..., 2][mask], surface.point[..., 1][mask]
    index = house_index(houses, z)
    u = z - np.array([h.near for h in houses])[index]
    width = np.array([h.far - h.near for h in houses])[index]
    height = np.array([h.height for h in houses])[index]
    base = np.array([h.color for h in houses])[index]
    bricks = np.array([h.brick for h in houses])[index]
    noise, key = street.noise, street.seed * 7 + kind
    sharp = np.clip(15.0 / np.maximum(z, 1), 0.0, 1.0)
    tone, mortar = _brick(u, y, bricks * sharp, noise, key)
    stain = noise(u + index * 3.1, y * 0.35, 8.0)
    plaster = 1 + 0.10 * noise(u, y, 1.2) * sharp + 0.13 * stain
    damp = 1 - 0.3 * smoothstep(1.2, 0.0, y + 0.3 * stain)
    albedo = base * (tone * plaster * damp)[:, None]
    albedo = albedo * (1 - 0.35 * mortar[:, None]) + 0.16 * 0.35 * mortar[:, None]
    warm = 0.33 + 0.05 * hash01(index, key) + 0.012 * stain + 0.02 * mortar
    warm = warm + 0.03 * smoothstep(3.5, 0.0, y)
    band = ((y > height - 0.55) & (y < height)) | (np.abs(y - 4.05) < 0.10)
    albedo = np.where(band[:, None], base * 1.25 + 0.03, albedo)
    emission = np.zeros_like(albedo)

    # Upper windows.
    floor = np.floor((y - 4.2) / 3.0)
    wy, count = (y - 4.2) % 3.0, np.maximum(np.floor(width / 2.3), 1)
    pitch = width / count
    column = np.floor(u / pitch)
    wx = u % pitch - pitch / 2
    room = (y > 4.2) & (y < height - 0.7) & (floor * 3.0 + 4.2 + 2.6 < height - 0.5)
    opening = room & (np.abs(wx) < 0.62) & (wy > 0.65) & (wy < 2.35)
    frame = opening & (
        (np.abs(wx) > 0.55) | (wy < 0.72) | (wy > 2.28) | (np.abs(wx) < 0.035)
        | (np.abs(wy - 1.75) < 0.03)
    )  # fmt: skip
    sill = room & (np.abs(wx) < 0.75) & (wy > 0.50) & (wy <= 0.65)
    lintel = room & (np.abs(wx) < 0.70) & (wy > 2.35) & (wy < 2.55)
    albedo[sill | lintel] = base[sill | lintel] * 1.3 + 0.05
    glass = opening & ~frame
    draw = hash01(index, floor, column, key)
    lit = glass & (draw < 0.30)
    shade = hash01(column, floor, index, key + 1)
    albedo[glass] = (0.015, 0.018, 0.022)
    albedo[frame] = (0.22, 0.21, 0.20)
    cool = (shade > 0.75)[:, None]
    color = np.where(cool, np.array([0.62, 0.80, 1.0]), np.array([1.0, 0.68, 0.33]))
    curtain = 0.55 + 0.45 * np.sin(np.abs(wx) * 55) * (np.abs(wx) > 0.28)
    curtain = np.where(np.abs(wx) > 0.28, curtain * 0.7, 1.0)
    blind = np.where(wy > 1.2 + shade, 0.5 + 0.12 * np.sin(wy * 90), 1.0)
    inside = (0.25 + 0.75 * smoothstep(0.6, 2.3, wy)) * curtain * blind * (0.25 + 0.75 * shade)
    emission = np.where(lit[:, None], color * (0.55 * inside)[:, None], emission)
    warm = np.where(glass, 0.25 + 0.06 * draw + 0.03 * (wy - 1), warm)
    warm = np.where(lit, 0.49 + 0.12 * shade + 0.03 * noise(wx, wy, 2.0), warm)
    warm = np.where(frame & (draw < 0.30), 0.42, warm)
    warm = np.where(sill, warm + 0.02, warm)

    # The ground floor: a shop with its board, or a door and a cellar window.
    open_shop = np.array([h.shop is not None for h in houses])[index]
    trade = np.array([h.shop or (0, 0, 0) for h in houses])[index]
    bay = u % (width / np.maximum(np.floor(width / 3.2), 1))
    pane = (y > 0.55) & (y < 2.75) & (bay > 0.35) & (np.abs(u - width / 2) < width / 2 - 0.35)
    bars = pane & ((np.abs(bay % 1.45 - 0.2) < 0.04) | (y > 2.68) | (np.abs(y - 2.25) < 0.03))
    shelf = 0.55 + 0.45 * (np.abs((y - 0.55) % 0.55) > 0.07)
    goods = hash01(np.floor(u / 0.17), np.floor((y - 0.55) / 0.55), key + 2)
    stock = np.where(((y - 0.55) % 0.55) < 0.15 + 0.3 * goods, 0.35 + 0.65 * goods, 1.0)
    stock = np.where(y < 2.2, stock * shelf, 1.15)
    tint = 1 + 0.5 * (hash01(np.floor(u / 0.17), np.floor(y / 0.55), key + 3)[:, None] - 0.5) * (
        np.array([1.0, -0.4, -1.0])
    )
    shopping = open_shop & pane & ~bars
    show = trade * tint * (stock * (0.35 + 0.65 * smoothstep(0.4, 2.6, y)))[:, None]
    emission = np.where(shopping[:, None], show * 0.9, emission)
    dark = pane & ~open_shop & (bay > 1.0)
    albedo[bars & open_shop] = (0.05, 0.05, 0.05)
    albedo[dark] = (0.03, 0.03, 0.035)
    rolled = (0.05 + 0.25 * base.mean(axis=1)) * (1 + 0.5 * np.sin(y * 70))
    albedo = np.where(dark[:, None], rolled[:, None] * np.array([1.0, 1.0, 1.05]), albedo)
    warm = np.where(shopping, 0.47 + 0.05 * smoothstep(0.4, 2.6, y) + 0.03 * (stock - 0.7), warm)
    warm = np.where(dark, 0.30 + 0.01 * np.sin(y * 70), warm)
    board = open_shop & (y > 2.95) & (y < 3.85) & (np.abs(u - width / 2) < width / 2 - 0.25)
    albedo[board] = (0.03, 0.03, 0.035)
    warm = np.where(board, 0.36, warm)
    mirrored = kind == RIGHT
    for number, house in enumerate(houses):
        here = board & (index == number)
        if house.shop is None or not here.any():
            continue
        span = house.far - house.near
        along = u[here] / span
        letters = _letters(house.sign, span, (1 - along) if mirrored else along, y[here])
        emission[here] = letters[:, None] * np.asarray(house.sign_color) * 2.4
        warm[here] += 0.10 * letters
    surface.albedo[mask] = np.clip(albedo, 0.003, 1)
    surface.emission[mask] = emission
    surface.warmth[mask] = warm


def _letters(text: str, span: float, along: Array, y: Array) -> Array:
    """Coverage by the letters of a shop board, 0.9 m high and ``span`` m long."""
    rows, columns = 90, int(100 * span)
    plate = np.zeros((rows, columns), np.uint8)
    (wide, tall), _ = cv2.getTextSize(text, _FONT, 1.0, 2)
    size = min(0.62 * rows / tall, 0.8 * columns / wide)
    thick = max(round(2.6 * size), 2)
    (wide, tall), _ = cv2.getTextSize(text, _FONT, size, thick)
    place = ((columns - wide) // 2, (rows + tall) // 2)
    cv2.putText(plate, text, place, _FONT, size, 255, thick, cv2.LINE_AA)
    i = np.clip((along * columns).astype(np.int64), 0, columns - 1)
    j = np.clip(((3.85 - y) / 0.9 * rows).astype(np.int64), 0, rows - 1)
    covered: Array = plate[j, i].astype(np.float32) / 255
    return covered


def paint_end(surface: Surface, street: Street) -> None:
    """Fill in the dark skyline at the end of the street."""
    mask = surface.kind == END
    x, y = surface.point[..., 0][mask], surface.point[..., 1][mask]
    block = np.floor(x / 7.0)
    column, floor = np.floor(x / 1.1), np.floor(y / 2.5)
    draw = hash01(column, floor, street.seed + 3)
    lit = draw < 0.16
    pane = (((x / 1.1) % 1) > 0.45) & (((y / 2.5) % 1) > 0.5) & (y > 3)
    surface.albedo[mask] = (0.05 + 0.04 * hash01(block, 9))[:, None] * np.ones(3)
    haze = np.array([0.010, 0.010, 0.013])
    surface.emission[mask] = haze + ((lit & pane) * (0.3 + 4 * draw))[:, None] * np.array(
        [0.30, 0.20, 0.10]
    )
    surface.warmth[mask] = 0.30 + 0.03 * hash01(block, 4) + 0.10 * (lit & pane)


def paint_flanks(surface: Surface, street: Street) -> None:
    """Fill in the bare side walls above lower neighbors."""
    mask = surface.kind == FLANK
    x, y = surface.point[..., 0][mask], surface.point[..., 1][mask]
    tone, _ = _brick(x, y, np.full_like(x, 0.6), street.noise, street.seed)
    stain = street.noise(x, y * 0.4, 9.0)
    surface.albedo[mask] = (0.10 * tone * (1 + 0.15 * stain))[:, None] * np.array([1, 0.85, 0.75])
    surface.emission[mask] = (0.002, 0.002, 0.003)
    surface.warmth[mask] = 0.31 + 0.012 * stain
