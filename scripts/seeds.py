"""How much a seed makes: the recipe of the shipped `small` weights, trained from several seeds.

    python scripts/seeds.py --data ../shared/data --runs /tmp/seeds --jobs 2

Writes `results/seeds.csv`: the scores of each seed on the validation and test pairs. A rerun goes
on where it stopped. About 25 minutes of one core per seed.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from rich.progress import track

from mma_unet.files import write_table
from mma_unet.models import read_card
from mma_unet.training import load_recipe, train

HERE = Path(__file__).parents[1]


def run(seed: int, data: Path, runs: Path) -> Path | None:
    """Train from one seed."""
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    recipe = load_recipe(HERE / "configs" / "plus.yaml", {"data.root": str(data), "seed": seed})
    return train(recipe, runs / f"seed{seed}", progress=False, accelerator="cpu", devices=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "seeds.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    args = parser.parse_args()
    rows = []
    with ProcessPoolExecutor(args.jobs, get_context("spawn")) as pool:
        work = pool.map(partial(run, data=args.data, runs=args.runs), args.seeds)
        for seed, weights in zip(args.seeds, track(work, "Training", len(args.seeds)), strict=True):
            assert weights is not None
            for split, scores in read_card(weights).scores.items():
                rows.append({"seed": seed, "split": split, **scores})
    write_table(args.out, rows)


if __name__ == "__main__":
    main()
