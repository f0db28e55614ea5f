"""What the machine has: cores, memory, number formats; and what to write beside a measured time.

Nothing else in the package asks the system. On Linux, macOS and Windows alike; on Linux the limit
of the container counts too.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

__all__ = [
    "available_cores",
    "available_memory",
    "cpu_name",
    "device_name",
    "has_native_bf16",
    "load_average",
    "peak_memory",
    "peak_rates",
    "resident_memory",
    "versions",
]

_PACKAGES = ("torch", "onnxruntime", "openvino", "nncf")


def cpu_name() -> str:
    """Model name of the CPU; where that says little, with family, model and matrix units."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts: dict[str, str] = {}
    for key, _, value in (line.partition(":") for line in lines):
        facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name", platform.machine())
    flags = facts.get("flags", "").split()
    units = [
        label
        for label, flag in (
            ("AVX2", "avx2"),
            ("AVX-512", "avx512f"),
            ("VNNI", "avx512_vnni"),
            ("AVX-VNNI", "avx_vnni"),
            ("AMX", "amx_tile"),
        )
        if flag in flags
    ]
    return f"{name} ({', '.join(units)})" if units else name


def device_name(device: str) -> str:
    """Name of a device, `"cpu"` or `"cuda"`."""
    return torch.cuda.get_device_name() if device == "cuda" else cpu_name()


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """Processes that wanted to run over the last minute; what the machine did beside."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def available_memory() -> int:
    """Bytes that can be taken without swapping: the machine's, or the container's if fewer.

    The page cache counts as free, since the kernel gives it up when memory is asked for.
    """
    return max(min(int(psutil.virtual_memory().available), _container_available()), 0)


def resident_memory() -> int:
    """Bytes of physical memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def _container_available(root: Path = Path("/sys/fs/cgroup")) -> int:
    """What the control group (v2, then v1) leaves; a huge number where there is no limit."""
    v1 = root / "memory"
    for limit, used, stat, prefix in (
        (root / "memory.max", root / "memory.current", root / "memory.stat", ""),
        (v1 / "memory.limit_in_bytes", v1 / "memory.usage_in_bytes", v1 / "memory.stat", "total_"),
    ):
        try:
            free = int(limit.read_text()) - int(used.read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        cached = {f"{prefix}inactive_file", f"{prefix}active_file"}
        with contextlib.suppress(OSError, ValueError):
            counts = (line.split() for line in stat.read_text().splitlines())
            free += sum(int(count) for name, count in counts if name in cached)
        return free
    return 2**62


@cache
def has_native_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 itself (AMX, AVX-512 BF16, or Arm's bf16)."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    found = capabilities() if capabilities is not None else {}
    if any(found.get(key) for key in ("amx_bf16", "avx512_bf16", "arm_bf16", "bf16")):
        return True
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return False
    return bool(words & {"amx_bf16", "avx512_bf16", "bf16"})


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def versions() -> str:
    """Python and the packages that do the work, `"Python 3.12.1, torch 2.6.0, ..."`."""
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def peak_rates(device: str = "cpu", size: int = 4096, seconds: float = 1.0) -> dict[str, float]:
    """Measured rate of square matrix products in operations per second, by precision.

    Two operations for each multiply-accumulate; the best of several runs. On CUDA, fp32 is as
    PyTorch is set (TF32 off unless the caller turned it on). int8 is left out where PyTorch has no
    fast product.

    Args:
        device: `"cpu"` or `"cuda"`.
        size: Rows and columns.
        seconds: How long to try each.
    """
    operations = 2.0 * size**3
    rates: dict[str, float] = {}
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
        rates[precision] = operations / _best(lambda a=a, b=b: a @ b, device, seconds)  # type: ignore[misc]
    a, b = (torch.randint(-9, 9, (size, size), dtype=torch.int8, device=device) for _ in range(2))
    with contextlib.suppress(AttributeError, RuntimeError):
        rates["int8"] = operations / _best(lambda: torch._int_mm(a, b), device, seconds)
    if rates.get("int8", 0) < rates["fp32"]:  # a plain loop, not the machine's rate
        rates.pop("int8", None)
    return rates


def _best(product: Callable[[], Tensor], device: str, seconds: float) -> float:
    synchronize: Any = torch.cuda.synchronize if device == "cuda" else lambda: None
    best, end = float("inf"), time.monotonic() + seconds
    for attempt in range(1000):
        start = time.perf_counter()
        product()
        synchronize()
        best = min(best, time.perf_counter() - start)
        if attempt > 1 and time.monotonic() > end:
            break
    return best
