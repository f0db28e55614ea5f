"""A data set of rendered streets: what to train on and to test with where no real pairs are.

See also: `mma_unet.scene`, which draws them; `mma_unet.data.layouts`, which opens the folder.
"""

from collections.abc import Iterator
from pathlib import Path

from mma_unet.data.images import write_image
from mma_unet.errors import InputError
from mma_unet.scene import render_scene

__all__ = ["render_pairs"]


def render_pairs(
    folder: Path, count: int, *, height: int = 480, width: int = 640, seed: int = 0
) -> Iterator[str]:
    """Render night streets into ``folder/ir`` and ``folder/vi``, one pair after the other.

    Args:
        folder: The data set, as ``data/scene``; ``open_dataset("scene", "data")`` opens it.
        count: How many pairs.
        height: Rows, at least 32.
        width: Columns, at least 32.
        seed: Seed of the first street; the next one has the next, and is named by it.

    Yields:
        The name of each pair, as it is written; a pair that is there is rendered again.

    Raises:
        InputError: A number is out of range, or the place cannot be written.
    """
    if count < 1:
        raise InputError(f"{count} pairs: render at least 1.")
    for number in range(seed, seed + count):
        scene, name = render_scene(height, width, number), f"{number:04d}"
        write_image(folder / "ir" / f"{name}.png", scene.ir)
        write_image(folder / "vi" / f"{name}.png", scene.vi)
        yield name
