"""The networks and weights there are, as tables of text.

See Also:
    `mma_unet.models.weights`: the cards. `mma_unet.models.profile`: the counts.
"""

from __future__ import annotations

import torch

from mma_unet.models.config import ABLATIONS, PRESETS
from mma_unet.models.mma_unet import MMAUNet
from mma_unet.models.profile import count_macs, count_parameters
from mma_unet.models.weights import DEFAULT_MODEL, ModelCard, read_card, shipped_models

__all__ = ["card_table", "overview"]


def overview() -> tuple[list[str], list[list[str]]]:
    """Header and rows: one for each preset, shipped weights and ablation."""
    cards = {name: read_card(name).config for name in shipped_models()}
    rows = []
    for name, config in {**PRESETS, **cards, **ABLATIONS}.items():
        with torch.device("meta"):
            network = MMAUNet(config)
        weights = "shipped, default" if name == DEFAULT_MODEL else "shipped"
        rows.append(
            [
                name,
                str(config.width),
                "yes" if config.guided else "no",
                " ".join(f"{vi}-{ir}" for vi, ir in config.pairing),
                config.head,
                f"{count_parameters(network) / 1e6:.2f} M",
                f"{count_macs(network, 480, 640) / 1e9:.2f}",
                weights if name in cards else "",
            ]
        )
    header = ["Name", "Width", "Guided", "(VI, IR) levels", "Head", "Parameters", "GMACs"]
    return [*header, "Weights"], rows


def card_table(card: ModelCard) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the scores on a card: one row for each split, one column per metric."""
    metrics = list(dict.fromkeys(metric for scores in card.scores.values() for metric in scores))
    rows = [
        [split, *(f"{scores[m]:g}" if m in scores else "" for m in metrics)]
        for split, scores in card.scores.items()
    ]
    return ["Scores on", *metrics], rows
