"""`mma-unet models`: the networks and weights there are, in numbers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from mma_unet.cli.common import console


def models(
    name: Annotated[str | None, typer.Argument(help="Show the card of these weights.")] = None,
) -> None:
    """List the presets and shipped weights, or show what one weights file says of itself."""
    if name is not None:
        _card(name)
        return
    import torch

    from mma_unet.models import (
        ABLATIONS,
        DEFAULT_MODEL,
        PRESETS,
        MMAUNet,
        count_macs,
        count_parameters,
        read_card,
        shipped_models,
    )

    headings = (
        "Name",
        "Width",
        "Guided",
        "(VI, IR) levels",
        "Head",
        "Parameters",
        "GMACs",
        "Weights",
    )
    table = Table(*headings)
    table.columns[0].no_wrap = True
    cards = {name: read_card(name).config for name in shipped_models()}
    for key, config in {**PRESETS, **cards, **ABLATIONS}.items():
        with torch.device("meta"):
            network = MMAUNet(config)
        shipped = key in cards
        table.add_row(
            key,
            str(config.width),
            "yes" if config.guided else "no",
            " ".join(f"{vi}-{ir}" for vi, ir in config.pairing),
            config.head,
            f"{count_parameters(network) / 1e6:.2f} M",
            f"{count_macs(network, 480, 640) / 1e9:.2f}",
            ("shipped, default" if key == DEFAULT_MODEL else "shipped") if shipped else "",
        )
    table.caption = "GMACs for one 480x640 pair"
    console.print(table)


def _card(name: str) -> None:
    from mma_unet.models import read_card

    card = read_card(name)
    config = card.config
    pairs = ", ".join(f"{split} ({count})" for split, count in card.data.items())
    console.print(f"width {config.width}, pairing {config.pairing}, guided {config.guided}")
    console.print(f"trained on {pairs or 'unknown data'}")
    metrics = list(dict.fromkeys(metric for scores in card.scores.values() for metric in scores))
    table = Table("Scores on", *metrics)
    for split, scores in card.scores.items():
        table.add_row(split, *(f"{scores[m]:g}" if m in scores else "" for m in metrics))
    console.print(table if card.scores else "no scores")
