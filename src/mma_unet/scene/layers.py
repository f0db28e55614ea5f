"""The things that stand in the street, each as a layer over the whole picture."""

import cv2
import numpy as np

from mma_unet.scene.camera import Camera
from mma_unet.scene.cars import CarLayer
from mma_unet.scene.noise import Array, Noise, rgb, smoothstep
from mma_unet.scene.people import Person, draw_person
from mma_unet.scene.plan import Blade, Lamp, Steam, Tree

__all__ = ["blade_layer", "lamp_layer", "person_layer", "steam_alpha", "tree_layer"]


def _empty(camera: Camera) -> CarLayer:
    shape = camera.height, camera.width
    return CarLayer(
        np.zeros(shape, np.float32),
        np.zeros((*shape, 3), np.float32),
        np.zeros((*shape, 3), np.float32),
        np.zeros(shape, np.float32),
    )


def person_layer(person: Person, camera: Camera, noise: Noise) -> CarLayer:
    """A person where they stand."""
    fine = float(np.clip(2.0 * camera.focal / person.z, 30.0, 240.0))
    sprite = draw_person(person, noise, fine)
    layer = _empty(camera)
    ((column, row),) = camera.project(np.array([[person.x, 0.0, person.z]]))
    factor = camera.focal / person.z / sprite.scale
    height, width = sprite.alpha.shape
    foot = height - 0.05 * fine
    left, top = int(column - factor * width / 2) - 2, int(row - factor * foot) - 2
    right, bottom = left + int(factor * width) + 5, top + int(factor * height) + 5
    shift = (column - factor * width / 2 - left, row - factor * foot - top)
    move = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]], np.float64)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(right, camera.width), min(bottom, camera.height)
    if x1 <= x0 or y1 <= y0:
        return layer
    box = slice(y0, y1), slice(x0, x1)

    def place(image: Array) -> Array:
        if factor < 0.8:
            image = cv2.GaussianBlur(image, (0, 0), 0.42 / factor)
        moved: Array = cv2.warpAffine(image, move, (right - left, bottom - top))
        return moved[y0 - top : y1 - top, x0 - left : x1 - left]

    cover = place(sprite.alpha)
    layer.alpha[box] = cover
    solid = np.maximum(cover, 1e-3)
    layer.albedo[box] = place(sprite.albedo * sprite.alpha[..., None]) / solid[..., None]
    layer.warmth[box] = place(sprite.warmth * sprite.alpha) / solid
    return layer


def lamp_layer(lamp: Lamp, camera: Camera) -> CarLayer:
    """The post, the arm and the head of a street lamp."""
    layer = _empty(camera)
    x, y, z = lamp.head
    bend = (lamp.x + (x - lamp.x) * 0.35, y + 0.35, z)
    joints = camera.project(
        np.array([(lamp.x, 0, z), (lamp.x, y - 0.5, z), bend, (x, y + 0.12, z)])
    )
    unit = camera.focal / z
    mask = np.zeros(layer.alpha.shape, np.uint8)
    path = np.round(joints * 16).astype(np.int32)
    for start, stop, meters in zip(path, path[1:], (0.13, 0.09, 0.08), strict=False):
        thick = max(round(meters * unit), 1)
        cv2.line(mask, start.tolist(), stop.tolist(), 255, thick, cv2.LINE_AA, 4)
    foot = camera.project(np.array([(lamp.x - 0.11, 0, z), (lamp.x + 0.11, 0.9, z)]))
    _box(mask, foot)
    head = np.zeros_like(mask)
    _box(head, camera.project(np.array([(x - 0.38, y - 0.02, z), (x + 0.38, y + 0.14, z)])))
    glass = np.zeros_like(mask)
    _box(glass, camera.project(np.array([(x - 0.32, y - 0.10, z), (x + 0.32, y, z)])))
    rows, columns = (np.flatnonzero((mask | head | glass).any(axis=i)) for i in (1, 0))
    if rows.size == 0:
        return layer
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    layer.alpha[box] = mask[box] / np.float32(255)
    layer.albedo[box] = 0.10
    layer.warmth[box] = 0.30
    for part, warm in ((head, 0.62 if lamp.on else 0.29), (glass, 0.88 if lamp.on else 0.28)):
        share = part[box] / np.float32(255)
        layer.alpha[box] = np.maximum(layer.alpha[box], share)
        layer.warmth[box] += share * (warm - layer.warmth[box])
    if lamp.on:
        layer.emission[box] = (glass[box] > 0)[..., None] * rgb(22.0, 13.5, 5.6)
    return layer


def _box(mask: Array, corners: Array) -> None:
    (x0, y0), (x1, y1) = np.round(corners * 16).astype(int).tolist()
    points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)


