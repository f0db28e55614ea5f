"""Metrics by name and the suites that group them, filled by the `metric` decorator.

Each metric is registered where it is defined; `mma_unet.metrics` imports every module of the room,
so that the tables here are complete. See also: `mma_unet.metrics.scoring`, which uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from torch import Tensor

__all__ = ["METRICS", "SUITES", "MetricFunction", "MetricSpec", "metric"]


class MetricFunction(Protocol):
    """What every metric looks like: three `(B,1,H,W)` batches in, `(B,)` out."""

    def __call__(self, fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = ...) -> Tensor:
        """Score a batch."""


@dataclass(frozen=True)
class MetricSpec:
    """What a table or a training loop must know about a metric.

    Attributes:
        name: The function's name, the key in `METRICS`.
        label: Column heading, the key in results; no two metrics share one.
        summary: One line on what it measures and in whose convention.
        function: `(fused, ir, vi, *, data_range) -> (B,)`.
        suites: Suites it belongs to, each with its place in their tables.
        min_size: Smallest height and width in pixels.
        higher_is_better: `None` where neither direction is better.
        ideal: The value that is best, for a metric that should neither rise nor fall.
        differentiable: Whether the gradient follows the value.
    """

    name: str
    label: str
    summary: str
    function: MetricFunction
    suites: Mapping[str, int] = field(default_factory=dict, hash=False)
    min_size: int = 1
    higher_is_better: bool | None = True
    ideal: float | None = None
    differentiable: bool = True

    @property
    def arrow(self) -> str:
        """Where better lies: up, down, at a value, or nowhere."""
        if self.ideal is not None:
            return f"→{self.ideal:g}"
        return {True: "↑", False: "↓", None: ""}[self.higher_is_better]


METRICS: dict[str, MetricSpec] = {}
"""All metrics by function name, canonical ones first."""

SUITES: dict[str, tuple[str, ...]] = {}
"""Named groups of metrics: the paper's five; CDDFuse's eight and VIFB's thirteen in their own
conventions; what the eye complains of; every metric in its canonical form; and everything."""

F = TypeVar("F", bound=MetricFunction)


def metric(
    label: str,
    summary: str,
    *,
    suites: Mapping[str, int] | None = None,
    min_size: int = 1,
    better: bool | None = True,
    ideal: float | None = None,
    smooth: bool = True,
) -> Callable[[F], F]:
    """Register the decorated function as a metric; see `MetricSpec` for the values."""

    def register(function: F) -> F:
        name = str(getattr(function, "__name__", label))
        if ideal is not None and better is not None:
            raise ValueError(f"{name}: a metric with an ideal has no better direction")
        METRICS[name] = MetricSpec(
            name, label, summary, function, suites or {}, min_size, better, ideal, smooth
        )
        return function

    return register


def fill_suites() -> None:
    """Put canonical metrics first, and build the suites from what was registered."""
    specs = sorted(METRICS.values(), key=lambda spec: spec.suites.get("canonical", len(METRICS)))
    METRICS.clear()
    METRICS.update({spec.name: spec for spec in specs})
    for suite in ("paper", "cddfuse", "vifb", "natural", "canonical"):
        members = [spec for spec in specs if suite in spec.suites]
        SUITES[suite] = tuple(spec.name for spec in sorted(members, key=lambda s: s.suites[suite]))
    SUITES["all"] = tuple(METRICS)
