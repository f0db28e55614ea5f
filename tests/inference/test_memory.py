"""What counts as free memory, and what little of it does to the tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mma_unet import Fuser, machine
from mma_unet.inference import fuser as fuser_module
from mma_unet.inference import memory


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_page_cache_of_a_container_counts_as_free(tmp_path: Path) -> None:
    """The kernel gives it up when asked, so it must not drive ordinary images into tiles."""
    cached = "anon 100\ninactive_file 500\nactive_file 250\nshmem 30\n"
    _write(tmp_path / "v2", {"memory.max": "1000", "memory.current": "900", "memory.stat": cached})
    assert machine._container_available(tmp_path / "v2") == 850
    total = "inactive_file 1\ntotal_inactive_file 500\ntotal_active_file 250\n"
    _write(
        tmp_path / "v1" / "memory",
        {
            "memory.limit_in_bytes": "1000",
            "memory.usage_in_bytes": "900",
            "memory.stat": total,
        },
    )
    assert machine._container_available(tmp_path / "v1") == 850


def test_a_container_without_limit_leaves_the_machine(tmp_path: Path) -> None:
    _write(tmp_path, {"memory.max": "max\n", "memory.current": "900"})
    assert machine._container_available(tmp_path) > 10**15
    assert machine._container_available(tmp_path / "none") > 10**15
    assert 10**7 < machine.available_memory() < 10**15
    assert machine.resident_memory() > 10**7


def test_the_smaller_of_machine_and_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_container_available", lambda: 10)
    assert machine.available_memory() == 10
    monkeypatch.setattr(machine, "_container_available", lambda: -10)
    assert machine.available_memory() == 0


def test_blocks_that_pytorch_keeps_count_as_free_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    giga = 10**9
    values = {
        "mem_get_info": (1 * giga, 9 * giga),
        "memory_reserved": 7 * giga,
        "memory_allocated": 3 * giga,
    }
    for name, value in values.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert memory.memory_budget(None, torch.device("cuda")) == 5 * giga // 2
    assert memory.memory_budget(10 * giga, torch.device("cuda")) == 7 * giga


def test_little_memory_does_not_cut_an_ordinary_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("fused in tiles")

    monkeypatch.setattr(memory, "available_memory", lambda: 0)
    monkeypatch.setattr(fuser_module, "fuse_tiles", refuse)
    image = np.zeros((480, 640), np.uint8)
    for model in ("tiny", "small"):
        fused = Fuser(model, device="cpu", runtime="torch")(image, image)
        assert np.asarray(fused).shape == image.shape