def blade_layer(blade: Blade, camera: Camera) -> CarLayer:
    """A neon sign: a dark box, a bright rim and letters of glass tube."""
    layer = _empty(camera)
    tall = 0.62 * len(blade.text) + 0.3
    inner, outer = sorted((blade.side * 6.35, blade.side * 5.5))
    corners = camera.project(
        np.array([(inner, blade.bottom + tall, blade.z), (outer, blade.bottom, blade.z)])
    )
    plate_h, plate_w = int(160 * tall), 136
    box_cover = np.ones((plate_h, plate_w), np.float32)
    tube = np.zeros((plate_h, plate_w), np.uint8)
    cv2.rectangle(tube, (8, 8), (plate_w - 9, plate_h - 9), 150, 4, cv2.LINE_AA)
    for number, letter in enumerate(blade.text):
        (wide, high), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_SIMPLEX, 2.9, 9)
        middle = 24 + int(99 * (number + 0.5))
        origin = ((plate_w - wide) // 2, middle + high // 2)
        cv2.putText(tube, letter, origin, cv2.FONT_HERSHEY_SIMPLEX, 2.9, 255, 9, cv2.LINE_AA)
    source = np.array([(0, 0), (plate_w, 0), (0, plate_h)], np.float32)
    (x0, y0), (x1, y1) = corners.tolist()
    left, top = max(int(x0) - 2, 0), max(int(y0) - 2, 0)
    size = min(int(x1) + 3, camera.width) - left, min(int(y1) + 3, camera.height) - top
    if min(size) < 1:
        return layer
    box = slice(top, top + size[1]), slice(left, left + size[0])
    target = np.array([(x0, y0), (x1, y0), (x0, y1)], np.float32) - np.array(
        [left, top], np.float32
    )
    move = cv2.getAffineTransform(source, target)
    factor = max((x1 - x0) / plate_w, 1e-3)
    smooth = cv2.GaussianBlur(tube.astype(np.float32) / 255, (0, 0), max(0.4 / factor, 0.5))
    layer.alpha[box] = cv2.warpAffine(box_cover, move, size)
    neon = cv2.warpAffine(smooth, move, size)[..., None]
    white = np.clip(neon - 0.6, 0, 1) * 1.8
    layer.emission[box] = neon * rgb(*blade.color) * 4.2 + white
    layer.albedo[box] = 0.03
    layer.warmth[box] = 0.33 + 0.16 * neon[..., 0]
    return layer


def tree_layer(tree: Tree, camera: Camera, noise: Noise) -> CarLayer:
    """A trunk, a few boughs and a crown with holes in it."""
    layer = _empty(camera)
    unit = camera.focal / tree.z
    reach = 1.6 * tree.radius
    corners = camera.project(
        np.array([(tree.x - reach, tree.top + reach, tree.z), (tree.x + reach, 0, tree.z)])
    )
    (x0, y0), (x1, y1) = corners.astype(int).clip(0, (camera.width, camera.height)).tolist()
    box = slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
    rows, columns = np.mgrid[box].astype(np.float32)
    x = (columns - camera.center[0]) / unit + camera.x - tree.x
    y = camera.y - (rows - camera.center[1]) / unit
    ball = (x / tree.radius) ** 2 + ((y - tree.top) / (0.95 * tree.radius)) ** 2
    lumps = noise(x + 20, y + tree.z, 9.0)
    leaves = noise(x + 5, y + 3, 1.1)
    crown = smoothstep(
        0.0, 0.25, 1.0 - ball + 0.28 * lumps + 0.42 * leaves * (0.4 + ball.clip(0, 1))
    )
    trunk_width = 0.11 + 0.03 * np.clip(1.2 - y, 0, 1)
    trunk = smoothstep(0.02, -0.02, np.abs(x + 0.05 * np.sin(y * 1.7)) - trunk_width)
    trunk = trunk * ((y > 0) & (y < tree.top))
    bark = (trunk > 0.5) & (crown < 0.5)
    layer.alpha[box] = np.maximum(crown, trunk)
    light = np.clip(0.55 + 0.35 * leaves + 0.25 * lumps, 0.1, 1.6)
    layer.albedo[box] = np.where(
        bark[..., None], rgb(0.06, 0.05, 0.04), light[..., None] * rgb(0.075, 0.115, 0.035)
    )
    layer.warmth[box] = np.where(bark, 0.34, 0.285 + 0.028 * leaves + 0.018 * lumps)
    return layer


def steam_alpha(steam: Steam, camera: Camera, noise: Noise, time: float) -> Array:
    """How much of what is behind the steam it hides in the visible picture.

    Args:
        steam: Where it rises.
        camera: The view.
        noise: Gives its billows.
        time: In frames; the billows rise and drift with it.

    Returns:
        ``(H, W)`` in [0, 1].
    """
    unit = camera.focal / steam.z
    columns, rows = np.meshgrid(
        np.arange(camera.width, dtype=np.float32), np.arange(camera.height, dtype=np.float32)
    )
    x = (columns - camera.center[0]) / unit + camera.x - steam.x
    y = camera.y - (rows - camera.center[1]) / unit
    up = np.clip(y, 0, None)
    warp = noise(x + 7, y - 0.05 * time, 7.0)
    axis = steam.drift * up * (1 + 0.25 * up) + 0.16 * warp * up.clip(0, 2)
    spread = 0.30 + 0.62 * up**0.8
    body = np.exp(-(((x - axis) / spread) ** 2) * 1.1)
    billow = noise(x * 0.8 - 0.02 * time + 0.25 * warp, y * 0.7 - 0.07 * time, 6.0)
    curl = noise(x - 0.03 * time, y - 0.10 * time + 0.2 * warp, 2.2)
    fade = smoothstep(5.6, 1.8, up) * smoothstep(-0.05, 0.25, y)
    density = body * fade * np.clip(1.15 + 0.5 * billow + 0.28 * curl, 0.6, None)
    result: Array = (1 - np.exp(-6.0 * density)).astype(np.float32)
    return result
