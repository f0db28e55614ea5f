"""Every metric by name, and the suites that group them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

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
        function: `(fused, ir, vi, *, data_range) -> (B,)`.
        higher_is_better: `None` where neither direction is better.
        differentiable: Whether the gradient follows the value.
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


def _spec(
    function: Callable[..., Tensor],
    label: str,
    summary: str,
    *,
    min_size: int = 1,
    better: bool | None = True,
    smooth: bool = True,
) -> MetricSpec:
    return MetricSpec(function.__name__, label, function, better, smooth, min_size, summary)


# Canonical metrics first, in the order tables show them.
_CANONICAL = (
    _spec(vif, "VIF", "Visual information fidelity (VIFp), mean of two", min_size=41),
    _spec(ssim, "SSIM", "Structural similarity, Gaussian window, mean of two", min_size=11),
    _spec(psnr, "PSNR", "10 log10(255^2 / averaged MSE), decibel"),
    _spec(qabf, "Qabf", "Edge strength and direction kept (Xydeas-Petrovic)", min_size=3),
    _spec(qcb, "Qcb", "Visible contrast kept (Chen-Blum)", min_size=2),
    _spec(en, "EN", "Entropy of the fused image, bits", smooth=False),
    _spec(sd, "SD", "Standard deviation of the fused image, gray levels"),
    _spec(sf, "SF", "Spatial frequency of the fused image, gray levels", min_size=2),
    _spec(ag, "AG", "Average gradient of the fused image, gray levels", min_size=2),
    _spec(ei, "EI", "Edge intensity of the fused image, gray levels"),
    _spec(mi, "MI", "Mutual information, bits, sum of two", smooth=False),
    _spec(cc, "CC", "Pearson correlation, mean of two"),
    _spec(scd, "SCD", "Sum of the correlations of differences"),
    _spec(nabf, "Nabf", "Share of edges neither source has", min_size=3, better=False),
    _spec(ms_ssim, "MS-SSIM", "Wang's five-scale SSIM, mean of two", min_size=161),
    _spec(viff, "VIFF", "Visual information fidelity for fusion (Han)", min_size=41),
    _spec(fmi, "FMI", "Feature mutual information of gradients", min_size=3, smooth=False),
    _spec(qs, "Qs", "SSIM mixed by local variance (Piella)", min_size=11),
    _spec(qw, "Qw", "Qs weighted by local variance (Piella)", min_size=11),
    _spec(qe, "Qe", "Qw of the images times Qw of their edges (Piella)", min_size=11),
    _spec(qcv, "Qcv", "Perceived error by region (Chen-Varshney)", min_size=3, better=False),
    _spec(qmi, "Qmi", "Normalized mutual information (Hossny)", smooth=False),
    _spec(qncie, "Qncie", "Nonlinear correlation entropy (Wang)", smooth=False),
    _spec(qy, "Qy", "SSIM mixed or chosen by agreement (Yang)", min_size=11, smooth=False),
    _spec(qp, "Qp", "Phase congruency kept (Zhao)", min_size=11, smooth=False),
    _spec(qc, "Qc", "SSIM mixed by covariance (Cvejic)", min_size=11, smooth=False),
    _spec(qte, "Qte", "Tsallis mutual information (Nava)", smooth=False),
    _spec(qsf, "Qsf", "Relative spatial frequency, best 0 (Zheng)", min_size=2, better=None),
    _spec(ce, "CE", "Cross entropy, bits (VIFB)", better=False, smooth=False),
    _spec(mse, "MSE", "Mean squared error, gray levels squared, mean of two", better=False),
    _spec(rmse, "RMSE", "Root of MSE, gray levels", better=False),
)

# Other conventions of the same metrics, as found in published tables.
_ALTERNATES = (
    _spec(vif_sum, "VIF_sum", "2 x VIF: CDDFuse, Evaluation-for-Image-Fusion", min_size=41),
    _spec(vif_ir, "VIF_ir", "The infrared half of VIF", min_size=41),
    _spec(vif_vi, "VIF_vi", "The visible half of VIF", min_size=41),
    _spec(
        vif_sum_uint8,
        "VIF_sum_uint8",
        "VIF_sum with the 8-bit overflow of Metric_TNO.xlsx",
        min_size=41,
    ),
    _spec(vif_zoo, "VIF_zoo", "IVIF_ZOO: zero border, shifted window, sum", min_size=16),
    _spec(ssim_ir, "SSIM_ir", "The infrared half of SSIM", min_size=11),
    _spec(ssim_vi, "SSIM_vi", "The visible half of SSIM", min_size=11),
    _spec(ssim_sum_vifb, "SSIM_sum", "2 x SSIM: VIFB", min_size=11),
    _spec(ssim_matlab, "SSIM_matlab", "MATLAB ssim with range 255, mean of two"),
    _spec(ssim_eval_l1, "SSIM_L1", "MATLAB ssim with range 1: Evaluation-for-Image-Fusion"),
    _spec(ssim_cdd, "SSIM_cdd", "CDDFuse: 7x7 window, range 2, sum", min_size=7),
    _spec(ssim_uniform7_l1, "SSIM_u7_L1", "7x7 window, range 1, sum", min_size=7),
    _spec(ssim_uniform7_l255, "SSIM_u7_L255", "7x7 window, range 255, sum", min_size=7),
    _spec(ssim_zoo, "SSIM_zoo", "IVIF_ZOO: range 1, sum", min_size=11),
    _spec(ms_ssim_zoo, "MS-SSIM_zoo", "IVIF_ZOO: range 1, sum", min_size=161),
    _spec(psnr_maxf, "PSNR_maxF", "CDDFuse: peak is the fused maximum"),
    _spec(psnr_mean, "PSNR_mean", "Mean of the two PSNRs"),
    _spec(psnr_evalrepo, "PSNR_eval", "PSNR + 48.13: Evaluation-for-Image-Fusion, IVIF_ZOO"),
    _spec(psnr_vifb, "PSNR_vifb", "VIFB: sqrt(sum of squares) / pixels for the MSE"),
    _spec(mse_unit, "MSE_unit", "MSE on 0..1: Evaluation-for-Image-Fusion", better=False),
    _spec(rmse_vifb, "RMSE_vifb", "VIFB: sqrt(sum of squares) / pixels", better=False),
    _spec(qabf_unit, "Qabf_unit", "Qabf of 0..1 images; ties by rounding", min_size=3),
    _spec(qg_zliu, "QG", "Z. Liu's Q_G: other constants, mean of ratios", min_size=3),
    _spec(qcb_uint8, "Qcb_uint8", "Qcb from 8-bit files in MATLAB", min_size=2),
    _spec(qcb_zoo, "Qcb_zoo", "IVIF_ZOO: half the frequencies, no rounding", min_size=2),
    _spec(mi_nats, "MI_nats", "MI in nats: CDDFuse", smooth=False),
    _spec(
        mi_evalrepo,
        "MI_eval",
        "MI with 254 and 255 merged: Evaluation-for-Image-Fusion",
        smooth=False,
    ),
    _spec(mi_vifb, "MI_vifb", "VIFB: stretched, nats", smooth=False),
    _spec(nmi_zoo, "NMI_zoo", "IVIF_ZOO: 2 MI / (H(ir) + H(vi))", smooth=False),
    _spec(qncie_zoo, "Qncie_zoo", "IVIF_ZOO: Pearson in Qncie", smooth=False),
    _spec(sd_uint8, "SD_uint8", "SD with the 8-bit overflow of Metric_TNO.xlsx", smooth=False),
    _spec(sf_unit, "SF_unit", "SF / 255: Evaluation-for-Image-Fusion", min_size=2),
    _spec(vifb_sf, "SF_vifb", "VIFB: sums over the number of pixels", min_size=2),
    _spec(ag_matlab, "AG_matlab", "Sum over (H-1)(W-1): VIFB and others", min_size=2),
    _spec(ei_zoo, "EI_zoo", "IVIF_ZOO: zero border"),
    _spec(
        nabf_misordered,
        "Nabf_misordered",
        "Nabf with arguments mixed up: Evaluation-for-Image-Fusion",
        min_size=3,
        better=None,
    ),
    _spec(nabf_unit, "Nabf_unit", "Nabf of 0..1 images", min_size=3, better=False),
    _spec(nabf_zoo, "Nabf_zoo", "IVIF_ZOO: weak edges left out", min_size=3, better=False),
    _spec(fmi_pixel, "FMI_pixel", "FMI of gray values", min_size=3, smooth=False),
    _spec(fmi_dct, "FMI_dct", "FMI of cosine coefficients", min_size=3, smooth=False),
    _spec(qw_edges, "Qw_edges", "Qw of Prewitt edges", min_size=11),
    _spec(qy_zoo, "Qy_zoo", "IVIF_ZOO: other window and constants", min_size=11, smooth=False),
)

METRICS: dict[str, MetricSpec] = {spec.name: spec for spec in (*_CANONICAL, *_ALTERNATES)}
"""All metrics by function name, canonical ones first."""

SUITES: dict[str, tuple[str, ...]] = {
    "paper": ("vif", "ssim", "psnr", "qabf", "qcb"),
    "cddfuse": ("en", "sd", "sf", "mi_nats", "scd", "vif_sum", "qabf", "ssim_cdd"),
    "vifb": (
        "ce",
        "en",
        "mi_vifb",
        "psnr_vifb",
        "ag_matlab",
        "ei",
        "qabf",
        "sd",
        "vifb_sf",
        "rmse_vifb",
        "ssim_sum_vifb",
        "qcb",
        "qcv",
    ),
    "canonical": tuple(spec.name for spec in _CANONICAL),
    "all": tuple(METRICS),
}
"""Named groups of metrics: the paper's five; CDDFuse's eight and VIFB's thirteen in their own
conventions; every metric in its canonical form; and everything."""
