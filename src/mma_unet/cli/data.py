"""``mma-unet data``: the public data sets, listed and fetched, and one that is rendered."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    name="data", help="List, download or render infrared/visible data sets.", no_args_is_help=True
)


@app.command("list")
def list_datasets() -> None:
    """List the data sets that are known, their terms and how to get them."""
    from rich.console import Console
    from rich.table import Table

    from mma_unet.data.catalog import CATALOG

    table = Table(title="Infrared/visible data sets")
    for heading in ("Name", "What", "Size", "Terms", "How to get it"):
        table.add_column(heading, no_wrap=heading == "Name")
    for info in CATALOG:
        how = f"mma-unet data get {info.name}" if info.url else "by hand from its page"
        table.add_row(info.name, info.about, info.size, info.license, how)
    console = Console()
    console.print(table)
    for info in CATALOG:  # outside of the table, so that the addresses stay whole
        console.print(f"{info.name:9} {info.homepage}", soft_wrap=True, highlight=False)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="RoadScene, MSRS, M3FD, TNO or LLVIP.")],
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
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from mma_unet.data.obtain import obtain

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        folder = obtain(
            name,
            root,
            url=url,
            sha256=sha256,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    Console().print(f"{name} is in {folder}", soft_wrap=True, highlight=False)


@app.command("render")
def render(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the data set.")] = Path(
        "data/scene"
    ),
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many pairs.")] = 12,
    height: Annotated[int, typer.Option(min=32, help="Rows.")] = 240,
    width: Annotated[int, typer.Option(min=32, help="Columns.")] = 320,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first street.")] = 0,
) -> None:
    """Render night streets as a data set, to try a training without a download."""
    from rich.progress import track

    from mma_unet.cli.common import check_writable, console, errors
    from mma_unet.data.rendered import render_pairs

    check_writable(out)
    pairs = render_pairs(out, count, height=height, width=width, seed=seed)
    for _ in track(pairs, "Rendering", count, console=errors):
        pass
    console.print(f"{count} pairs -> {out}", highlight=False, soft_wrap=True, markup=False)
