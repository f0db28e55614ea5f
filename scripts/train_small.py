"""Train the shipped `small` weights, from several seeds to see how much a seed makes.

    python scripts/train_small.py --data ../shared/data --runs runs/small --seeds 0 1 2 --jobs 2

For each seed: `configs/plus.yaml`, after it `configs/plus-finish.yaml`, and the mean of both ends
as `RUNS/seedN/small.safetensors`. Both share the batch-norm statistics, so the mean lies on the way
from one to the other. Writes the scores of all to `results/seeds.csv`. A rerun goes on where it
stopped. About 30 minutes of one core per seed.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from workers import in_parallel, quiet

from mma_unet.files import write_table
from mma_unet.models import load_model, read_card, round_to_half, save_model
from mma_unet.training import load_recipe, train
from mma_unet.training.pairs_data import open_splits
from mma_unet.training.scoring import score_model

HERE = Path(__file__).parents[1]


def run(seed: int, data: Path, runs: Path) -> dict[str, Path]:
    """The weights of both ends and of their mean, from one seed."""
    quiet()
    ends: list[Path] = []
    for name in ("plus", "plus-finish"):
        values = {"data.root": str(data), "seed": seed}
        recipe = load_recipe(
            HERE / "configs" / f"{name}.yaml", values | ({"start": str(ends[0])} if ends else {})
        )
        end = train(
            recipe, runs / f"seed{seed}" / name, progress=False, accelerator="cpu", devices=1
        )
        assert end is not None
        ends.append(end)
    target = runs / f"seed{seed}" / "small.safetensors"
    if not target.is_file():
        average(*ends, data, target)
    return {"plus": ends[0], "plus-finish": ends[1], "mean": target}


def average(first: Path, second: Path, data: Path, target: Path) -> None:
    """Write the mean of two weights; its card is that of the second, with scores of its own."""
    model, card = load_model(first), read_card(second)
    other = load_model(second).state_dict()
    mean = {
        key: (value + other[key]) / 2 if value.is_floating_point() else value
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(mean)
    round_to_half(model)
    scores = {split: score_model(model, open_splits((split,), data)) for split in card.scores}
    recipe = {**card.recipe, "averaged_with": read_card(first).recipe}
    save_model(model, target, recipe=recipe, data=card.data, scores=scores)


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
        for end, path in weights.items():
            for split, scores in read_card(path).scores.items():
                rows.append({"seed": seed, "weights": end, "split": split, **scores})
    write_table(args.out, rows)


if __name__ == "__main__":
    main()
