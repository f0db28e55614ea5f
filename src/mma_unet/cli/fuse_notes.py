"""What `mma-unet fuse` has to say of its sources besides the result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mma_unet.cli.common import say, warn
from mma_unet.errors import InputError

__all__ = ["tell_notes", "tell_temperatures"]


def tell_notes(notes: Sequence[str]) -> None:
    """Print the lines of notes to standard error, of those that differ in names and numbers one."""
    kinds: dict[str, list[str]] = {}
    for note in notes:
        for line in note.splitlines():
            kinds.setdefault(re.sub(r"\S*[\d/\\.]\S*", "", line), []).append(line)
    for lines in kinds.values():
        warn(lines[0] + (f" (and {len(lines) - 1} more like it)" if lines[1:] else ""))


def tell_temperatures(file: Path) -> None:
    """Print the temperatures in a file, or why it gives none."""
    from mma_unet.data.thermal.temperature import temperature_statistics

    try:
        say(str(temperature_statistics(file)))
    except InputError as error:
        warn(str(error))
