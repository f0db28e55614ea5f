"""Train the shipped `small-metric` weights, from several seeds to see how much a seed makes.

    python scripts/train_small.py --data ../shared/data --runs runs/small --seeds 0 1 2 --jobs 2

For each seed: the recipe `small-metric`, and after it `small-metric-finish`, whose end is shipped.
Writes the scores of both to `results/seeds.csv`. A rerun goes on where it stopped. About 30 minutes
of one core per seed.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from workers import in_parallel, quiet

from mma_unet.models import read_card
from mma_unet.tables import write_rows
from mma_unet.training import load_recipe, train

HERE = Path(__file__).parents[1]
RECIPES = ("small-metric", "small-metric-finish")


def run(seed: int, data: Path, runs: Path) -> list[Path]:
    """The weights after each of the two recipes, from one seed."""
    quiet()
    ends: list[Path] = []
    for name in RECIPES:
        values: dict[str, object] = {"data.root": str(data), "seed": seed}
        if ends:
            values["start"] = str(ends[-1])
        recipe = load_recipe(name, values)
        folder = runs / f"seed{seed}" / name
        weights = train(recipe, folder, progress=False, accelerator="cpu", devices=1)
        assert weights is not None
        ends.append(weights)
    return ends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "seeds.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    args = parser.parse_args()
    rows = []
    work = in_parallel(partial(run, data=args.data, runs=args.runs), args.seeds, args.jobs)
    for seed, weights in zip(args.seeds, work, strict=True):
        for recipe, path in zip(RECIPES, weights, strict=True):
            for split, scores in read_card(path).scores.items():
                rows.append({"seed": seed, "recipe": recipe, "split": split, **scores})
    write_rows(args.out, rows)


if __name__ == "__main__":
    main()
