"""Metrics as a training objective: those that are differentiable can be maximized directly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from mma_unet.errors import InputError
from mma_unet.metrics.registry import METRICS

__all__ = ["MetricObjective"]

_FLAT = 4 / 255
"""Crops of which a source spans less than this, or the fused image nothing at all, are left out:
some metrics are undefined on constants."""

_SHARE = 10.0
"""No pixel may pull harder than this many times its share of the mean. Qcb divides by the local
brightness, so in the dark single pixels have gradients thousands of times the usual."""


class MetricObjective(nn.Module):
    """A weighted sum of metrics, to be minimized.

    `forward(fused, ir, vi)` takes `(B, 1, H, W)` images in [0, 1] and returns the batch means by
    the metrics' names, and under `"loss"` their sum with the weights, negated for metrics of which
    higher is better. The fused image is clipped, so that a pixel outside the range is scored as it
    will be written; its gradient may pull it back into the range but not further out.

    Args:
        weights: Weight by metric name, as in `mma_unet.metrics.METRICS`.

    Raises:
        InputError: If a metric is unknown, not differentiable, or better in neither direction.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        usable = [
            name
            for name, spec in METRICS.items()
            if spec.differentiable and spec.higher_is_better is not None
        ]
        for name in weights:
            if name not in usable:
                raise InputError(f"metric {name!r} cannot be optimized; use {', '.join(usable)}")
        self.weights = dict(weights)

    def forward(self, fused: Tensor, ir: Tensor, vi: Tensor) -> dict[str, Tensor]:
        """Score a batch."""
        loss = fused[:0].sum()  # 0, with a graph even if every crop is left out.
        values: dict[str, Tensor] = {}
        textured = torch.minimum(_span(ir), _span(vi)) > _FLAT
        textured &= _span(fused.detach().clamp(0, 1)) > 0
        if self.weights and textured.any():
            fused, ir, vi = (image[textured] for image in (fused, ir, vi))
            clipped = fused + (fused.clamp(0, 1) - fused).detach()
            if clipped.requires_grad:
                share = sum(map(abs, self.weights.values())) / clipped.numel()
                hook = partial(_tame, fused.detach(), _SHARE * share)
                clipped.register_hook(hook)  # type: ignore[no-untyped-call]
            for name, weight in self.weights.items():
                spec = METRICS[name]
                values[name] = spec.function(clipped, ir, vi, data_range=1.0).mean()
                loss = loss - (weight if spec.higher_is_better else -weight) * values[name]
        return {"loss": loss, **values}


def _tame(fused: Tensor, limit: float, gradient: Tensor) -> Tensor:
    """Bound the gradient of each pixel, and drop what would push it further out of [0, 1]."""
    outward = ((fused < 0) & (gradient > 0)) | ((fused > 1) & (gradient < 0))
    return gradient.clamp(-limit, limit).masked_fill(outward, 0.0)


def _span(image: Tensor) -> Tensor:
    flat = image.flatten(1)
    return flat.amax(dim=1) - flat.amin(dim=1)
