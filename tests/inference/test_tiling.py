"""Tiles: equal to the untiled network, aligned, within memory, and only where they are needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.inference.grid import Window, halo, peak_bytes, plan_tiles, tile_pixels
from mma_unet.inference.memory import parse_memory
from mma_unet.inference.tiling import fuse_tile, fuse_tiles
from mma_unet.machine import available_memory, has_native_bf16, resident_memory
from mma_unet.models import MMAUNet, MMAUNetConfig, fold, preset

FUSER = "mma_unet.inference.fuser"
BASE = MMAUNetConfig(width=4, depth=4, pairing=((1, 2), (2, 3), (3, 4)))
CONFIGS = {
    "paper's": MMAUNetConfig(width=2),
    "shallow": BASE,
    "unguided": replace(BASE, guided=False),
    "no attention": replace(BASE, attention="none"),
    "local only": replace(BASE, guided=False, attention="none"),
    "E4": replace(BASE, pairing=((1, 3), (2, 4))),
    "E5": replace(BASE, pairing=((2, 1), (3, 2), (4, 3))),
    "blend": replace(BASE, head="blend", downsampling="unshuffle"),
    "bands": replace(BASE, head="bands", downsampling="unshuffle"),
    "one level": replace(BASE, pairing=((1, 1),)),
    "color": replace(BASE, in_channels=3),
}


def network(config: MMAUNetConfig) -> MMAUNet:
    """Random weights with the statistics of batch norm set, so that nothing dies or saturates."""
    torch.manual_seed(3)
    model = MMAUNet(config)
    with torch.no_grad():
        model.train()
        for _ in range(4):
            model(
                torch.rand(2, config.in_channels, 64, 64), torch.rand(2, config.in_channels, 64, 64)
            )
        model.decoder.to_image.weight *= 20  # an untrained network is nearly gray
    return fold(model)


def images(config: MMAUNetConfig, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise over a slope: what is global differs from what any one tile sees."""
    slope = torch.linspace(0, 1, width).expand(1, config.in_channels, height, width)
    return slope * torch.rand_like(slope), slope**2 * torch.rand_like(slope)


@pytest.mark.parametrize("name", CONFIGS)
def test_tiles_equal_the_whole(name: str) -> None:
    model = network(CONFIGS[name])
    multiple = model.config.size_multiple
    size = (7 * multiple + 2 * halo(model.config), 9 * multiple + 2 * halo(model.config))
    ir, vi = images(model.config, *size)
    result = torch.full_like(ir, float("nan"))
    whole = Window(0, size[0], 0, size[1])
    side = 3 * multiple + 2 * halo(model.config)
    read: list[Window] = []

    def load(window: Window) -> tuple[torch.Tensor, torch.Tensor]:
        read.append(window)
        return window.crop(ir, whole), window.crop(vi, whole)

    with torch.inference_mode():
        for core, fused in fuse_tiles(model, size, load, max_pixels=side**2):
            result[..., core.top : core.bottom, core.left : core.right] = fused
        expected = model(ir, vi)
    assert expected.std() > 0.02
    torch.testing.assert_close(result, expected, atol=2e-5, rtol=0)
    assert max(a * b for a, b in (window.shape for window in read)) <= side**2
    assert len(read) > 4


