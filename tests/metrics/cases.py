"""The synthetic test cases by their formulae, and the golden values that belong to them."""

from __future__ import annotations

import csv
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Gray = npt.NDArray[np.uint8]
Triple = tuple[Gray, Gray, Gray]

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("MMA_UNET_SHARED", HERE.parents[2] / "shared")) / "metrics"


def _gray(values: npt.ArrayLike) -> Gray:
    """Nearest whole level, halves upwards, cut to 0..255."""
    return np.clip(np.floor(np.asarray(values, float) + 0.5), 0, 255).astype(np.uint8)


def _grid(height: int, width: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    i, j = np.mgrid[0:height, 0:width]
    return i.astype(float), j.astype(float)


def _mix(a: Gray, b: Gray, share: float) -> Gray:
    return _gray(share * a.astype(float) + (1 - share) * b.astype(float))


def _wave(place: npt.NDArray[np.float64], period: float) -> npt.NDArray[np.float64]:
    return np.sin(2 * np.pi * place / period)


def ramps() -> Triple:
    i, j = _grid(64, 64)
    a, b = _gray(255 * j / 63), _gray(255 * i / 63)
    return a, b, _gray((a.astype(float) + b) / 2)


def noise() -> Triple:
    g = np.random.default_rng(0)
    a, b = g.integers(0, 256, (64, 64)), g.integers(0, 256, (64, 64))
    return a.astype(np.uint8), b.astype(np.uint8), ((a + b) // 2).astype(np.uint8)


def checker_sine() -> Triple:
    i, j = _grid(72, 96)
    a = _gray(255 * ((i // 8 + j // 8) % 2))
    b = _gray(127.5 + 100 * _wave(i, 32) * np.cos(2 * np.pi * j / 48))
    return a, b, np.maximum(a, b)


def blob_stripes() -> Triple:
    i, j = _grid(97, 83)
    g = np.random.default_rng(1)
    blob = np.exp(-((i - 48) ** 2 + (j - 30) ** 2) / (2 * 12**2))
    a = _gray(20 + 200 * blob + g.normal(0, 3, (97, 83)))
    b = _gray(110 + 60 * _wave(i + 2 * j, 23) + g.normal(0, 5, (97, 83)))
    return a, b, _mix(a, b, 0.6)


def fused_equals_a() -> Triple:
    g = np.random.default_rng(2)
    a = g.integers(0, 256, (64, 64)).astype(np.uint8)
    return a, g.integers(0, 256, (64, 64)).astype(np.uint8), a


def all_equal() -> Triple:
    a = np.random.default_rng(3).integers(0, 256, (64, 64)).astype(np.uint8)
    return a, a, a


def constant_a() -> Triple:
    _, j = _grid(64, 64)
    b = _gray(255 * j / 63)
    return np.full((64, 64), 128, np.uint8), b, b


def disk_step() -> Triple:
    i, j = _grid(64, 80)
    g = np.random.default_rng(4)
    a = np.where((i - 32) ** 2 + (j - 40) ** 2 <= 225, 230, 30).astype(np.uint8)
    b = (100 + g.integers(0, 11, (64, 80)) + np.where(j >= 40, 60, 0)).astype(np.uint8)
    return a, b, _gray(0.9 * np.maximum(a, b).astype(float) + g.integers(0, 5, (64, 80)))


def sines_square() -> Triple:
    i, j = _grid(192, 176)
    g = np.random.default_rng(5)
    waves = 60 * _wave(j, 40) + 40 * np.cos(2 * np.pi * i / 25)
    a = _gray(128 + waves + g.normal(0, 8, (192, 176)))
    b = _gray(90 + 70 * np.sign(_wave(i - j, 37)) + g.normal(0, 8, (192, 176)))
    f = _gray(0.5 * a.astype(float) + 0.5 * b.astype(float) + g.normal(0, 4, (192, 176)))
    return a, b, f


def blocks() -> Triple:
    g = np.random.default_rng(6)
    a = np.kron(g.integers(0, 256, (16, 16)), np.ones((4, 4))).astype(np.uint8)
    b = np.kron(g.integers(0, 256, (8, 8)), np.ones((8, 8))).astype(np.uint8)
    return a, b, np.maximum(a, b)


def speed() -> Triple:
    i, j = _grid(480, 640)
    g = np.random.default_rng(7)
    blob = np.exp(-((i - 200) ** 2 + (j - 420) ** 2) / (2 * 60**2))
    a = _gray(40 + 180 * blob + g.normal(0, 4, (480, 640)))
    waves = 50 * _wave(i, 31) * _wave(j, 47) + 30 * np.sign(_wave(j, 97))
    b = _gray(120 + waves + g.normal(0, 6, (480, 640)))
    return a, b, _mix(a, b, 0.5)


def small() -> Triple:
    i, j = _grid(40, 40)
    g = np.random.default_rng(8)
    a = _gray(100 + 80 * _wave(j, 16) + g.normal(0, 6, (40, 40)))
    b = _gray(4 * i + g.normal(0, 6, (40, 40)))
    return a, b, _mix(a, b, 0.5)


SYNTHETIC = {
    "S01_ramps_avg_64x64": ramps,
    "S02_noise_avg_64x64": noise,
    "S03_checker_sine_max_72x96": checker_sine,
    "S04_blob_stripes_mix_97x83": blob_stripes,
    "S05_fused_equals_A_64x64": fused_equals_a,
    "S06_all_equal_64x64": all_equal,
    "S07_constA_rampB_64x64": constant_a,
    "S08_disk_step_lowrange_64x80": disk_step,
    "S09_sines_square_192x176": sines_square,
    "S10_blocks_max_64x64": blocks,
    "S11_speed_480x640": speed,
    "S12_fmi_40x40": small,
}


@lru_cache(maxsize=40)
def load(case: str) -> Triple:
    """Infrared, visible and fused image of a case: made here, or read from the shared folder."""
    if case in SYNTHETIC:
        return SYNTHETIC[case]()
    with np.load(SHARED / "cases" / f"{case}.npz") as arrays:
        return arrays["A"], arrays["B"], arrays["F"]


def tensors(case: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """A case as `(fused, ir, vi)`, each `(1,1,H,W)` on 0..255."""
    a, b, f = load(case)
    made = [torch.from_numpy(image.astype(np.float64))[None, None].to(dtype) for image in (f, a, b)]
    return made[0], made[1], made[2]


def read_golden(path: Path) -> list[tuple[str, str, float]]:
    """Rows (case, metric, value)."""
    with path.open(newline="") as lines:
        return [(row["case"], row["metric"], float(row["value"])) for row in csv.DictReader(lines)]


def scene(count: int, size: int = 96) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures that have all that the suite `natural` looks at: `(fused, ir, vi)` on 0..255.

    Sky above, rough ground below with a flat wall, white smoke, lane paint; in IR a person before
    the ground, one in the smoke, and small hot spots. `(count,1,size,size)`, whole levels.
    """
    g = np.random.default_rng(12)

    def rough(level: float, sigma: float) -> npt.NDArray[np.float64]:
        return level + g.normal(0, sigma, (count, 1, size, size))

    vi, ir = rough(100, 12), rough(60, 2)
    vi[..., :24, :] = rough(220, 1)[..., :24, :]
    vi[..., 24:44, :40] = rough(120, 1)[..., 24:44, :40]
    vi[..., 44:, 60:] = rough(250, 1)[..., 44:, 60:]
    vi[..., 84:87, :56] += 90
    ir[..., 56:66, 20:28] += 150
    ir[..., 56:66, 74:82] += 150
    for place in (8, 28, 48, 68, 88):
        ir[..., 30:33, place - 1 : place + 2] += 90
    share = g.uniform(0.3, 0.7, (count, 1, 1, 1))
    fused = share * ir + (1 - share) * vi + g.normal(0, 2, vi.shape)
    fused[..., 29:34, 44:53] = vi[..., 29:34, 44:53]  # one spot is lost
    fused[1:, :, 29:34, 24:33] = vi[1:, :, 29:34, 24:33]  # but for the first picture, another
    made = [torch.from_numpy(_gray(image).astype(np.float64)) for image in (fused, ir, vi)]
    return made[0], made[1], made[2]
