"""Tensors from safetensors files that may be damaged or made to do harm: checked, then read.

See also: `mma_unet.models.weights`, whose files also say what network they are of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from mma_unet.errors import InputError

__all__ = ["COUNT", "opened", "read_tensors"]

COUNT = "num_batches_tracked"
"""What the names of the only whole numbers of a network end in; nothing depends on them."""

_FLOATS = ("F16", "BF16", "F32", "F64")
_WHOLE = ("I64", "I32")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A safetensors file, open.

    Raises:
        InputError: It cannot be read, or is of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, UnicodeError) as error:
        raise InputError(
            f"{path}: not an MMA-UNet weights file; give one written by `mma-unet train`"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}): check its permissions."
        ) from error


def read_tensors(path: Path, network: nn.Module, mend: str) -> dict[str, Tensor]:
    """The tensors of a file that fits `network`, in single precision.

    Names, shapes and types are compared before any tensor is read.

    Args:
        path: A safetensors file.
        network: What it has to fit; on the meta device it costs no memory. Counts of batches may
            be missing from the file.
        mend: What to do about a damaged file.

    Raises:
        InputError: The file cannot be read, does not fit, or holds values that no training
            leaves: NaN, infinity, a negative variance.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    with opened(path) as file:
        found = set(file.keys())
        fault = _misfit(file, found, wanted)
        if fault:
            raise InputError(
                f"{path}: its tensors do not fit the network ({fault}); the file is damaged or of "
                f"another one: {mend}"
            )
        state = {key: file.get_tensor(key) for key in wanted if key in found}
    for key, value in state.items():
        if value.is_floating_point():
            state[key] = value = value.to(torch.float32)
        if not torch.isfinite(value).all() or (key.endswith("running_var") and (value < 0).any()):
            raise InputError(
                f"{path}: {key} holds NaN, infinite or impossible values; the file is damaged: "
                f"{mend}"
            )
    return state


def _misfit(file: Any, found: set[str], wanted: dict[str, tuple[int, ...]]) -> str:
    """What does not fit, in a few words; empty if all does."""
    for key in sorted(found - wanted.keys()):
        return f"{key[:80]} is not of this network"
    for key, shape in wanted.items():
        if key not in found:
            if key.endswith(COUNT):
                continue
            return f"{key} is missing"
        entry = file.get_slice(key)
        if tuple(entry.get_shape()) != shape:
            return f"{key} has the shape {tuple(entry.get_shape())}, not {shape}"
        if entry.get_dtype() not in (_WHOLE if key.endswith(COUNT) else _FLOATS):
            return f"{key} has the type {entry.get_dtype()}"
    return ""
