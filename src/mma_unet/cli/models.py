"""`mma-unet models`: the networks and weights there are, in numbers."""

from __future__ import annotations

from typing import Annotated

import typer

from mma_unet.cli.common import say, show


def models(
    name: Annotated[str | None, typer.Argument(help="Show the card of these weights.")] = None,
) -> None:
    """List the presets and shipped weights, or show what one weights file says of itself."""
    from mma_unet.models import read_card
    from mma_unet.models.overview import card_table, overview

    if name is None:
        show(*overview(), caption="GMACs for one 480x640 pair")
        return
    card = read_card(name)
    pairs = ", ".join(f"{split} ({count})" for split, count in card.data.items())
    say(
        f"width {card.config.width}, pairing {card.config.pairing}, guided {card.config.guided}",
        f"trained on {pairs or 'unknown data'}",
    )
    if card.scores:
        show(*card_table(card))
    else:
        say("no scores")
