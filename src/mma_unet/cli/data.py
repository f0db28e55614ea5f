"""`mma-unet data`: the public data sets, listed and fetched, and one that is rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import check_writable, out_option, say, show
from mma_unet.cli.progress import progress_bar
from mma_unet.data.catalog import CATALOG


def list_() -> None:
    """List the data sets that are known, their terms and how to get them."""
    rows = [
        (
            info.name,
            info.about,
            info.size,
            info.license,
            f"mma-unet data get {info.name}" if info.url else "by hand from its page",
        )
        for info in CATALOG
    ]
    show(("Name", "What", "Size", "Terms", "How to get it"), rows, "Infrared/visible data sets")
    for info in CATALOG:  # outside of the table, so that the addresses stay whole
        say(f"{info.name:9} {info.homepage}")


def get(
    name: Annotated[
        str,
        typer.Argument(
            help="RoadScene, MSRS, M3FD, TNO or LLVIP.",
            autocompletion=lambda: [info.name for info in CATALOG],
        ),
    ],
    root: Annotated[
        Path, typer.Option(help="Folder for the data sets; the set goes into ROOT/NAME.")
    ] = Path("data"),
    url: Annotated[
        str | None, typer.Option(help="Address of a zip archive, in place of the known one.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="SHA-256 digest that the archive must have.")
    ] = None,
) -> None:
    """Download a data set, check it and unpack it; an interrupted download goes on."""
    from mma_unet.data.obtain import obtain

    with progress_bar(unit="bytes") as step:
        folder = obtain(
            name, root, url=url, sha256=sha256, progress=lambda done, of: step(name, done, of)
        )
    say(f"{name} is in {folder}")


def render(
    out: Annotated[Path, out_option("Folder of the data set.")] = Path("data/scene"),
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many pairs.")] = 12,
    height: Annotated[int, typer.Option(min=32, help="Rows.")] = 240,
    width: Annotated[int, typer.Option(min=32, help="Columns.")] = 320,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first street.")] = 0,
) -> None:
    """Render night streets as a data set, to try a training without a download."""
    from mma_unet.data.rendered import render_pairs

    check_writable(out)
    with progress_bar() as step:
        pairs = render_pairs(out, count, height=height, width=width, seed=seed)
        for done, _ in enumerate(pairs, 1):
            step("Rendering", done, count)
    say(f"{count} pairs -> {out}")
