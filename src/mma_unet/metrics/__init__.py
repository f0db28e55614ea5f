"""Fusion metrics: `(fused, ir, vi) -> (B,)` functions, suites, and scores of 8-bit images.

`score` is the door for image files, `score_batch` for tensors, `metric_collection` for loops that
accumulate; every metric is also a plain function, usable as a loss where it is differentiable.
Definitions, conventions and their differences: `docs/metrics.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mma_unet.metrics.correlation import cc, scd
from mma_unet.metrics.detail import (
    ag,
    ag_matlab,
    ei,
    ei_zoo,
    qsf,
    sd,
    sd_uint8,
    sf,
    sf_unit,
    vifb_sf,
)
from mma_unet.metrics.fmi import fmi, fmi_dct, fmi_pixel
from mma_unet.metrics.information import (
    ce,
    en,
    mi,
    mi_evalrepo,
    mi_nats,
    mi_vifb,
    nmi_zoo,
    qmi,
    qncie,
    qncie_zoo,
    qte,
)
from mma_unet.metrics.ms_ssim import ms_ssim, ms_ssim_zoo
from mma_unet.metrics.nabf import nabf, nabf_misordered, nabf_unit, nabf_zoo
from mma_unet.metrics.phase import qp
from mma_unet.metrics.piella import qe, qs, qw, qw_edges
from mma_unet.metrics.psnr import (
    mse,
    mse_unit,
    psnr,
    psnr_evalrepo,
    psnr_maxf,
    psnr_mean,
    psnr_vifb,
    rmse,
    rmse_vifb,
)
from mma_unet.metrics.qabf import qabf, qabf_unit, qg_zliu
from mma_unet.metrics.qcb import qcb, qcb_uint8, qcb_zoo
from mma_unet.metrics.qcv import qcv
from mma_unet.metrics.registry import METRICS, SUITES, MetricFunction, MetricSpec
from mma_unet.metrics.scoring import score, score_batch
from mma_unet.metrics.ssim import (
    ssim,
    ssim_cdd,
    ssim_eval_l1,
    ssim_ir,
    ssim_matlab,
    ssim_sum_vifb,
    ssim_uniform7_l1,
    ssim_uniform7_l255,
    ssim_vi,
    ssim_zoo,
)
from mma_unet.metrics.vif import vif, vif_ir, vif_sum, vif_sum_uint8, vif_vi, vif_zoo
from mma_unet.metrics.viff import viff
from mma_unet.metrics.yang import qc, qy, qy_zoo

if TYPE_CHECKING:
    from mma_unet.metrics.accumulate import FusionMetric, metric_collection

__all__ = [
    "METRICS",
    "SUITES",
    "FusionMetric",
    "MetricFunction",
    "MetricSpec",
    "ag",
    "ag_matlab",
    "cc",
    "ce",
    "ei",
    "ei_zoo",
    "en",
    "fmi",
    "fmi_dct",
    "fmi_pixel",
    "metric_collection",
    "mi",
    "mi_evalrepo",
    "mi_nats",
    "mi_vifb",
    "ms_ssim",
    "ms_ssim_zoo",
    "mse",
    "mse_unit",
    "nabf",
    "nabf_misordered",
    "nabf_unit",
    "nabf_zoo",
    "nmi_zoo",
    "psnr",
    "psnr_evalrepo",
    "psnr_maxf",
    "psnr_mean",
    "psnr_vifb",
    "qabf",
    "qabf_unit",
    "qc",
    "qcb",
    "qcb_uint8",
    "qcb_zoo",
    "qcv",
    "qe",
    "qg_zliu",
    "qmi",
    "qncie",
    "qncie_zoo",
    "qp",
    "qs",
    "qsf",
    "qte",
    "qw",
    "qw_edges",
    "qy",
    "qy_zoo",
    "rmse",
    "rmse_vifb",
    "scd",
    "score",
    "score_batch",
    "sd",
    "sd_uint8",
    "sf",
    "sf_unit",
    "ssim",
    "ssim_cdd",
    "ssim_eval_l1",
    "ssim_ir",
    "ssim_matlab",
    "ssim_sum_vifb",
    "ssim_uniform7_l1",
    "ssim_uniform7_l255",
    "ssim_vi",
    "ssim_zoo",
    "vif",
    "vif_ir",
    "vif_sum",
    "vif_sum_uint8",
    "vif_vi",
    "vif_zoo",
    "vifb_sf",
    "viff",
]


def __getattr__(name: str) -> Any:
    """Import torchmetrics only for those who accumulate."""
    if name in ("FusionMetric", "metric_collection"):
        from mma_unet.metrics import accumulate

        return getattr(accumulate, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
