"""People as jointed soft figures, warm in the infrared and dark in the visible picture."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mma_unet.scene.noise import Array, Noise

__all__ = ["Person", "Sprite", "draw_person"]

_WIDTH, _HEIGHT = 1.5, 2.0  # meters


@dataclass(frozen=True)
class Person:
    """Someone in the street.

    Attributes:
        x: Place across the street in meters.
        z: Distance in meters.
        tall: Height in meters.
        phase: Where in the stride, in radians; moves on as they walk.
        stride: 0 standing to 1 walking briskly.
        facing: Sine of the turn: -1 walks to the left, 1 to the right, 0 along the street.
        coat: RGB albedo of the jacket.
        trousers: RGB albedo.
        warmth: Factor on the temperature of the clothes.
        speed: Meters per frame in x and z, for sequences.
    """

    x: float
    z: float
    tall: float = 1.75
    phase: float = 0.0
    stride: float = 0.8
    facing: float = 0.0
    coat: tuple[float, float, float] = (0.05, 0.05, 0.07)
    trousers: tuple[float, float, float] = (0.04, 0.04, 0.05)
    warmth: float = 1.0
    speed: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Sprite:
    """A figure on its own canvas, feet at the middle of the lower edge.

    Attributes:
        alpha: ``(h, w)`` coverage in [0, 1].
        albedo: ``(h, w, 3)``.
        warmth: ``(h, w)`` apparent temperature in [0, 1].
        scale: Pixels per meter.
    """

    alpha: Array
    albedo: Array
    warmth: Array
    scale: float


class _Canvas:
    """Draws tapered limbs in meters (x to the right, y up) into the three maps at once."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        shape = int(_HEIGHT * scale), int(_WIDTH * scale)
        self.alpha = np.zeros(shape, np.uint8)
        self.albedo = np.zeros((*shape, 3), np.float32)
        self.warmth = np.zeros(shape, np.float32)

    def polygon(self, points: Array, color: tuple[float, float, float], warm: float) -> None:
        pixels = np.stack(
            [
                (points[:, 0] + _WIDTH / 2) * self.scale,
                (_HEIGHT - 0.05 - points[:, 1]) * self.scale,
            ],
            1,
        )
        mask = np.zeros_like(self.alpha)
        cv2.fillPoly(mask, [np.round(pixels * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        self._paint(mask, color, warm)

    def limb(
        self,
        joints: list[tuple[float, float]],
        radii: list[float],
        color: tuple[float, float, float],
        warm: float,
    ) -> None:
        mask = np.zeros_like(self.alpha)
        for (ax, ay), (bx, by), ra, rb in zip(joints, joints[1:], radii, radii[1:], strict=False):
            for t in np.linspace(0, 1, 14):
                x, y, r = ax + (bx - ax) * t, ay + (by - ay) * t, ra + (rb - ra) * t
                center = (x + _WIDTH / 2) * self.scale, (_HEIGHT - 0.05 - y) * self.scale
                cv2.circle(
                    mask,
                    (round(center[0] * 16), round(center[1] * 16)),
                    round(r * self.scale * 16),
                    255,
                    -1,
                    cv2.LINE_AA,
                    4,
                )
        self._paint(mask, color, warm)

    def _paint(self, mask: Array, color: tuple[float, float, float], warm: float) -> None:
        share = mask.astype(np.float32) / 255
        # Round: the rim of a limb is cooler and darker than its middle.
        depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
        bulge = np.sqrt(np.clip(depth / max(float(depth.max()), 1.0), 0, 1))
        self.albedo += share[..., None] * (
            np.asarray(color, np.float32) * (0.55 + 0.45 * bulge[..., None]) - self.albedo
        )
        self.warmth += share * (warm * (0.86 + 0.14 * bulge) - self.warmth)
        self.alpha = np.maximum(self.alpha, mask)


def draw_person(person: Person, noise: Noise, scale: float = 240.0) -> Sprite:
    """Draw one figure.

    Args:
        person: Who, in which pose.
        noise: Gives the folds of the clothes.
        scale: Pixels per meter for somebody 1.75 m tall.

    Returns:
        The figure at its own scale, for somebody of height ``person.tall``.
    """
    canvas = _Canvas(scale)
    skin, hair, shoe = (0.36, 0.24, 0.18), (0.03, 0.025, 0.02), (0.03, 0.03, 0.03)
    coat, trousers = person.coat, person.trousers
    hot, cloth, legs = 0.97, 0.80 * person.warmth, 0.72 * person.warmth
    side = abs(person.facing)
    sign = 1.0 if person.facing >= 0 else -1.0
    swing = 0.42 * person.stride * (0.25 + 0.75 * side)
    hip_gap, shoulder_gap = 0.085 * (1 - 0.6 * side), 0.185 * (1 - 0.5 * side)
    bob = 0.02 * person.stride * math.cos(2 * person.phase)
    hip, shoulder, lean = 0.92 + bob, 1.43 + bob, 0.03 * sign * side * person.stride

    def leg(which: int, tone: float) -> None:
        angle = swing * math.sin(person.phase + (math.pi if which else 0.0))
        bend = 0.75 * person.stride * max(0.0, math.cos(person.phase + (math.pi if which else 0)))
        x0 = (hip_gap if which else -hip_gap) * (1 if side < 0.7 else sign)
        knee = (x0 + sign * 0.45 * math.sin(angle), hip - 0.45 * math.cos(angle))
        lower = angle - bend * (0.3 + 0.7 * side)
        lift = 0.0 if side > 0.3 else 0.05 * bend
        ankle = (
            knee[0] + sign * 0.42 * math.sin(lower),
            max(knee[1] - 0.42 * math.cos(lower) + lift, 0.06),
        )
        tinted = tuple(tone * c for c in trousers)
        color = (tinted[0], tinted[1], tinted[2])
        toe = (ankle[0] + sign * (0.06 + 0.12 * side), max(ankle[1] - 0.045, 0.03))
        canvas.limb([ankle, toe], [0.05, 0.035], shoe, 0.50)
        canvas.limb([(x0, hip), knee, ankle], [0.095, 0.07, 0.05], color, legs * (0.9 + 0.1 * tone))

    def arm(which: int, tone: float) -> None:
        angle = -0.9 * swing * math.sin(person.phase + (math.pi if which else 0.0))
        spread = 0.10 * (1 - side)
        out = 1.0 if which else -1.0
        top = (lean + out * shoulder_gap, shoulder - 0.04)
        elbow = (
            top[0] + out * spread * 0.6 + sign * 0.29 * math.sin(angle),
            top[1] - 0.29 * math.cos(angle),
        )
        lower = angle + 0.35 * side
        hand = (
            elbow[0] + out * spread * 0.1 + sign * 0.25 * math.sin(lower),
            elbow[1] - 0.25 * math.cos(lower),
        )
        tinted = tuple(tone * c for c in coat)
        canvas.limb([hand, (hand[0], hand[1] - 0.06)], [0.038, 0.03], skin, 0.9)
        canvas.limb(
            [top, elbow, hand], [0.068, 0.055, 0.042], (tinted[0], tinted[1], tinted[2]), cloth
        )

    arm(1, 0.8)
    leg(1, 0.8)
    leg(0, 1.0)
    half = 0.205 * (1 - 0.42 * side)
    waist = 0.155 * (1 - 0.3 * side)
    torso = np.array(
        [
            (lean - 0.07, shoulder + 0.09), (lean + 0.07, shoulder + 0.09),
            (lean + half, shoulder + 0.02), (lean + half * 0.98, shoulder - 0.18),
            (lean * 0.5 + waist, hip + 0.16), (waist * 1.12, hip - 0.10),
            (-waist * 1.12, hip - 0.10), (lean * 0.5 - waist, hip + 0.16),
            (lean - half * 0.98, shoulder - 0.18), (lean - half, shoulder + 0.02),
        ]
    )  # fmt: skip
    canvas.polygon(torso, coat, cloth * 1.03)
    arm(0, 1.05)
    head = (lean * 1.6 + 0.02 * sign * side, 1.655 + bob)
    canvas.limb([(lean, shoulder + 0.04), head], [0.058, 0.055], skin, hot)
    for dy, radius in ((-0.045, 0.072), (-0.01, 0.088), (0.03, 0.09)):
        canvas.limb([(head[0], head[1] + dy)] * 2, [radius] * 2, skin, hot)
    back = -0.03 * sign * side
    canvas.limb([(head[0] + back, head[1] + 0.055)] * 2, [0.08] * 2, hair, 0.84)

    rows, columns = np.indices(canvas.alpha.shape, dtype=np.float32) / np.float32(scale)
    folds = noise(columns + person.x, rows * 0.6 + person.z, 3.0)
    soft = max(scale / 110, 0.3)
    warmth: Array = canvas.warmth * (1 + 0.05 * folds)
    warmth = cv2.GaussianBlur(warmth, (0, 0), soft)
    albedo = canvas.albedo * (1 + 0.25 * folds[..., None])
    alpha = cv2.GaussianBlur(canvas.alpha.astype(np.float32) / 255, (0, 0), max(scale / 240, 0.3))
    # The blur mixed the empty canvas into the rim; take it out again.
    warmth = warmth / np.maximum(
        cv2.GaussianBlur((canvas.alpha > 0).astype(np.float32), (0, 0), soft), 0.2
    )
    return Sprite(alpha, np.clip(albedo, 0, 1), np.clip(warmth, 0, 1), scale * 1.75 / person.tall)
