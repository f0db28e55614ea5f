"""What the machine has, in a container, and on systems that lack what Linux has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from mma_unet import machine


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_counts(
    tmp_path: Path, files: dict[str, str], expected: int | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert machine._container_cores(tmp_path) == (expected or machine._UNLIMITED)


def test_cores_are_the_fewest_of_affinity_and_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for quota, expected in ((2, 2), (100, 8)):
        monkeypatch.setattr(machine, "_container_cores", lambda quota=quota: quota)
        assert machine.cores() == expected
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS, Windows
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1


def test_memory_peaks_above_what_is_held() -> None:
    block = bytearray(50_000_000)
    held = machine.resident_memory()
    del block
    assert held <= 1.01 * machine.peak_memory() < 10**12


def test_windows_has_its_own_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    info = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=123))
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(psutil, "Process", lambda: info)
    assert machine.peak_memory() == 123


def test_the_name_of_the_cpu_has_its_units(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"model name": "Some CPU", "flags": "fpu avx2 avx512f"}
    monkeypatch.setattr(machine, "_cpu_facts", lambda: facts)
    assert machine.cpu_name() == "Some CPU (AVX2, AVX-512)"
    monkeypatch.setattr(machine, "_cpu_facts", dict)
    assert machine.cpu_name()


def test_bf16_is_known_from_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.torch.cpu, "get_capabilities", dict, raising=False)
    for facts, expected in (
        ({"Features": "fp bf16"}, True),
        ({"flags": "avx2"}, False),
        ({}, False),
    ):
        monkeypatch.setattr(machine, "_cpu_facts", lambda facts=facts: facts)
        assert machine.has_native_bf16.__wrapped__() is expected


@pytest.mark.slow
def test_the_core_works_where_there_is_neither_resource_nor_glibc() -> None:
    """As on Windows: no module `resource`, no `os.sched_getaffinity`, no `ctypes.CDLL(None)`."""
    code = """
import ctypes, importlib, os, pkgutil, sys
import psutil
import mma_unet

def import_core():
    extras = ("training", "analysis", "ray", "with_", "__main__")
    for module in pkgutil.walk_packages(mma_unet.__path__, "mma_unet."):
        if not any(word in module.name for word in extras):
            importlib.import_module(module.name)

import_core()  # other packages may ask for the true system
for name in [name for name in sys.modules if name.startswith("mma_unet.")]:
    del sys.modules[name]

class CDLL(ctypes.CDLL):
    def __init__(self, name, *args, **kwargs):
        if name is None:
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        super().__init__(name, *args, **kwargs)

ctypes.CDLL = CDLL
sys.modules["resource"] = None
sys.platform = "win32"
for name in ("sched_getaffinity", "getloadavg"):
    delattr(os, name) if hasattr(os, name) else None
import_core()
from mma_unet import allocator, machine
from mma_unet.cli.common import cost
from mma_unet.speed import worker
psutil.Process.memory_info = lambda self: __import__("types").SimpleNamespace(peak_wset=5 * 10**6)
worker._restrain(10**9)
allocator.keep_large_blocks()
allocator.release_memory()
assert machine.load_average() is None and machine.cores() >= 1
assert worker.peak_megabytes("cpu") == 5.0
assert "peak memory 5 MB" in cost(0.0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
