"""`mma-unet gallery`: a fixed list of hard pairs, every method side by side, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from mma_unet.cli.common import check_writable, console, errors
from mma_unet.errors import InputError


def gallery(
    entries: Annotated[Path, typer.Argument(help="List of pairs: hard, or a YAML file.")],
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the sheets.")],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="[NAME=]WEIGHTS of ours; may be given again."),
    ] = None,
    peers: Annotated[
        list[str] | None,
        typer.Option(help="SPLIT=DIR, one folder of fused images per method in DIR."),
    ] = None,
) -> None:
    """Draw one sheet per pair: sources, our weights in color, baselines, other methods."""
    from mma_unet.benchmark.gallery import load_entries, render_gallery
    from mma_unet.benchmark.methods import parse_named
    from mma_unet.inference import Fuser
    from mma_unet.models import DEFAULT_MODEL

    chosen = load_entries(entries, data)
    models = parse_named(model or [DEFAULT_MODEL], "--model")
    folders: dict[str, Path] = {}
    for item in peers or []:
        split, sep, folder = item.partition("=")
        if not sep or not Path(folder).is_dir():
            raise InputError(f"--peers {item}: write SPLIT=DIR, DIR a folder of folders of images")
        folders[split] = Path(folder)
    check_writable(out)
    fusers = {name: Fuser(weights) for name, weights in models.items()}
    with Progress(console=errors) as bar:
        task = bar.add_task("Drawing", total=len(chosen))
        for _ in render_gallery(chosen, fusers, folders, out):
            bar.advance(task)
    console.print(f"{len(chosen)} sheets -> {out}", highlight=False, soft_wrap=True, markup=False)
