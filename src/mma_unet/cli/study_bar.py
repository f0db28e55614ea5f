"""What commands that run many trainings share: one progress bar, and what they cost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mma_unet.cli.common import console, errors

__all__ = ["cost", "quiet_lightning", "study_bar"]


def quiet_lightning() -> None:
    """Keep Lightning's notes about each of many trainings from breaking the bar."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def study_bar(epochs: int) -> Iterator[Callable[[str, int], None]]:
    """A bar over all epochs of a study.

    Args:
        epochs: How many there are.

    Yields:
        What to call with the name of the training and the number of epochs done.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors) as bar:
        task = bar.add_task("Training", total=epochs)

        def report(label: str, done: int) -> None:
            bar.update(task, description=label, completed=done)

        yield report


def cost(start: float, *files: Path) -> None:
    """Say what was written, how long this call took and how much memory.

    Args:
        start: `time.monotonic()` at the start of the command.
        *files: What was written.
    """
    from mma_unet.machine import peak_memory

    names = ", ".join(map(str, files))
    spent = f"{time.monotonic() - start:.0f} s, peak memory {peak_memory() / 2**20:.0f} MB"
    console.print(f"{names} ({spent})", highlight=False, soft_wrap=True, markup=False)
