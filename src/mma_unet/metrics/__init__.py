"""Fusion metrics: `(fused, ir, vi) -> (B,)` functions, suites, and scores of 8-bit images."""

from mma_unet.metrics.psnr import psnr
from mma_unet.metrics.qabf import qabf
from mma_unet.metrics.qcb import qcb
from mma_unet.metrics.registry import METRICS, SUITES, MetricSpec
from mma_unet.metrics.scoring import score, score_batch
from mma_unet.metrics.ssim import ssim
from mma_unet.metrics.vif import vif

__all__ = [
    "METRICS",
    "SUITES",
    "MetricSpec",
    "psnr",
    "qabf",
    "qcb",
    "score",
    "score_batch",
    "ssim",
    "vif",
]
