"""The mean of the weights of two ends of one training: the shipped `small`.

    python scripts/average_weights.py runs/plus/plus.safetensors \\
        runs/plus-finish/plus-finish.safetensors --data ../shared/data -o small.safetensors

Both ends share the batch-norm statistics, so the mean lies on the way from one to the other. The
recipe, the data and the splits to score come from the card of the second.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mma_unet.models import load_model, read_card, save_model
from mma_unet.training.pairs_data import open_splits
from mma_unet.training.scoring import score_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ends", type=Path, nargs=2)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    first, second = (load_model(str(path)) for path in args.ends)
    other = second.state_dict()
    mean = {
        key: (value + other[key]) / 2 if value.is_floating_point() else value
        for key, value in first.state_dict().items()
    }
    first.load_state_dict(mean)
    for tensor in first.parameters():
        if tensor.dim() > 1:
            tensor.data = tensor.data.half().float()
    card = read_card(str(args.ends[1]))
    scores = {
        split: score_model(first.eval(), open_splits((split,), args.data)) for split in card.scores
    }
    recipe = {**card.recipe, "averaged_with": read_card(str(args.ends[0])).recipe}
    save_model(first, args.out, recipe=recipe, data=card.data, scores=scores)


if __name__ == "__main__":
    main()
