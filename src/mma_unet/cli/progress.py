"""How far a command is: one bar on a terminal, plain lines anywhere else, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from mma_unet.cli.common import errors, plain
from mma_unet.files import printable

__all__ = ["Step", "progress_bar"]

Step = Callable[[str, float, float | None], None]
"""Told what is done, how many of it are, and how many there will be, if that is known."""

_PAUSE = 5.0
"""Seconds between two plain lines."""


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.1f} fps")


@contextmanager
def progress_bar(
    *, shown: bool = True, unit: Literal["", "bytes", "frames"] = ""
) -> Iterator[Step]:
    """Show how far the work of a `with` block is.

    On a terminal that is a bar, gone at the end; elsewhere a line every few seconds and one where
    the work is complete. A single thing, not begun or done, is not worth showing.

    Args:
        shown: Show anything at all.
        unit: What is counted: `"bytes"` and `"frames"` come with their rate.

    Yields:
        What to call with the progress.

    Example:
        >>> with progress_bar(shown=False) as step:
        ...     step("Fusing", 3, 12)
    """
    if not shown:
        yield lambda *_: None
    elif errors.is_terminal and not errors.is_dumb_terminal:
        with _columns(unit) as bar:
            task = bar.add_task("", total=None, visible=False)

            def move(what: str, done: float, total: float | None) -> None:
                if bar.tasks[0].visible or not _trivial(done, total):
                    bar.update(
                        task, description=printable(what), completed=done, total=total, visible=True
                    )

            yield move
    else:
        yield _plain_lines(unit)


def _columns(unit: str) -> Progress:
    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    rates: dict[str, list[ProgressColumn]] = {
        "bytes": [TransferSpeedColumn()],
        "frames": [_FramesPerSecond()],
    }
    text = TextColumn("{task.description}", markup=False)
    columns = [text, BarColumn(), count, *rates.get(unit, []), TimeRemainingColumn()]
    return Progress(*columns, console=errors, transient=True)


def _plain_lines(unit: str) -> Step:
    last = time.monotonic()

    def write(what: str, done: float, total: float | None) -> None:
        nonlocal last
        now = time.monotonic()
        if _trivial(done, total) or (done != total and now - last < _PAUSE):
            return
        last = now
        number = decimal if unit == "bytes" else str
        of = "" if total is None else f" of {number(int(total))}"
        line = f"{what}: {number(int(done))}{of}{' frames' * (unit == 'frames')}"
        errors.print(plain(line), highlight=False, soft_wrap=True)

    return write


def _trivial(done: float, total: float | None) -> bool:
    return total is not None and total <= 1 and done in (0, 1)
