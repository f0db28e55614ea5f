"""Small image pairs, and the real ones where they are at hand."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mma_unet.data.images import write_image

MakePairs = Callable[..., tuple[Path, Path]]


@pytest.fixture
def make_pairs(tmp_path: Path) -> MakePairs:
    """Write pairs of random images; returns their two folders."""

    def make(
        count: int = 3,
        size: tuple[int, int] = (24, 32),
        ir: str = "ir",
        vi: str = "vi",
        dtype: str = "uint8",
        seed: int = 0,
    ) -> tuple[Path, Path]:
        rng = np.random.default_rng(seed)
        top = np.iinfo(dtype).max
        for i in range(count):
            gray = rng.integers(0, top, size, dtype=dtype, endpoint=True)
            color = rng.integers(0, top, (*size, 3), dtype=dtype, endpoint=True)
            write_image(tmp_path / ir / f"{i}.png", gray)
            write_image(tmp_path / vi / f"{i}.png", color)
        return tmp_path / ir, tmp_path / vi

    return make


@pytest.fixture
def shared() -> Path:
    """The folder of real pairs; the test is skipped where it is not there."""
    beside = Path(__file__).resolve().parents[2].parent / "shared"
    folder = Path(os.environ.get("MMA_UNET_SHARED", beside)) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real pairs in {folder} (set MMA_UNET_SHARED)")
    return folder
