"""Seconds per 480x640 triple for the paper's five metrics: ours against the public packages.

    python scripts/bench_metrics.py [--repeats 15] [--threads 1 2] [--out results/metrics_speed.csv]

What it prints is the section "Speed" of `docs/metrics.md`, from the line "Machine" on.

The triple is the synthetic case S11 of the golden values. "both" means that the figure is for both
sources, as a fused image needs it. Wall-clock time is what a user waits; process CPU time is what
the work costs and stays meaningful on a machine that does other things at the same time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mma_unet import machine
from mma_unet.tables import markdown, write_table

ROOT = Path(__file__).resolve().parents[1]


def stub_torchvision() -> None:
    """Stand in for torchvision, which piq imports for networks that are not used here."""

    class Stub(types.ModuleType):
        def __getattr__(self, name: str) -> object:
            if name.startswith("__"):
                raise AttributeError(name)
            return object if name[0].isupper() else Stub(name)

    for name in ("torchvision", "torchvision.models", "torchvision.transforms"):
        sys.modules.setdefault(name, Stub(name))


def speed_case() -> tuple[Tensor, Tensor, Tensor]:
    """Fused, infrared and visible image of case S11, `(1,1,480,640)` float64 on 0..255."""
    sys.path.insert(0, str(ROOT))
    from tests.metrics.cases import tensors

    return tensors("S11_speed_480x640")


def candidates(
    fused: Tensor, ir: Tensor, vi: Tensor
) -> list[tuple[str, str, str, Callable[[], float]]]:
    """Metric, implementation, precision and the call that measures it."""
    from mma_unet.metrics import METRICS, SUITES

    listed: list[tuple[str, str, str, Callable[[], float]]] = []
    for name in SUITES["paper"]:
        spec = METRICS[name]
        for dtype in (torch.float64, torch.float32):
            images = [image.to(dtype) for image in (fused, ir, vi)]
            listed.append(
                (
                    spec.label,
                    "mma_unet",
                    str(dtype).removeprefix("torch."),
                    lambda f=spec.function, i=images: f(*i, data_range=255.0).item(),  # type: ignore[misc]
                )
            )

    def both(function: Callable[..., object], **kwargs: object) -> Callable[[], float]:
        return lambda: sum(float(function(fused, source, **kwargs)) for source in (ir, vi)) / 2  # type: ignore[arg-type]

    from skimage.metrics import structural_similarity
    from torchmetrics.functional.image import (
        structural_similarity_index_measure,
        visual_information_fidelity,
    )

    stub_torchvision()
    import piq

    arrays = [image[0, 0].numpy() for image in (fused, ir, vi)]
    listed += [
        ("VIF", "piq vif_p, both", "float64", both(piq.vif_p, data_range=255.0)),
        ("VIF", "torchmetrics, both", "float64", both(visual_information_fidelity)),
        ("SSIM", "piq ssim, both", "float64", both(piq.ssim, data_range=255.0, downsample=False)),
        (
            "SSIM",
            "torchmetrics, both",
            "float64",
            both(structural_similarity_index_measure, data_range=255.0),
        ),
        (
            "SSIM",
            "scikit-image, both",
            "float64",
            lambda: float(
                np.mean(
                    [
                        structural_similarity(
                            source,
                            arrays[0],
                            data_range=255,
                            gaussian_weights=True,
                            use_sample_covariance=False,
                        )
                        for source in arrays[1:]
                    ]
                )
            ),
        ),
    ]
    return listed


def measure(call: Callable[[], float], repeats: int) -> tuple[float, float, float, float]:
    """Value, median and smallest wall-clock seconds, median process CPU seconds."""
    with torch.no_grad():
        value = call()
        walls, costs = [], []
        for _ in range(repeats):
            wall, cost = time.perf_counter(), time.process_time()
            call()
            walls.append(time.perf_counter() - wall)
            costs.append(time.process_time() - cost)
    return value, statistics.median(walls), min(walls), statistics.median(costs)


TARGETS = {"VIF": 0.05, "SSIM": 0.02, "Qabf": 0.02, "Qcb": 0.05}
"""Seconds the project set itself, on two cores."""

Row = tuple[str, str, str, int, float, float, float, float]


def speed_table(rows: list[Row]) -> str:
    """Every measurement, as Markdown."""
    head = "metric implementation precision threads value median_s smallest_s CPU_s"
    body = [[*row[:4], f"{row[4]:.6f}", *(f"{seconds:.4f}" for seconds in row[5:])] for row in rows]
    return markdown([word.replace("_", " ") for word in head.split()], body, left=8)


def target_table(rows: list[Row]) -> str:
    """Which target is met, by the median, in which precision and with how many threads."""
    ours = {(row[0], row[2], row[3]): row[5] for row in rows if row[1] == "mma_unet"}
    kinds = sorted({(dtype, threads) for _, dtype, threads in ours}, reverse=True)
    titles = [f"{dtype}, {threads} thread{'s' * (threads > 1)}" for dtype, threads in kinds]
    body = []
    for metric, target in TARGETS.items():
        cells = []
        for dtype, threads in kinds:
            seconds = ours[metric, dtype, threads]
            cells.append(f"{seconds:.4f} {'met' if seconds <= target else 'missed'}")
        body.append([metric, target, *cells])
    return markdown(["metric", "target", *titles], body, left=len(titles) + 2)


def machine_line() -> str:
    """What the figures were measured on."""
    load = machine.load_average() or 0.0
    where = f"{machine.cpu_name()}, {machine.cores()} cores"
    return f"Machine: {where}, load {load:.1f}; torch {torch.__version__}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "metrics_speed.csv")
    options = parser.parse_args()

    state = machine_line()  # Before the work here adds to the load.
    rows: list[Row] = []
    calls = candidates(*speed_case())
    for threads in options.threads:
        torch.set_num_threads(threads)
        for metric, implementation, dtype, call in calls:
            repeats = options.repeats if implementation == "mma_unet" else 3
            rows.append((metric, implementation, dtype, threads, *measure(call, repeats)))
    order = ["VIF", "SSIM", "PSNR", "Qabf", "Qcb"]
    rows.sort(key=lambda row: (order.index(row[0]), row[1] != "mma_unet", row[1], row[2], row[3]))

    header = ["metric", "implementation", "precision", "threads", "value"]
    header += ["wall_median_s", "wall_min_s", "cpu_median_s"]
    write_table(options.out, header, rows, digits=6)

    print(state, target_table(rows), speed_table(rows), sep="\n\n")


if __name__ == "__main__":
    main()
