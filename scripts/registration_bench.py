"""How well two cameras are aligned: registered pairs, moved by a known amount and found again.

VI is the central 75 % of its picture; IR has 0.67 or 0.8 times its pixels and is shifted by up to
10 % (`small`: 3 %), turned by up to 10 degrees (3), scaled by 0.8 to 1.25 (0.97 to 1.03), and every
second one has its corners jittered by 2 % (0.5 %). The error is the mean over the corners of VI,
in pixels of a picture 640 wide, before (as if both showed the same) and after. `rig12` and `rig16`
share one such motion and are calibrated together; `points` are 8 points of a person who clicks 2
pixels off; `mismatched` pairs IR with the VI of another scene, and all of them must be
refused (real scenes only: rendered streets have one vanishing point, and different ones do align).

    python scripts/registration_bench.py ../shared/data --seed 9 --out results/registration.csv

A run that is interrupted goes on where it was. Without a seed held back, tune on other pairs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch

from mma_unet.data import find_pairs, read_image
from mma_unet.data.images import luminance
from mma_unet.errors import InputError
from mma_unet.registration import calibrate, estimate, from_points
from mma_unet.registration.geometry import (
    Array,
    corner_error,
    corners,
    move,
    resizing,
    similarity,
    warp,
)
from mma_unet.registration.search import same_view
from mma_unet.scene import render_scene
from mma_unet.tables import markdown, read_records, write_records

Pair = tuple[Array, Array]
_MOTIONS = {"large": (0.10, 10.0, 1.25, 0.02), "small": (0.03, 3.0, 1.03, 0.005)}


@dataclass(frozen=True)
class Row:
    """One try: `before` and `after` in pixels at 640, `seconds` of CPU."""

    scenes: str
    way: str
    index: int
    before: float
    after: float
    accepted: int
    confidence: float
    seconds: float


@dataclass(frozen=True)
class Motion:
    """What IR does relative to VI."""

    factor: float
    scale: float
    turn: float
    shift: Array
    jitter: Array

    @classmethod
    def draw(cls, rng: np.random.Generator, size: str, jittered: bool) -> Motion:
        shift, turn, scale, jitter = _MOTIONS[size]
        return cls(
            float(rng.choice((0.67, 0.8))),
            float(np.exp(rng.uniform(-np.log(scale), np.log(scale)))),
            float(rng.uniform(-turn, turn)),
            rng.uniform(-shift, shift, 2),
            rng.uniform(-jitter, jitter, (4, 2)) * jittered,
        )

    def make(self, ir: Array, vi: Array) -> tuple[Array, Array, Array]:
        """IR and VI as two cameras would see them, and the matrix between."""
        rows, cols = vi.shape[:2]
        h, w = round(0.75 * rows), round(0.75 * cols)
        top, left = (rows - h) // 2, (cols - w) // 2
        size = round(self.factor * h), round(self.factor * w)
        shift = np.eye(3)
        shift[:2, 2] = self.shift * (w, h)
        true = shift @ similarity(self.scale, self.turn, ((w - 1) / 2, (h - 1) / 2))
        at = corners((h, w)).astype(np.float32)
        bent = cv2.getPerspectiveTransform(at, (at + self.jitter * w).astype(np.float32))
        true = bent @ true @ resizing(size, (h, w))
        crop = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]])
        soft = cv2.GaussianBlur(ir, (0, 0), 0.5)
        seen = warp(soft, np.linalg.inv(true) @ crop, size)
        return seen, vi[top : top + h, left : left + w], true


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of roadscene/")
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--rendered", type=int, default=16, help="rendered scenes")
    parser.add_argument("--mismatched", type=int, default=200)
    parser.add_argument("--ways", nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("results/registration.csv"))
    parser.add_argument("--summary", action="store_true", help="print the table and stop")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows = read_records(args.out, Row, "is no such table") if args.out.is_file() else []
    if not args.summary:
        done = {(row.scenes, row.way, row.index) for row in rows}
        for row in _tries(args, done):
            rows.append(row)
            write_records(args.out, Row, rows, 4)
            print(*(getattr(row, field.name) for field in fields(Row)), flush=True)
    print(_summary(rows))


def _tries(args: argparse.Namespace, done: set[tuple[str, str, int]]) -> Iterator[Row]:
    folder = args.data / "roadscene" / args.split
    files = find_pairs(folder / "ir", folder / "vi").pairs

    @cache
    def real(index: int) -> Pair:
        return luminance(read_image(files[index].ir)), luminance(read_image(files[index].vi))

    @cache
    def rendered(index: int) -> Pair:
        scene = render_scene(360, 480, 1000 * args.seed + index, supersample=1)
        return scene.ir, luminance(scene.vi)

    sets = {"roadscene": (real, len(files)), "rendered": (rendered, args.rendered)}
    for way in args.ways or ("large", "mismatched", "rig12", "rig16", "small", "points"):
        for scenes, (pair, number) in sets.items():
            rng = np.random.default_rng([args.seed, len(scenes), len(way)])
            strangers = args.mismatched if scenes == "roadscene" else 0
            count = {"mismatched": strangers, "rig12": 4, "rig16": 4}
            for index in range(count.get(way, number)):
                motion = Motion.draw(rng, "small" if way == "small" else "large", index % 2 == 1)
                picked = rng.permutation(number)
                noise = rng.normal(0, 2 / np.sqrt(2), (8, 2))
                if (scenes, way, index) in done:
                    continue
                start = time.process_time()
                before, after, accepted, confidence = _try(way, pair, index, motion, picked, noise)
                seconds = time.process_time() - start
                yield Row(scenes, way, index, before, after, accepted, confidence, seconds)


def _try(
    way: str, pair: Callable[[int], Pair], index: int, motion: Motion, picked: Array, noise: Array
) -> tuple[float, float, int, float]:
    """Errors before and after, whether it was accepted, and the confidence."""
    if way in ("rig12", "rig16"):
        members = [pair(int(i)) for i in picked[: int(way[3:])]]
        size = tuple(min(vi.shape[axis] for _, vi in members) for axis in (0, 1))
        made = [motion.make(*(_center(x, size) for x in member)) for member in members]
        ir, vi, true = made[0]
        try:
            rig = calibrate([(ir, vi) for ir, vi, _ in made])
            found, accepted, confidence = rig.matrix, 1, rig.confidence
        except InputError:
            found, accepted, confidence = same_view(ir.shape, vi.shape), 0, 0.0
    elif way == "mismatched":
        ir, _, true = motion.make(*pair(int(picked[0])))
        vi = motion.make(*pair(int(picked[1])))[1]
        alignment = estimate(ir, vi)
        found, accepted, confidence = alignment.matrix, alignment.accepted, alignment.confidence
    else:
        ir, vi, true = motion.make(*pair(index))
        if way == "points":
            steps = np.array([[x, y] for y in (0.2, 0.5, 0.8) for x in (0.2, 0.5, 0.8)])
            at = np.delete(steps, 4, axis=0) * (ir.shape[1], ir.shape[0])
            try:
                rig = from_points(np.c_[at, move(true, at) + noise], ir.shape, vi.shape)
                found, accepted, confidence = rig.matrix, 1, 0.0
            except InputError:
                found, accepted, confidence = same_view(ir.shape, vi.shape), 0, 0.0
        else:
            alignment = estimate(ir, vi)
            found, accepted, confidence = alignment.matrix, alignment.accepted, alignment.confidence
    before = corner_error(same_view(ir.shape, vi.shape), true, vi.shape)
    return before, corner_error(found, true, vi.shape), int(accepted), float(confidence)


def _center(image: Array, size: tuple[int, ...]) -> Array:
    top, left = ((whole - part) // 2 for whole, part in zip(image.shape, size, strict=True))
    return image[top : top + size[0], left : left + size[1]]


def _summary(rows: list[Row]) -> str:
    """What the page shows."""
    table = []
    for key in dict.fromkeys((row.scenes, row.way) for row in rows):
        some = [row for row in rows if (row.scenes, row.way) == key]
        good = [row for row in some if row.accepted]
        wrong = [row for row in good if row.after > 32 or key[1] == "mismatched"]
        after = [row.after for row in good if key[1] != "mismatched"]
        errors = [f"{np.quantile(after, q):.1f}" if after else "" for q in (0.5, 0.95)]
        worse = sum(row.after > row.before for row in good if key[1] != "mismatched")
        table.append(
            [*key, len(some), f"{np.median([row.before for row in some]):.0f}", *errors,
             len(some) - len(good), len(wrong), worse, f"{np.mean([r.seconds for r in some]):.1f}"]
        )  # fmt: skip
    header = ["scenes", "way", "tries", "before, median", "after, median", "after, 95 %"]
    return markdown([*header, "refused", "wrong accepted", "made worse", "CPU s"], table, left=2)


if __name__ == "__main__":
    main()
