from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mma_unet.data import read_image, write_image
from mma_unet.data.images import luminance

NAMES = ("a", "b", "c10", "c2")


class Folders:
    """Three small pairs and results of several methods, made from a seed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ir, self.vi = root / "ir", root / "vi"

    def method(self, name: str, blend: float, *, noise: float = 0.0, only: str = "") -> Path:
        """Results `blend * ir + (1 - blend) * vi` plus noise."""
        rng = np.random.default_rng(7)
        folder = self.root / name
        for ir_path in sorted(self.ir.iterdir()):
            if only and ir_path.stem not in only.split():
                continue
            ir = read_image(ir_path).astype(float)
            vi = luminance(read_image(self.vi / f"{ir_path.stem}.png")).astype(float)
            fused = blend * ir + (1 - blend) * vi + noise * rng.standard_normal(ir.shape)
            write_image(
                folder / f"{ir_path.stem}.png", np.clip(np.rint(fused), 0, 255).astype(np.uint8)
            )
        return folder


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path)
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[0:52, 0:64]
    for index, name in enumerate(NAMES):
        waves = 100 + 60 * np.sin(rows / (3 + index)) * np.cos(columns / 5)
        ir = np.clip(waves + rng.normal(0, 8, rows.shape), 0, 255).astype(np.uint8)
        vi = rng.integers(0, 256, (13, 16, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
        write_image(made.ir / f"{name}.png", ir)
        write_image(made.vi / f"{name}.png", vi)
    return made
