"""`mma-unet rivals`: the methods of others, their cards and their weights; `--method` elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mma_unet.cli.common import say, show, warn
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.rivals import Rival

_FOR_OURS = ("model", "color", "style", "runtime", "precision", "statistics", "engine")
"""Options of `fuse` that a method of others has no use for."""


def rivals(ctx: typer.Context) -> None:
    """List the methods of others that can be run, each with its size, its terms and its paper."""
    if ctx.invoked_subcommand is not None:
        return
    from mma_unet.rivals import RIVALS
    from mma_unet.rivals.checkpoint import kept_weights

    rows = []
    for card in RIVALS.values():
        learned = bool(card.parameters)
        kept = "yes" if kept_weights(card) else "no"
        rows.append(
            (
                card.name,
                f"{card.parameters / 1e6:.2f} M" if learned else "",
                f"{card.macs(480, 640) / 1e9:.1f}" if learned else "",
                kept if learned else "needs none",
                card.weights_license if learned else "",
                card.paper.rsplit('"', 1)[-1].lstrip(", "),
            )
        )
    header = ("Name", "Parameters", "GMACs", "Weights here", "Terms of the weights", "Paper")
    show(header, rows, caption="GMACs for one 480x640 pair; `mma-unet rivals get NAME` says more")


def get(
    name: Annotated[str, typer.Argument(help="The method.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", help="File to check, and to keep for later.")
    ] = None,
) -> None:
    """Show the card of a method and where its weights are; check and keep a file of them."""
    from mma_unet.rivals import RIVALS, find_card
    from mma_unet.rivals.checkpoint import digest, find_weights, keep, load_network

    card = find_card(name)
    if weights is None:
        say(card.title)
        for heading, text in card.lines():
            say(f"{heading}: {text}")
        return
    if not card.parameters:
        raise InputError(f"{card.name} has no parameters: leave {weights} out")
    path = find_weights(card, weights)
    load_network(card, path, RIVALS)
    found = digest(path)
    if found in card.digests:
        say(f"{path}: the official weights of {card.title}")
    elif card.digests:
        warn(f"{path}: fits {card.title}, but is not the official file (SHA-256 {found})")
    else:
        warn(f"{path}: fits {card.title}; no official digest is known (its SHA-256 is {found})")
    say(f"Kept as {keep(card, path)}")


def rival_maker(
    method: str,
    weights: Path | None,
    given: Mapping[str, Any],
    ctx: typer.Context,
) -> partial[Rival]:
    """What makes the `Rival` that `fuse` asks for.

    Args:
        method: Its name.
        weights: Its checkpoint.
        given: Options of `fuse` that it shares with ours, by name.
        ctx: Of `fuse`, to tell which options were given.

    Raises:
        InputError: An option was given that is for our networks alone.
    """
    from mma_unet.rivals import Rival

    for option in _FOR_OURS:
        source = ctx.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE":
            raise InputError(f"--{option} is for our own networks: leave it out with --method")
    return partial(Rival, method, weights=weights, **given)
