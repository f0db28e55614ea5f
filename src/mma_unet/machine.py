"""What the machine has: cores, memory, number formats; and what to write beside a measured time.

Nothing else in the package asks the system. On Linux, macOS and Windows alike; on Linux the limits
of the container count too. See also `mma_unet.inference.memory`, which makes a budget of it.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
import torch

__all__ = [
    "available_memory",
    "cache_folder",
    "cores",
    "cpu_name",
    "device_name",
    "has_native_bf16",
    "load_average",
    "peak_memory",
    "resident_memory",
    "versions",
]

_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 2**62
_UNITS = {
    "AVX2": "avx2",
    "AVX-512": "avx512f",
    "VNNI": "avx512_vnni",
    "AVX-VNNI": "avx_vnni",
    "AMX": "amx_tile",
}
"""What multiplies matrices, by the flag that Linux lists for it."""
_PACKAGES = ("torch", "onnxruntime", "openvino", "nncf")


def cache_folder() -> Path:
    """`mma-unet` in the user's folder for caches, whether it is there or not.

    That is `XDG_CACHE_HOME`; else `LOCALAPPDATA` on Windows, `~/Library/Caches` on macOS,
    `~/.cache`.
    """
    system = {"win32": os.environ.get("LOCALAPPDATA"), "darwin": "~/Library/Caches"}
    base = os.environ.get("XDG_CACHE_HOME") or system.get(sys.platform) or "~/.cache"
    return Path(os.path.expanduser(base)) / "mma-unet"  # noqa: PTH111  (fails for none)


def cpu_name() -> str:
    """Model name of the CPU, on Linux with its matrix units: `"... (AVX2, AVX-512, VNNI)"`."""
    facts = _cpu_facts()
    name = facts.get("model name") or platform.processor() or platform.machine()
    flags = facts.get("flags", "").split()
    units = ", ".join(unit for unit, flag in _UNITS.items() if flag in flags)
    return f"{name} ({units})" if units else name


def device_name(device: str) -> str:
    """Name of a device, `"cpu"` or `"cuda"`."""
    return torch.cuda.get_device_name() if device == "cuda" else cpu_name()


def cores() -> int:
    """Cores this process may use: its affinity, or the container's quota if fewer; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    return max(1, min(found, _container_cores()))


def load_average() -> float | None:
    """Processes that wanted to run over the last minute; what the machine did beside."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # Windows has none


def available_memory() -> int:
    """Bytes that can be taken without swapping: the machine's, or the container's if fewer.

    The page cache counts as free, since the kernel gives it up when memory is asked for.
    """
    return max(min(int(psutil.virtual_memory().available), _container_available()), 0)


def resident_memory() -> int:
    """Bytes of physical memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


@cache
def has_native_bf16() -> bool:
    """Whether the CPU multiplies bfloat16 itself (AMX, AVX-512 BF16, or Arm's bf16)."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    found = capabilities() if capabilities is not None else {}
    if any(found.get(key) for key in ("amx_bf16", "avx512_bf16", "arm_bf16", "bf16")):
        return True
    facts = _cpu_facts()
    words = {*facts.get("flags", "").split(), *facts.get("Features", "").split()}
    return bool(words & {"amx_bf16", "avx512_bf16", "bf16"})


def versions() -> str:
    """Python and the packages that do the work, `"Python 3.12.1, torch 2.6.0, ..."`."""
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


@cache
def _cpu_facts() -> dict[str, str]:
    """What Linux says of the first core (Arm calls the flags Features); elsewhere nothing."""
    facts: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    return facts


def _container_cores(root: Path = _CGROUP) -> int:
    """Whole cores of the quota of the control group (v2, then v1); huge where there is none."""
    v1 = root / "cpu"
    for files in ([root / "cpu.max"], [v1 / "cpu.cfs_quota_us", v1 / "cpu.cfs_period_us"]):
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            quota, period = (int(word) for file in files for word in file.read_text().split())
            return math.ceil(quota / period) if quota > 0 else _UNLIMITED  # v1: -1 is no limit
    return _UNLIMITED


def _container_available(root: Path = _CGROUP) -> int:
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
    return _UNLIMITED
