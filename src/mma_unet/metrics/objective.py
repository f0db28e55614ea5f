"""Metrics as a training objective: those that are differentiable can be maximised directly."""

from __future__ import annotations

from collections.abc import Mapping

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
    """A weighted sum of metrics, to be minimised.

    `forward(fused, ir, vi)` takes `(B, 1, H, W)` images in [0, 1] and returns the batch means by
    the metrics' names, and under `"loss"` their sum with the weights, negated for metrics of which
    higher is better. The fused image is clipped with a gradient that passes straight through, so
    that a pixel outside the range is scored as it will be written and can still return.

    Args:
        weights: Weight by metric name, as in `mma_unet.metrics.METRICS`.

    Raises:
        InputError: If a metric is unknown or not differentiable.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        for name in weights:
            if name not in METRICS or not METRICS[name].differentiable:
                usable = ", ".join(key for key, spec in METRICS.items() if spec.differentiable)
                raise InputError(f"metric {name!r} cannot be optimised; use {usable}")
        self.weights = dict(weights)

    def forward(self, fused: Tensor, ir: Tensor, vi: Tensor) -> dict[str, Tensor]:
        """Score a batch."""
        loss = fused.new_zeros(())
        values: dict[str, Tensor] = {}
        textured = torch.minimum(_span(ir), _span(vi)) > _FLAT
        textured &= _span(fused.detach().clamp(0, 1)) > 0
        if self.weights and textured.any():
            fused, ir, vi = (image[textured] for image in (fused, ir, vi))
            clipped = fused + (fused.clamp(0, 1) - fused).detach()
            if clipped.requires_grad:
                limit = _SHARE * sum(map(abs, self.weights.values())) / clipped.numel()
                clipped.register_hook(  # type: ignore[no-untyped-call]
                    lambda gradient: gradient.clamp(-limit, limit)
                )
            for name, weight in self.weights.items():
                spec = METRICS[name]
                values[name] = spec.function(clipped, ir, vi, data_range=1.0).mean()
                loss = loss - (weight if spec.higher_is_better else -weight) * values[name]
        return {"loss": loss, **values}


def _span(image: Tensor) -> Tensor:
    flat = image.flatten(1)
    return flat.amax(dim=1) - flat.amin(dim=1)
