"""What each part of the recipe does: short trainings of `tiny` that differ in one thing each.

    python scripts/recipe_study.py --data ../shared/data --runs /tmp/recipe_study

Writes `results/recipe_study.csv`: scores on validation pairs. Stage I is trained once and shared.
A rerun goes on where it stopped. About half an hour of one core.
"""

from __future__ import annotations

import argparse
import csv
import logging
import shutil
import warnings
from pathlib import Path
from typing import Any

from rich.progress import track

from mma_unet.models import read_card
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
    "teacher": (
        "unshuffle, a pyramid fusion to imitate besides",
        {**UNSHUFFLE, "fusion.loss.pyramid": 4.0},
    ),
    "plus": ("unshuffle, blend head: configs/plus.yaml", {}),
    "blend only": ("plus, average pooling", {"model.downsampling": "average"}),
    "frozen": ("plus, encoders frozen", {"fusion.freeze_encoders": True}),
    "no saliency": ("plus, no saliency term", {"fusion.loss.saliency": 0}),
    "no jitter": ("plus, tones left alone", {"data.jitter": 0}),
    "no settle": ("plus, batch statistics to the end", {"fusion.settle": 0}),
    "resized crops": ("plus, random resized crops", {"data.scale": [0.04, 0.4]}),
    "texture weights": (
        "plus, VIF 1.5, SSIM 1, PSNR 0.06, Qabf 1.5, Qcb 0.7",
        {"fusion.metrics": {"vif": 1.5, "ssim": 1, "psnr": 0.06, "qabf": 1.5, "qcb": 0.7}},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "recipe_study.csv")
    parser.add_argument("--epochs", type=int, default=6, help="of stage II, 40 steps each")
    args = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    rows = []
    for name, (about, changes) in track(STUDY.items(), description="Training"):
        folder = args.runs / name.replace(" ", "_")
        values = {
            "name": "study",
            "model.preset": "tiny",
            "data.root": str(args.data),
            "data.test": [],
            "vi.epochs": 3,
            "ir.epochs": 3,
            "fusion.epochs": args.epochs,
            "fusion.settle": args.epochs // 3,
            **changes,
        }
        for stage in ("vi", "ir"):
            done = args.runs / "paper" / stage / "weights.safetensors"
            target = folder / stage / "weights.safetensors"
            if done.is_file() and not target.is_file():
                target.parent.mkdir(parents=True)
                shutil.copy(done, target)
        recipe = load_recipe(HERE / "configs" / "plus.yaml", values)
        weights = train(recipe, folder, progress=False, accelerator="cpu", devices=1)
        assert weights is not None
        for split, scores in read_card(weights).scores.items():
            rows.append({"recipe": name, "what": about, "split": split, **scores})
        part = args.out.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        part.replace(args.out)


if __name__ == "__main__":
    main()
