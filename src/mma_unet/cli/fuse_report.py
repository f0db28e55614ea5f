"""What `mma-unet fuse` says of pairs: the pairing before, and at the end what was not fused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mma_unet.cli.common import errors, say, warn

if TYPE_CHECKING:
    from mma_unet.data import Pairing

__all__ = ["list_failures", "report", "show_pairing"]


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
