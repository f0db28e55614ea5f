"""What each part of the recipe does: short trainings of `tiny` that differ in one thing each.

    python scripts/recipe_study.py --data ../shared/data --runs /tmp/recipe_study --jobs 2

Writes `results/recipe_study.csv`: scores on validation pairs, those of data sets that no training
sees among them. Stage I is trained once and shared. A rerun goes on where it stopped. About 40
minutes of one core.
"""

from __future__ import annotations

import argparse
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from workers import in_parallel, quiet

from mma_unet.models import read_card
from mma_unet.tables import write_rows
from mma_unet.training import load_recipe, train

HERE = Path(__file__).parents[1]
PAPER = {
    "model.head": "image",
    "model.downsampling": "average",
    "fusion.freeze_encoders": True,
    "fusion.loss": {"mse": 1, "alpha": 10, "beta": 0.5},
    "fusion.metrics": {},
    "fusion.lr": 1.0e-3,
}
UNFROZEN = {**PAPER, "fusion.freeze_encoders": False}
METRICS = {"model.head": "image", "model.downsampling": "average"}
UNSHUFFLE = {"model.head": "image"}
STUDY: dict[str, tuple[str, dict[str, Any]]] = {
    "paper": ("the paper's loss, frozen encoders, average pooling, image head", PAPER),
    "unfrozen": ("paper, encoders trained in stage II", UNFROZEN),
    "metrics": ("unfrozen, loss replaced by metrics and saliency", METRICS),
    "unshuffle": ("metrics, pixel unshuffle for average pooling", UNSHUFFLE),
    "pyramid": (
        "unshuffle, a pyramid fusion to imitate besides",
        {**UNSHUFFLE, "fusion.loss.pyramid": 4.0},
    ),
    "blend": ("unshuffle, blend head", {"model.head": "blend"}),
    "plus": ("unshuffle, bands head: the recipe small-metric at the width of tiny", {}),
    "pooling": ("plus, average pooling", {"model.downsampling": "average"}),
    "frozen": ("plus, encoders frozen", {"fusion.freeze_encoders": True}),
    "no saliency": ("plus, no saliency term", {"fusion.loss.saliency": 0}),
    "no jitter": ("plus, tones left alone", {"data.jitter": 0}),
    "no zoom": ("plus, pixels at their own size", {"data.zoom": 0}),
    "no degrading": ("plus, no blur, noise and loss of contrast", {"data.degrade": 0}),
    "no augmenting": (
        "plus, none of these three",
        {"data.jitter": 0, "data.zoom": 0, "data.degrade": 0},
    ),
    "no settling": ("plus, batch statistics to the end", {"fusion.settle": 0}),
    "texture": (
        "plus, VIF 1.5, SSIM 1, PSNR 0.06, Qabf 1.5, Qcb 0.7",
        {"fusion.metrics": {"vif": 1.5, "ssim": 1, "psnr": 0.06, "qabf": 1.5, "qcb": 0.7}},
    ),
    "distilled": (
        "plus, the shipped small to imitate besides",
        {"fusion.teacher": "small", "fusion.teacher_weight": 8},
    ),
}


def run(name: str, data: Path, runs: Path, epochs: int, stages: tuple[str, ...]) -> Path | None:
    """Train one row; stage I comes from the folder `stage1`, once that is there."""
    quiet()
    folder = runs / name.replace(" ", "_")
    recipe = load_recipe(
        "small-metric",
        {
            "name": "study",
            "model.preset": "tiny",
            "data.root": str(data),
            "data.test": [],
            "vi.epochs": 3,
            "ir.epochs": 3,
            "fusion.epochs": epochs,
            "fusion.settle": epochs // 3,
            **STUDY.get(name, ("", {}))[1],
        },
    )
    for stage in ("vi", "ir"):
        done = runs / "stage1" / stage / "weights.safetensors"
        target = folder / stage / "weights.safetensors"
        if done.is_file() and not target.is_file():
            target.parent.mkdir(parents=True)
            shutil.copy(done, target)
    return train(recipe, folder, stages=stages, progress=False, accelerator="cpu", devices=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "recipe_study.csv")
    parser.add_argument("--epochs", type=int, default=6, help="of stage II, 40 steps each")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    args = parser.parse_args()
    rows = []
    task = partial(run, data=args.data, runs=args.runs, epochs=args.epochs)
    list(in_parallel(partial(task, stages=("vi", "ir")), ["stage1"], 1))
    work = in_parallel(partial(task, stages=("vi", "ir", "fusion")), [*STUDY], args.jobs)
    for (name, (what, _)), weights in zip(STUDY.items(), work, strict=True):
        assert weights is not None
        for split, scores in read_card(weights).scores.items():
            rows.append({"recipe": name, "what": what, "split": split, **scores})
    write_rows(args.out, rows)


if __name__ == "__main__":
    main()
