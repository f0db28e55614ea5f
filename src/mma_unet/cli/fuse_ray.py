"""What `fuse --engine ray` adds: the checks before a cluster is started."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mma_unet.cli.common import need

if TYPE_CHECKING:
    from mma_unet.inference import Fuser, Outcome, Task

__all__ = ["fuse_with_ray"]


def fuse_with_ray(
    make_fuser: partial[Fuser],
    tasks: Sequence[Task],
    overwrite: bool,
    *,
    batch_size: int,
    workers: int | None,
    address: str | None,
) -> Iterator[Outcome]:
    """Check what the engine needs, then see `mma_unet.inference.ray_engine.fuse_with_ray`.

    Raises:
        InputError: Ray is not installed, or the options suit no `Fuser`.
    """
    need("ray", extra="distributed")
    from mma_unet.inference import Fuser, ray_engine

    model, *rest = make_fuser.args
    if Path(model).is_file():
        make_fuser = partial(Fuser, str(Path(model).absolute()), *rest, **make_fuser.keywords)
    if address is None:  # the machines of a cluster may have devices that this one lacks
        make_fuser()
    return ray_engine.fuse_with_ray(
        make_fuser,
        tasks,
        overwrite=overwrite,
        batch_size=batch_size,
        workers=workers,
        address=address,
    )
