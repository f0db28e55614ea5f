"""The tables of `docs/metrics.md` that come from numbers, not from words.

    python scripts/metric_tables.py [--results DIR] [--shared DIR]

1. What each canonical metric gives for constant images.
2. How far each other convention is from the canonical one: median and largest over the cases.
   -> `metric_differences.csv`
3. How closely the golden values are met in float64, and how far float32 is from float64.
   -> `metric_errors.csv`

The synthetic cases are always used. With the shared folder (`MMA_UNET_SHARED`, or `shared` beside
the repository) the real cases are, too; without it both files say in their column "cases" that
they rest on fewer.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from mma_unet.metrics import METRICS, SUITES
from mma_unet.tables import markdown, write_rows

ROOT = Path(__file__).resolve().parents[1]

ALTERNATES: dict[str, tuple[str, float, float]] = {
    # name: (canonical, factor on the value, offset), so that a sum is halved before it is compared
    "vif_sum_uint8": ("vif_sum", 1.0, 0.0),
    "vif_zoo": ("vif_sum", 1.0, 0.0),
    "ssim_matlab": ("ssim", 1.0, 0.0),
    "ssim_cdd": ("ssim", 0.5, 0.0),
    "ssim_eval_l1": ("ssim", 1.0, 0.0),
    "ssim_uniform7_l1": ("ssim", 0.5, 0.0),
    "ssim_uniform7_l255": ("ssim", 0.5, 0.0),
    "ssim_zoo": ("ssim", 0.5, 0.0),
    "ms_ssim_zoo": ("ms_ssim", 0.5, 0.0),
    "psnr_maxf": ("psnr", 1.0, 0.0),
    "psnr_mean": ("psnr", 1.0, 0.0),
    "psnr_evalrepo": ("psnr", 1.0, 0.0),
    "psnr_vifb": ("psnr", 1.0, 0.0),
    "qabf_unit": ("qabf", 1.0, 0.0),
    "qg_zliu": ("qabf", 1.0, 0.0),
    "qcb_uint8": ("qcb", 1.0, 0.0),
    "qcb_zoo": ("qcb", 1.0, 0.0),
    "mi_nats": ("mi", 1 / math.log(2), 0.0),
    "mi_evalrepo": ("mi", 1.0, 0.0),
    "mi_vifb": ("mi", 1 / math.log(2), 0.0),
    "nmi_zoo": ("qmi", 1.0, 0.0),
    "qncie_zoo": ("qncie", 1.0, 0.0),
    "sd_uint8": ("sd", 1.0, 0.0),
    "vifb_sf": ("sf", 1.0, 0.0),
    "ag_matlab": ("ag", 1.0, 0.0),
    "ei_zoo": ("ei", 1.0, 0.0),
    "nabf_misordered": ("nabf", 1.0, 0.0),
    "nabf_unit": ("nabf", 1.0, 0.0),
    "nabf_zoo": ("nabf", 1.0, 0.0),
    "qy_zoo": ("qy", 1.0, 0.0),
}

GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("VIF", "1e-8", ("vif", "vif_ir", "vif_vi", "vif_sum")),
    ("SSIM", "1e-11", ("ssim", "ssim_ir", "ssim_vi", "ssim_sum_vifb", "ssim_matlab")),
    ("PSNR and kin", "1e-10", ("psnr", "psnr_mean", "psnr_maxf", "psnr_evalrepo", "psnr_vifb")),
    ("Qabf", "1e-12", ("qabf",)),
    ("Qcb", "1e-9 (1e-7 on S08)", ("qcb",)),
    ("EN, SD, SF, AG, EI, CC, SCD", "1e-10", ("en", "sd", "sf", "ag", "ei", "cc", "scd")),
    ("MSE, RMSE", "1e-10", ("mse", "mse_unit", "rmse", "rmse_vifb")),
    (
        "MI and kin, Qmi, Qncie, Qte, CE",
        "1e-10",
        ("mi", "mi_nats", "mi_evalrepo", "mi_vifb", "qmi", "qncie", "qte", "ce"),
    ),
    ("Nabf", "1e-12", ("nabf", "nabf_misordered", "nabf_zoo")),
    ("VIFF", "1e-8", ("viff",)),
    ("MS-SSIM", "no exact row", ("ms_ssim",)),
    ("Qs, Qw, Qe", "1e-9", ("qs", "qw", "qe", "qw_edges")),
    ("Qy, Qc", "1e-6 relative", ("qy", "qc")),
    ("Qcv", "1e-6 relative", ("qcv",)),
    ("Qp", "1e-6 relative", ("qp",)),
    ("Qsf", "1e-10", ("qsf",)),
    ("FMI", "1e-10", ("fmi", "fmi_pixel")),
    ("FMI of cosine coefficients", "1e-10", ("fmi_dct",)),
)
EXACT = 2e-8
"""References met more loosely than this compute in float32, or slightly otherwise."""

SMALL_ONLY = 64_000
"""FMI works on 81 numbers for each pixel: it is measured on images of fewer pixels than this."""


def triples(side: int) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Images that hold nothing, as fused image and as sources, `(1,1,side,side)` on 0..255."""

    def texture(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.randint(0, 256, (1, 1, side // 4, side // 4), generator=generator).double()
        return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear").round()

    fused, ir, vi = (texture(seed) for seed in range(3))
    gray, black = torch.full_like(fused, 128.0), torch.zeros_like(fused)
    return {
        "F gray": (gray, ir, vi),
        "F black": (black, ir, vi),
        "I gray": (fused, gray, vi),
        "V gray": (fused, ir, gray),
        "I black": (fused, black, vi),
        "V black": (fused, ir, black),
        "both gray": (fused, gray, gray),
        "both black": (fused, black, black),
        "all gray": (gray, gray, gray),
        "all black": (black, black, black),
    }


def constants() -> list[list[str]]:
    """What each canonical metric gives for `triples`."""
    images = triples(176)
    rows = [["metric", *images]]
    for name in SUITES["canonical"]:
        spec = METRICS[name]
        values = [spec.function(*each, data_range=255.0).item() for each in images.values()]
        rows.append([spec.label, *(_short(value) for value in values)])
    return rows


def _short(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if abs(value) < 1e-5:  # rounding, or a guard against division by zero
        return "0"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


@cache
def value(name: str, case: str, precision: str = "float64") -> float:
    """One of our metrics on a case; NaN where the images are too small for it."""
    from tests.metrics.cases import tensors

    spec = METRICS[name]
    images = tensors(case, getattr(torch, precision))
    if min(images[0].shape[-2:]) < spec.min_size:
        return math.nan
    if name.startswith("fmi") and images[0].numel() > SMALL_ONLY:
        return math.nan
    return float(spec.function(*images, data_range=255.0))


def differences(cases: list[str]) -> list[dict[str, object]]:
    """How far each alternate is from its canonical metric."""
    rows: list[dict[str, object]] = []
    for name, (canonical, factor, offset) in ALTERNATES.items():
        found = {}
        for case in cases:
            pair = value(name, case), value(canonical, case)
            if all(map(math.isfinite, pair)):
                found[case] = factor * pair[0] + offset - pair[1]
        far = max(found, key=lambda case: abs(found[case]))
        values = [value(name, case) for case in found]
        rows.append(
            {
                "metric": name,
                "canonical": canonical,
                "factor": f"{factor:.6g}",
                "cases": len(found),
                "median_abs": statistics.median(map(abs, found.values())),
                "largest_abs": abs(found[far]),
                "largest_in": far,
                "lowest": min(found.values()),
                "highest": max(found.values()),
                "values_from": min(values),
                "values_to": max(values),
            }
        )
    return rows


def errors(golden: list[tuple[str, str, float]], cases: list[str]) -> list[dict[str, object]]:
    """Largest error against each golden name, and of float32 against float64 for each metric."""
    from tests.metrics.coverage import COVERED, reason_not_covered

    rows: list[dict[str, object]] = []
    for metric, cover in COVERED.items():
        off = {
            case: abs(value(cover.name, case) - expected)
            for case, name, expected in golden
            if name == metric and reason_not_covered(metric, case) is None
        }
        rows.append(_largest(f"golden {metric}", cover.name, off, cover.absolute, cover.relative))
    for name in METRICS:
        off = {case: abs(value(name, case, "float32") - value(name, case)) for case in cases}
        rows.append(_largest("float32", name, off, math.nan, math.nan))
    return rows


def _largest(
    against: str, name: str, off: dict[str, float], absolute: float, relative: float
) -> dict[str, object]:
    known = {case: error for case, error in off.items() if math.isfinite(error)}
    far = max(known, key=lambda case: known[case], default="")
    return {
        "metric": name,
        "against": against,
        "rows": len(known),
        "allowed": "" if math.isnan(absolute) else absolute,
        "allowed_relative": "" if math.isnan(relative) else relative,
        "largest": known.get(far, math.nan),
        "largest_in": far,
        "largest_without_S08": max(
            (e for case, e in known.items() if not case.startswith("S08")), default=math.nan
        ),
    }


def group_rows(found: list[dict[str, object]]) -> list[list[str]]:
    """The table of `docs/metrics.md`: metrics in groups."""
    rows = [["metric", "tolerance", "largest error in float64", "of float32 against float64"]]
    for title, tolerance, names in GROUPS:
        cells = []
        for single in (False, True):
            chosen = [
                row
                for row in found
                if row["metric"] in names
                and (row["against"] == "float32") is single
                and (single or float(str(row["allowed"])) <= EXACT)
                and not math.isnan(float(str(row["largest"])))
            ]
            cells.append(_cell(chosen))
        rows.append([title, tolerance, *cells])
    return rows


def _cell(rows: list[dict[str, object]]) -> str:
    if not rows:
        return ""
    worst, rest = (
        max(float(str(row[key])) for row in rows) for key in ("largest", "largest_without_S08")
    )
    return f"{rest:.1e} ({worst:.1e} on S08)" if worst > 3 * rest else f"{worst:.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--shared", type=Path, help="instead of MMA_UNET_SHARED")
    options = parser.parse_args()
    if options.shared:
        os.environ["MMA_UNET_SHARED"] = str(options.shared)
    sys.path.insert(0, str(ROOT))
    from tests.metrics.cases import HERE, SHARED, SYNTHETIC, read_golden

    whole = SHARED / "golden.csv"
    golden = read_golden(whole if whole.is_file() else HERE / "golden_synthetic.csv")
    cases = sorted({case for case, _, _ in golden})
    real = len(set(cases) - set(SYNTHETIC))
    print(f"{len(cases)} cases: {len(cases) - real} synthetic, {real} real\n")

    with torch.no_grad():
        head, *body = constants()
        print(markdown(head, body, left=len(head)) + "\n")
        apart = differences(cases)
        write_rows(options.results / "metric_differences.csv", apart, digits=6)
        keys = ["metric", "canonical", "factor", "cases", "median_abs", "largest_abs"]
        keys += ["lowest", "highest", "values_from", "values_to"]
        cells = [
            [f"{row[k]:.3g}" if isinstance(row[k], float) else str(row[k]) for k in keys]
            for row in apart
        ]
        print(markdown(keys, cells, left=len(keys)) + "\n")
        found = errors(golden, cases)
        write_rows(options.results / "metric_errors.csv", found, digits=6)
        head, *body = group_rows(found)
        print(markdown(head, body, left=len(head)))


if __name__ == "__main__":
    main()
