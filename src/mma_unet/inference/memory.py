"""How much memory fusion may take, and how a user says it."""

from __future__ import annotations

import re

import torch

from mma_unet.errors import InputError
from mma_unet.machine import available_memory, resident_memory

__all__ = ["memory_budget", "parse_memory", "reading_budget"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_LEAST = 400 * 10**6
"""Taken however little is free, unless the user sets a limit: in smaller tiles the halo costs more
than the image, and an image of 640x480 needs no tiles."""


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
            of what is available, and no less than 400 MB.
        device: Where the network runs.
    """
    if limit is None:
        free = _free_on_cuda(device) if device.type == "cuda" else available_memory()
        return max(free // 2, _LEAST)
    if device.type == "cuda":
        return limit - torch.cuda.memory_allocated(device)
    return limit - resident_memory()


def reading_budget(limit: int | None, device: torch.device) -> int | None:
    """Bytes of memory that decoding one file may take; None for what is free.

    Args:
        limit: As for `memory_budget`; on a GPU it does not count for reading.
        device: Where the network runs.
    """
    return None if limit is None or device.type == "cuda" else limit - resident_memory()


def _free_on_cuda(device: torch.device) -> int:
    """Free bytes of a GPU, with the blocks that PyTorch keeps for its next tensors."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept
