"""Fusion metrics: `(fused, ir, vi) -> (B,)` functions, suites, and scores of 8-bit images.

`score` is the door for image files, `score_batch` for tensors, `metric_collection` for loops that
accumulate; every metric is also a plain function, usable as a loss where it is differentiable.
Definitions, conventions and their differences: `docs/metrics.md`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from mma_unet.metrics.registry import METRICS, SUITES, MetricFunction, MetricSpec, fill_suites
from mma_unet.metrics.scoring import score, score_batch

_NO_METRICS = ("accumulate", "objective")
_LAZY = ("FusionMetric", "metric_collection")

for _module in iter_modules(__path__):
    if not _module.name.startswith("_") and _module.name not in _NO_METRICS:
        import_module(f"{__name__}.{_module.name}")
fill_suites()
globals().update({name: spec.function for name, spec in METRICS.items()})

__all__ = [
    "METRICS",
    "SUITES",
    "MetricFunction",
    "MetricSpec",
    "score",
    "score_batch",
    *_LAZY,
    *METRICS,
]


def __getattr__(name: str) -> Any:
    """Import torchmetrics only for those who accumulate."""
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.accumulate"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
