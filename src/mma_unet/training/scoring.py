"""Scoring a model on whole pairs, for the card that travels with its weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mma_unet.data import Pair, PairedImages
from mma_unet.data.datasets import gray_image
from mma_unet.metrics import score
from mma_unet.models import MMAUNet

__all__ = ["score_model"]


def score_model(model: MMAUNet, pairs: Sequence[Pair], suite: str = "paper") -> dict[str, float]:
    """Mean metrics of the fused luminance over whole pairs, as 8-bit images.

    Args:
        model: The network; it is used on its own device, in evaluation mode.
        pairs: Pairs of files.
        suite: A suite of `mma_unet.metrics`.

    Returns:
        Mean by metric, rounded to four digits, and the number of pairs under `"pairs"`.
    """
    device = next(model.parameters()).device
    channels = model.config.in_channels
    rows: list[dict[str, float]] = []
    model.eval()
    for item in PairedImages(pairs, channels=1):
        ir, vi = (item[key][None].to(device) for key in ("ir", "vi"))
        with torch.inference_mode():
            fused = model.forward_padded(
                ir.expand(-1, channels, -1, -1), vi.expand(-1, channels, -1, -1)
            ).mean(dim=1)
        gray = [gray_image(image) for image in (fused, ir, vi)]
        rows.append(score(gray[0], gray[1], gray[2], suite=suite))
    return {"pairs": len(rows), **{key: _mean([row[key] for row in rows]) for key in rows[0]}}


def _mean(values: Sequence[float]) -> float:
    """Mean of what can be measured, NaN if nothing can."""
    known = np.array(values)[~np.isnan(values)]
    return round(float(known.mean()), 4) if known.size else float("nan")
