"""The rate of matrix products that this machine reaches, beside which a network's is judged.

See also `mma_unet.speed.worker`, which measures it in a process of its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["peak_rates"]


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
