"""What `mma-unet fuse` says besides the result: of pairs, of sources, and of what was not fused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mma_unet.cli.common import errors, say, warn
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data import Pairing

__all__ = ["list_failures", "report", "show_pairing", "tell_notes", "tell_temperatures"]


def list_failures(failures: Sequence[str]) -> None:
    """List what could not be fused, and end with exit code 1 if there is any."""
    if failures:
        errors.print(f"[bold red]{len(failures)} could not be fused:[/bold red]")
        for failure in failures:
            warn(f"  {failure}", style="")
        raise typer.Exit(1)


def show_pairing(pairing: Pairing, targets: Sequence[Path]) -> None:
    """One line for each pair, `IR + VI -> OUT`, and what has no partner."""
    for pair, target in zip(pairing.pairs, targets, strict=True):
        say(f"{pair.ir} + {pair.vi} -> {target}")
    say(f"{len(pairing)} pair{'s' * (len(pairing) != 1)}; nothing was fused (--dry-run)")
    list_failures(pairing.reasons)


def report(
    counts: dict[str, int], failures: list[str], total: int, seconds: float, first: Path, out: Path
) -> None:
    """The summary line, and at the end what could not be fused; exit code 1 if there is any."""
    where = first if total == 1 else out
    line = f"Fused {counts['fused']} of {total} pair{'s' * (total != 1)}"
    if counts["fused"]:
        line += f" in {seconds:.1f} s ({counts['fused'] / seconds:.1f} per second)"
    if counts["skipped"]:
        line += f", {counts['skipped']} done before (--overwrite fuses them again)"
    say(f"{line} -> {where}")
    list_failures(failures)


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
