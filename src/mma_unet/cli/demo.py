"""`mma-unet demo`: fuse the bundled scene and show where the result is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import Model, check_writable, console, out_option, say


def demo(
    out: Annotated[Path, out_option("Folder for the pictures.")] = Path("demo"),
    model: Model = None,
    seed: Annotated[int, typer.Option(help="Another seed renders another street.")] = 0,
) -> None:
    """Render a night street as infrared and visible images, fuse them, write all three."""
    import numpy as np

    from mma_unet.data import write_image
    from mma_unet.inference import Fuser
    from mma_unet.models import DEFAULT_MODEL
    from mma_unet.scene import render_scene

    check_writable(out)
    with console.status("Rendering the scene and fusing it"):
        scene = render_scene(seed=seed)
        fused = np.asarray(Fuser(model or DEFAULT_MODEL)(scene.ir, scene.vi))
    sheet = np.hstack([scene.ir[..., None].repeat(3, axis=2), scene.vi, fused])
    for name, image in (("ir", scene.ir), ("vi", scene.vi), ("fused", fused), ("sheet", sheet)):
        write_image(out / f"{name}.png", image)
    for what, name in (("Infrared", "ir"), ("Visible", "vi"), ("Fused", "fused")):
        say(f"{what + ':':10}{out / name}.png")
    say(f"All three side by side: {out / 'sheet.png'}")
