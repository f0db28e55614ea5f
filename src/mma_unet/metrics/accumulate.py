"""Metrics that accumulate over a data set and across processes, for torchmetrics users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from mma_unet.metrics.scoring import suite_specs, values_of


class FusionMetric(Metric):
    """The mean of one fusion metric over all images seen, in any number of processes.

    Images for which the metric is not defined (NaN, or too small for it) are left out of the mean
    and counted in `undefined`; when nothing is left the mean is NaN. Infinite values stay in.

    Args:
        name: A key of `METRICS`, or a label.
        data_range: What white is in the images: 1.0 or 255.0.
        **kwargs: Passed on to `torchmetrics.Metric`.

    Raises:
        InputError: There is no such metric.

    Example:
        >>> metric = FusionMetric("psnr")
        >>> black, white = torch.zeros(2, 1, 8, 8), torch.ones(2, 1, 8, 8)
        >>> metric.update(black, black, white)
        >>> round(metric.compute().item(), 4)
        3.0103
    """

    full_state_update = False
    total: Tensor
    count: Tensor
    undefined: Tensor

    def __init__(self, name: str, *, data_range: float = 1.0, **kwargs: Any) -> None:
        self._spec = suite_specs((name,))[0]
        self._data_range = data_range
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("undefined", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """Whether a higher value is better; `None` where neither is."""
        return self._spec.higher_is_better

    @property
    def is_differentiable(self) -> bool:  # type: ignore[override]
        """Whether the gradient follows the value."""
        return self._spec.differentiable

    def update(self, fused: Tensor, ir: Tensor, vi: Tensor) -> None:
        """Add a batch of `(B,1,H,W)` images."""
        values = values_of(self._spec, fused, ir, vi, self._data_range)
        defined = ~torch.isnan(values)
        self.total = self.total + values[defined].double().sum()
        self.count = self.count + defined.sum()
        self.undefined = self.undefined + (~defined).sum()

    def compute(self) -> Tensor:
        """Mean over the images for which the metric is defined."""
        return self.total / self.count


def metric_collection(
    suite: str | Iterable[str] = "paper", *, data_range: float = 1.0
) -> MetricCollection:
    """A suite as a `torchmetrics.MetricCollection`, keyed by label.

    Args:
        suite: A key of `SUITES`, the name or label of one metric, or several of them.
        data_range: What white is in the images: 1.0 or 255.0.

    Returns:
        Collection whose `update(fused, ir, vi)` takes `(B,1,H,W)` batches.

    Raises:
        InputError: There is no such suite or metric.

    Example:
        >>> sorted(metric_collection("paper"))
        ['PSNR', 'Qabf', 'Qcb', 'SSIM', 'VIF']
    """
    metrics: dict[str, Metric | MetricCollection] = {
        spec.label: FusionMetric(spec.name, data_range=data_range) for spec in suite_specs(suite)
    }
    # Groups would merge metrics whose first values happen to agree.
    return MetricCollection(metrics, compute_groups=False)
