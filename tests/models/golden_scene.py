"""What the shipped weights make of the rendered scene: stored when they change, checked after.

`python -m tests.models.golden_scene` writes the numbers of the weights in place, with PyTorch.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mma_unet import Fuser
from mma_unet.models import shipped_models
from mma_unet.scene import render_scene

COMMAND = "python -m tests.models.golden_scene"
FILE = Path(__file__).with_suffix(".csv")
ROWS, COLUMNS, SIDE = 6, 8, 16

Numbers = npt.NDArray[np.float64]


def measure(name: str, runtime: str) -> Numbers:
    """Mean of the fused luminance, and its means over 6x8 blocks of 16x16 pixels, row by row."""
    scene = render_scene(ROWS * SIDE, COLUMNS * SIDE, seed=1, supersample=1)
    fuser = Fuser(name, device="cpu", runtime=runtime, precision="fp32", gray=True)
    ir, vi = (np.float32(image) / np.float32(255) for image in (scene.ir, scene.vi))
    fused = np.asarray(fuser(ir, vi), np.float64).reshape(ROWS, SIDE, COLUMNS, SIDE)
    return np.array([fused.mean(), *fused.mean(axis=(1, 3)).flat])


def stored() -> dict[str, Numbers]:
    """The stored numbers by name of the weights."""
    with FILE.open(newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        return {name: np.array([float(x) for x in numbers]) for name, *numbers in rows}


def main() -> None:
    with FILE.open("w", newline="") as file:
        file.write(f"# weights, mean, {ROWS}x{COLUMNS} block means; written by: {COMMAND}\n")
        for name in shipped_models():
            numbers = (f"{x:.5f}" for x in measure(name, "torch"))
            csv.writer(file, lineterminator="\n").writerow([name, *numbers])


if __name__ == "__main__":
    main()
