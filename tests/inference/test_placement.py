"""Pairs of cameras that are not aligned, on their way through `Fuser`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mma_unet import InputError
from mma_unet.inference.placement import Placement
from mma_unet.registration import Rig
from tests.inference.test_fuser import averaging

SIZE = (48, 96)
BT601 = np.array((0.299, 0.587, 0.114))
RIG = Rig(np.array([[1.0, 0, 20], [0, 1, 8], [0, 0, 1]]), (30, 40), SIZE, "similarity", 0.5)


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    ir = np.full((30, 40), 200, np.uint8)
    return ir, rng.integers(60, 120, (*SIZE, 3), np.uint8)


def test_outside_of_the_smaller_view_is_vi_to_the_bit(pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    fused = averaging(align=RIG)(ir, vi)
    assert isinstance(fused, np.ndarray)
    assert fused.shape == vi.shape
    changed = (fused != vi).any(axis=2)
    rows, cols = np.nonzero(changed)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) >= (8, 30, 20, 50)
    assert rows.max() <= 37
    assert cols.max() <= 59
    middle = np.s_[16:30, 28:52]
    assert np.abs(fused[middle] @ BT601 - (vi[middle] @ BT601 + 200) / 2).max() < 1.5


def test_the_seam_is_soft() -> None:
    ir, vi = np.full((30, 40), 200, np.uint8), np.full(SIZE, 100, np.uint8)
    line = np.asarray(averaging(align=RIG)(ir, vi))[22].astype(int)
    assert (line[:20] == 100).all()
    assert (np.diff(line[20:40]) >= 0).all()
    assert np.diff(line[20:40]).max() < 40
    assert line[40] == 150


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_sample_type_and_kind(dtype: type, pair: tuple[np.ndarray, ...]) -> None:
    ir, vi = pair
    if dtype is np.uint16:
        ir, vi = ir.astype(np.uint16) * 257, vi.astype(np.uint16) * 257
    elif dtype is np.float32:
        ir, vi = ir / np.float32(255), vi / np.float32(255)
    for gray in (False, True):
        fused = np.asarray(averaging(align=RIG, gray=gray)(ir, vi))
        assert fused.dtype == dtype
        own = vi @ np.array((0.299, 0.587, 0.114)) if gray else vi
        assert np.abs(fused[:8].astype(float) - own[:8]).max() <= (
            1e-6 if dtype is np.float32 else 1
        )
    three = averaging(3, align=RIG, color="rgb")(ir, vi)
    assert np.abs(np.asarray(three)[:8].astype(float) - vi[:8]).max() <= 1
    tensor = torch.from_numpy(vi.astype(np.float32) / np.float32(vi.max())).permute(2, 0, 1)
    assert averaging(align=RIG)(ir, tensor).shape == tensor.shape


def test_common_part(pair: tuple[np.ndarray, ...]) -> None:
    fused = np.asarray(averaging(align=Placement(RIG, "common"))(*pair))
    assert fused.shape == (30, 40, 3)
    assert (fused != pair[1][8:38, 20:60]).any(axis=2).all()


def test_resize_is_for_the_same_view(pair: tuple[np.ndarray, ...]) -> None:
    ir = np.zeros((24, 48), np.uint8)
    ir[:, 24:] = 200
    fused = np.asarray(averaging(align="resize", gray=True)(ir, np.zeros(SIZE, np.uint8)))
    assert fused.shape == SIZE
    assert fused[20, 44] == 0
    assert fused[20, 52] == 100
    same = np.asarray(averaging(align="resize")(pair[1], pair[1]))
    assert np.array_equal(same, np.asarray(averaging()(pair[1], pair[1])))


def test_refusals(pair: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--align auto, --fit resize"):
        averaging()(*pair)
    with pytest.raises(InputError, match=r"ir: .*could not be aligned|shows no edges"):
        averaging(align="auto")(*pair)
    with pytest.raises(InputError, match="another shape"):
        averaging(align=RIG)(pair[1], pair[1])
    with pytest.raises(InputError, match="crop must be"):
        Placement("auto", "half")
    with pytest.raises(InputError, match=r"none\.json cannot be read"):
        averaging(align=tmp_path / "none.json")
