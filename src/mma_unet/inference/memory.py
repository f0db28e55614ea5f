"""How much memory there is, how much is used, and how a user says how much may be."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from pathlib import Path

import torch

from mma_unet.errors import InputError

__all__ = ["available_memory", "memory_budget", "parse_memory", "release_memory", "resident_memory"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_UNKNOWN_AVAILABLE = 2 * 10**9
_UNKNOWN_RESIDENT = 4 * 10**8


def parse_memory(text: str | int) -> int:
    """Bytes of an amount such as `"2GB"`, `"800 MB"`, `"1.5GiB"` or a plain number of bytes.

    Raises:
        InputError: If it is not an amount, or none.

    Example:
        >>> parse_memory("1.5GB"), parse_memory("1GiB"), parse_memory(4096)
        (1500000000, 1073741824, 4096)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*", str(text).upper())
    if match is None or (match[3] and not match[2]) or float(match[1]) <= 0:
        raise InputError(f"{text!r} is not an amount of memory: write 800MB, 2GB or 1.5GiB")
    unit = _BINARY[match[2]] if match[3] else _UNITS[match[2]]
    return int(float(match[1]) * unit)


def memory_budget(limit: int | None, device: torch.device) -> int:
    """Bytes that may be taken from now on, on the CPU or on a CUDA device.

    Args:
        limit: The most that the process (on a GPU: its tensors) may hold in all; None for half
            of what is available.
        device: Where the network runs.
    """
    if limit is None:
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory()
        return free // 2
    if device.type == "cuda":
        return limit - torch.cuda.memory_allocated(device)
    return limit - resident_memory()


def available_memory() -> int:
    """Bytes that can be taken without swapping: the machine's, or the container's if fewer."""
    return max(min(_machine_available(), _container_available()), 0)


def resident_memory() -> int:
    """Bytes of physical memory that this process holds now (Linux; a typical value elsewhere)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return _UNKNOWN_RESIDENT
    return pages * int(os.sysconf("SC_PAGE_SIZE"))


def release_memory() -> None:
    """Give memory that was freed back to the system (glibc; elsewhere nothing is done).

    Feature maps of tiles of different shapes leave holes in the heap, which would otherwise grow
    from tile to tile.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _machine_available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE")) // 2
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN_AVAILABLE


def _container_available() -> int:
    """What the control group (v2, then v1) leaves; a huge number where there is no limit."""
    root = Path("/sys/fs/cgroup")
    for limit, used in (
        (root / "memory.max", root / "memory.current"),
        (root / "memory/memory.limit_in_bytes", root / "memory/memory.usage_in_bytes"),
    ):
        try:
            return int(limit.read_text()) - int(used.read_text())
        except (OSError, ValueError):
            continue
    return 2**62
