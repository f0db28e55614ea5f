"""What the CPU can do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

__all__ = ["has_native_bf16"]


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
