"""`mma-unet demo`: fuse the bundled scene and show where the result is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from mma_unet.cli.common import check_writable, console


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path(
        "demo"
    ),
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Shipped weights by name, or a file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed renders another street.")] = 0,
) -> None:
    """Render a night street as infrared and visible images, fuse them, write all three."""
    from mma_unet.data import write_image
    from mma_unet.inference import Fuser
    from mma_unet.models import DEFAULT_MODEL
    from mma_unet.scene import render_scene

    check_writable(out)
    with console.status("Rendering the scene"):
        scene = render_scene(seed=seed)
    with console.status("Fusing"):
        fused = np.asarray(Fuser(DEFAULT_MODEL if model is None else model)(scene.ir, scene.vi))
    sheet = np.hstack([scene.ir[..., None].repeat(3, axis=2), scene.vi, fused])
    for name, image in (("ir", scene.ir), ("vi", scene.vi), ("fused", fused), ("sheet", sheet)):
        write_image(out / f"{name}.png", image)
    for what, name in (("Infrared", "ir"), ("Visible", "vi"), ("Fused", "fused")):
        console.print(
            f"{what + ':':10}{out / name}.png", highlight=False, markup=False, soft_wrap=True
        )
    sheet_path = out / "sheet.png"
    console.print(
        f"All three side by side: {sheet_path}", highlight=False, markup=False, soft_wrap=True
    )
