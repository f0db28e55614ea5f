"""Every metric by name, and the suites that group them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from mma_unet.metrics.psnr import psnr
from mma_unet.metrics.qabf import qabf
from mma_unet.metrics.qcb import qcb
from mma_unet.metrics.ssim import ssim
from mma_unet.metrics.vif import vif


class MetricFunction(Protocol):
    """What every metric looks like: three `(B,1,H,W)` batches in, `(B,)` out."""

    def __call__(self, fused: Tensor, ir: Tensor, vi: Tensor, *, data_range: float = ...) -> Tensor:
        """Score a batch."""


@dataclass(frozen=True)
class MetricSpec:
    """What a table or a training loop must know about a metric.

    Attributes:
        name: The function's name, the key in `METRICS`.
        label: Column heading, the key in results.
        function: `(fused, ir, vi, *, data_range) -> (B,)`.
        higher_is_better: `None` where neither direction is better.
        differentiable: Whether gradients follow the value.
        min_size: Smallest height and width in pixels.
        summary: One line on what it measures and in whose convention.
    """

    name: str
    label: str
    function: MetricFunction
    higher_is_better: bool | None
    differentiable: bool
    min_size: int
    summary: str


METRICS: dict[str, MetricSpec] = {
    s.name: s
    for s in (
        MetricSpec("vif", "VIF", vif, True, True, 41, "Visual information fidelity, mean of two."),
        MetricSpec("ssim", "SSIM", ssim, True, True, 11, "Structural similarity, mean of two."),
        MetricSpec("psnr", "PSNR", psnr, True, True, 1, "PSNR of the mean error."),
        MetricSpec("qabf", "Qabf", qabf, True, True, 3, "Edge information kept."),
        MetricSpec("qcb", "Qcb", qcb, True, True, 2, "Visible contrast kept."),
    )
}
SUITES: dict[str, tuple[str, ...]] = {"paper": ("vif", "ssim", "psnr", "qabf", "qcb")}
