"""Keeping freed memory in the process, so that each image does not fault its pages in anew.

By default glibc gives every block above 128 KiB (later: up to 32 MiB) back to the system when it is
freed and asks for it again for the next feature map; the kernel then clears each page on first
use. For PyTorch on the CPU that can cost as much as the convolutions. The setting belongs to the
whole process, so library code does not touch it: the command line calls `keep_large_blocks` at its
start (`MMA_UNET_ALLOCATOR=default` leaves it alone), a program that embeds `Fuser` may call it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from typing import Any

__all__ = ["allocator_setting", "keep_large_blocks", "release_memory"]

_VARIABLE = "MMA_UNET_ALLOCATOR"
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_GIBIBYTE = 1 << 30

_kept = False


def keep_large_blocks() -> bool:
    """Tell glibc to keep large freed blocks mapped, for this process, from now on.

    The process then stays at the size of its peak. Nothing is done on other systems, or if the
    environment holds `MMA_UNET_ALLOCATOR=default`. Only the main thread's heap can grow without
    bound; large blocks that other threads ask for still come from the system.

    Returns:
        Whether the setting is in force.
    """
    global _kept
    mallopt = _glibc("mallopt")
    if os.environ.get(_VARIABLE, "keep") != "default" and mallopt is not None:
        threshold = mallopt(_M_MMAP_THRESHOLD, _GIBIBYTE) or mallopt(_M_MMAP_MAX, 0)
        _kept = bool(threshold and mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
    return _kept


def release_memory() -> None:
    """Give memory that was freed back to the system (glibc; elsewhere nothing is done).

    Feature maps of tiles of different shapes leave holes in the heap, which would otherwise grow
    from tile to tile.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def allocator_setting() -> str:
    """What to write beside a measured time: `"glibc, large blocks kept"` or another."""
    preload = os.environ.get("LD_PRELOAD", "")
    for name in ("tcmalloc", "jemalloc", "mimalloc"):
        if name in preload:
            return name
    if _kept:
        return "glibc, large blocks kept"
    tuned = any(name in os.environ for name in ("MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"))
    return "set by the environment" if tuned else "system default"


def _glibc(function: str) -> Any:
    """A function of the C library; None where there is no glibc, as on Windows, macOS and musl."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            return getattr(ctypes.CDLL(None), function)
    return None