@pytest.mark.parametrize("name", ["paper's", "E4", "E5"])
def test_the_halo_is_what_the_network_sees(name: str) -> None:
    """A change beyond the halo does not reach a core; one inside it does."""
    model = network(CONFIGS[name])
    margin, multiple = halo(model.config), model.config.size_multiple
    side = 2 * margin + 4 * multiple
    ir, vi = images(model.config, side, side)
    center = margin + 2 * multiple
    with torch.inference_mode():
        averages = [torch.rand(1, c, 1, 1) for c in model.config.channels[: model.config.ir_depth]]
        averages = averages if model.config.guided else []
        attention = [
            torch.rand(1, model.config.channels[level - 1], 1, 1)
            for level in model.config.fused_levels
        ]
        before = fuse_tile(model, ir, vi, (averages, attention))
        for distance, reaches in ((margin + multiple, False), (margin // 4, True)):
            changed = vi.clone()
            changed[..., : center - distance] = torch.rand(())
            after = fuse_tile(model, ir, changed, (averages, attention))
            core = (..., slice(center, None), slice(center, center + multiple))
            assert bool((after[core] != before[core]).any()) == reaches


def test_halo_of_the_paper() -> None:
    """Two 3x3 convolutions per level going down (62), and 64 on the way up: 126, aligned to 16."""
    assert halo(preset("paper"), decoder=False) == 64
    assert halo(preset("paper")) == 128


@pytest.mark.parametrize("size", [(16, 16), (16, 4096), (208, 336), (1600, 1040)])
@pytest.mark.parametrize("limit", [0, 20_000, 90_000, 10**9])
def test_plans_cover_once_and_stay_aligned(size: tuple[int, int], limit: int) -> None:
    seen = np.zeros(size, int)
    for tile in plan_tiles(size, 32, 16, limit):
        core, outer = tile.core, tile.outer
        seen[core.top : core.bottom, core.left : core.right] += 1
        assert not any(edge % 16 for edge in (*vars(core).values(), *vars(outer).values()))
        assert outer.top in (0, core.top - 32)
        assert outer.right in (size[1], core.right + 32)
        assert outer.shape[0] * outer.shape[1] <= max(limit, 80 * 80)
    assert (seen == 1).all()


@pytest.mark.parametrize("color", ["luminance", "rgb"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_fuser_with_little_memory_equals_fuser_with_much(
    color: str, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that is no multiple of 16, gray and color, tiles forced by --max-memory."""
    model = network(CONFIGS["color"])
    rng = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    ir = (rng.random((213, 307)) * np.linspace(0, top, 307)).astype(dtype)
    vi = (rng.random((213, 307, 3)) * np.linspace(0, top, 213)[:, None, None]).astype(dtype)
    steps: list[tuple[int, int]] = []
    budget = peak_bytes(model, 200, 200)
    for ir_range in ("full", "auto"):
        same: dict[str, Any] = {"device": "cpu", "precision": "fp32", "ir_range": ir_range}
        whole = Fuser(model, color=color, max_memory="100GB", **same)
        tiled = Fuser(model, color=color, **same)
        tiled.on_tile = lambda done, total: steps.append((done, total))
        for sources in (
            (ir, vi),
            (ir, vi[..., 0]),
            (torch.from_numpy(ir), torch.from_numpy(vi[..., 0])),
        ):
            expected = np.asarray(whole(*sources)).astype(int)
            with monkeypatch.context() as patch:
                patch.setattr(f"{FUSER}.memory_budget", lambda *_: budget)
                got = np.asarray(tiled(*sources)).astype(int)
            assert got.shape == expected.shape
            assert np.abs(got - expected).max() <= (1 if dtype is np.uint8 else 3)
        assert steps, "no tiles were used"
        assert steps[-1][0] == steps[-1][1] > 1


def test_reduced_statistics_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(CONFIGS["shallow"])
    ir, vi = (np.asarray(x[0, 0] * 255).astype(np.uint8) for x in images(BASE, 256, 256))
    exact = np.asarray(Fuser(model, device="cpu", max_memory="100GB")(ir, vi)).astype(int)
    fuser = Fuser(model, device="cpu", statistics="reduced")
    monkeypatch.setattr(f"{FUSER}.memory_budget", lambda *_: peak_bytes(model, 150, 150))
    reduced = np.asarray(fuser(ir, vi)).astype(int)
    assert 0 < np.abs(reduced - exact).mean() < 8


def test_too_little_memory_is_one_sentence(weights: Path) -> None:
    fuser = Fuser(weights, device="cpu", max_memory="1MB")
    with pytest.raises(InputError, match=r"vi: 60x50 pixels need \d+ MB at least; allow more"):
        fuser(np.zeros((50, 60), np.uint8), np.zeros((50, 60), np.uint8))
    for amount in ("lots", "-1GB", "0", "2 iB", ""):
        with pytest.raises(InputError, match="amount of memory"):
            Fuser(weights, device="cpu", max_memory=amount)
    with pytest.raises(InputError, match="statistics must be"):
        Fuser(weights, device="cpu", statistics="guess")


def test_memory_is_known() -> None:
    assert parse_memory("800 MB") == 800_000_000
    assert parse_memory("2gib") == 2 * 2**30
    assert available_memory() > 10**7
    assert resident_memory() > 10**7
    model = network(BASE)
    pixels = tile_pixels(model, peak_bytes(model, 300, 300))
    assert pixels == 300 * 300


@pytest.mark.skipif(not has_native_bf16(), reason="this CPU has no bf16")
@pytest.mark.parametrize("head", ["image", "blend", "bands"])
def test_tiles_in_bf16_stay_close_to_the_whole(monkeypatch: pytest.MonkeyPatch, head: str) -> None:
    model = network(replace(BASE, head=head))
    ir, vi = (torch.rand(208, 304).mul(255).byte() for _ in range(2))
    budget = peak_bytes(model, 200, 200)
    fuser = Fuser(model, device="cpu", runtime="torch", precision="bf16")
    whole = np.asarray(fuser(ir, vi)).astype(int)
    monkeypatch.setattr(f"{FUSER}.memory_budget", lambda *_: budget)
    difference = np.abs(np.asarray(fuser(ir, vi)).astype(int) - whole)
    assert difference.mean() < 0.5
    assert difference.max() <= 4
