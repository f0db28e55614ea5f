"""`mma-unet gallery`: a fixed list of hard pairs, every method side by side, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import Models, check_writable, out_option, say
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError


def gallery(
    entries: Annotated[Path, typer.Argument(help="List of pairs: hard, or a YAML file.")],
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    out: Annotated[Path, out_option("Folder for the sheets.")],
    model: Models = None,
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
    with progress_bar() as step:
        for done, _ in enumerate(render_gallery(chosen, fusers, folders, out), 1):
            step("Drawing", done, len(chosen))
    say(f"{len(chosen)} sheets -> {out}")
