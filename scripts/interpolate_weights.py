"""Weights between two trainings, with a card of their own and scores on the splits of the second.

    python scripts/interpolate_weights.py a.safetensors b.safetensors --share 0.4 \
        --data ../shared/data -o out.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mma_unet.models import interpolate, load_model, read_card, save_model
from mma_unet.training.pairs_data import open_splits
from mma_unet.training.scoring import score_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--share", type=float, required=True, help="0 is the first, 1 the second")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    cards = [read_card(path) for path in (args.first, args.second)]
    model = interpolate(load_model(args.first), load_model(args.second), args.share)
    recipe = {"share": args.share, "first": cards[0].recipe, "second": cards[1].recipe}
    save_model(model, args.out, recipe=recipe, data=cards[1].data)
    scores = {
        split: score_model(load_model(args.out), open_splits((split,), args.data))
        for split in cards[1].scores
    }
    save_model(model, args.out, recipe=recipe, data=cards[1].data, scores=scores)
    for split, values in scores.items():
        print(split, values)


if __name__ == "__main__":
    main()
