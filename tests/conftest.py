from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mma_unet.data import write_image
from mma_unet.models import MMAUNet, preset, save_model


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is read from or written to the user's folder for caches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real pairs and golden values; tests that want it skip where it is not."""
    root = Path(os.environ.get("MMA_UNET_SHARED", Path(__file__).parents[2] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip("needs the real pairs of ../shared/data")
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an untrained tiny network: enough wherever values do not matter."""
    torch.manual_seed(0)
    return save_model(MMAUNet(preset("tiny")), tmp_path_factory.mktemp("weights") / "w.safetensors")


def make_pairs(root: Path, names: list[str], size: tuple[int, int] = (40, 56)) -> tuple[Path, Path]:
    """Folders `ir` (gray) and `vi` (color) of random but smooth-enough PNG files."""
    rng = np.random.default_rng(0)
    for name in names:
        for kind, shape in (("ir", size), ("vi", (*size, 3))):
            coarse = rng.integers(0, 256, (size[0] // 8, size[1] // 8, *shape[2:]))
            image = coarse.repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)
            write_image(root / kind / f"{name}.png", image)
    return root / "ir", root / "vi"
