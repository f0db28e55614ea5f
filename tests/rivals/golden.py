"""The golden values of ../shared/peers: filled weights and what the authors' networks make of them.

The formulas are those of ../shared/peers/golden/README.md.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

Array = npt.NDArray[Any]

FACTORS = {"LRRNet": 0.5, "CDDFuse": 0.7, "TGFuse": 1.0, "DDFM_reduced": 1.0}


class Golden:
    """One file of golden values."""

    def __init__(self, folder: Path, name: str) -> None:
        if not (folder / f"{name}.json").is_file():
            pytest.skip("needs the golden values of ../shared/peers")
        self.about: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
        self.arrays = np.load(folder / f"{name}.npz")
        self._factor = FACTORS.get(name, 1.4142)

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])

    def state(self, *, hashed: bool) -> dict[str, Tensor]:
        """The fill of every parameter."""
        factor = self._factor if hashed else None
        shapes = sorted(self.about["state_dict"].items())
        return {key: _fill(key, shape, i, factor) for i, (key, shape) in enumerate(shapes)}


def _hash(count: int, place: int) -> Array:
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint64) + np.uint64(1 + 1000003 * (place + 1))
        z *= np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    fractions: Array = (z >> np.uint64(11)) / 2.0**53
    return fractions


def _fill(key: str, shape: list[int], place: int, factor: float | None) -> Tensor:
    count, last = math.prod(shape), key.split(".")[-1]
    a = np.arange(count, dtype=np.float64)
    if last == "num_batches_tracked":
        return torch.tensor(0)
    if last == "running_mean" or (last == "bias" and len(shape) == 1):
        values = 0.05 * np.sin(a + place)
    elif last == "running_var":
        values = 1 + 0.2 * np.sin(a + place) ** 2
    elif len(shape) > 1:
        spread = math.sqrt(count / shape[0])
        if factor is None:
            values = 0.5 * np.sin(0.731 * a + 0.1 * (1 + place)) / spread
        else:
            values = math.sqrt(3) * factor * (2 * _hash(count, place) - 1) / spread
    else:
        values = 1 + 0.1 * np.sin(a + place)
    values = np.abs(values) if last == "lamj" else values
    return torch.from_numpy(values.reshape(shape)).float()
