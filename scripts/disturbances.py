"""Quality against disturbance: what a method still shows when a camera fails or wears.

    python scripts/disturbances.py small tiny pyramid maximum --data ../shared/data \
        --splits roadscene/test msrs/test --out results/disturbances.csv

Every pair is disturbed (seeded, `mma_unet.data.disturb`), fused in gray, and scored against its
undisturbed sources: VIF, Qabf, and the target contrast kept, whose mean is also given as a share of
that of the undisturbed pair. A method is shipped weights, a weights file or a baseline.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from mma_unet.benchmark.triples import BASELINES
from mma_unet.data import disturb, from_float, open_split
from mma_unet.data.datasets import PairedImages
from mma_unet.inference import Fuser
from mma_unet.metrics import score
from mma_unet.tables import write_rows

HERE = Path(__file__).parents[1]
METRICS = ("VIF", "Qabf", "target")
Pair = tuple[Tensor, Tensor]


def _noise(vi: Tensor, generator: torch.Generator) -> Tensor:
    return (vi + 10 / 255 * torch.randn(vi.shape, generator=generator)).clamp(0, 1)


DISTURBANCES: dict[str, Callable[[Tensor, Tensor, torch.Generator], Pair]] = {
    "none": lambda ir, vi, _: (ir, vi),
    "smoke": lambda ir, vi, g: (ir, disturb.smoke(vi, g)),
    "haze": lambda ir, vi, g: (ir, disturb.haze(vi, g)),
    "overexposure": lambda ir, vi, g: (ir, disturb.overexpose(vi, g)),
    "2 px out of line": lambda ir, vi, _: (disturb.shift(ir, 2, 2), vi),
    "VI noise of sigma 10": lambda ir, vi, g: (ir, _noise(vi, g)),
    "VI at JPEG 30": lambda ir, vi, _: (ir, disturb.compress(vi, 30)),
    "IR at a third of its contrast": lambda ir, vi, _: (0.35 + 0.3 * ir, vi),
}


def fuser(name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """What fuses two gray images of 8 bits."""
    return BASELINES[name] if name in BASELINES else Fuser(name, gray=True, precision="fp32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", nargs="+", default=["roadscene/test", "msrs/test"])
    parser.add_argument("--step", type=int, default=1, help="take every so many pairs")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "disturbances.csv")
    args = parser.parse_args()
    methods = {name: fuser(name) for name in args.methods}
    rows: list[dict[str, object]] = []
    for split in args.splits:
        pairs = PairedImages(open_split(split, args.data).pairs[:: args.step], channels=1)
        values: dict[tuple[str, str], list[list[float]]] = {}
        for index in track(range(len(pairs)), split):
            item = pairs[index]
            for kind, spoil in DISTURBANCES.items():
                generator = torch.Generator().manual_seed(index)
                spoilt = spoil(item["ir"], item["vi"], generator)
                ir, vi = (from_float(image[0].numpy(), np.uint8) for image in spoilt)
                clean = [from_float(item[key][0].numpy(), np.uint8) for key in ("ir", "vi")]
                for name, fuse in methods.items():
                    scores = score(np.asarray(fuse(ir, vi)), *clean, suite=METRICS)
                    values.setdefault((name, kind), []).append(list(scores.values()))
        for (name, kind), table in values.items():
            means, clean_means = (np.nanmean(values[name, k], axis=0) for k in (kind, "none"))
            row = dict(zip(METRICS, (round(float(x), 4) for x in means), strict=True))
            share = round(float(means[2] / clean_means[2]), 3)
            about = {"split": split, "method": name, "disturbance": kind, "pairs": len(table)}
            rows.append({**about, **row, "target share": share})
        write_rows(args.out, rows)


if __name__ == "__main__":
    main()
