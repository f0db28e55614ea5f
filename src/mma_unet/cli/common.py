"""What every sub-command shares: consoles, and the check for an optional extra."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

from rich.console import Console

from mma_unet.errors import InputError
from mma_unet.files import part_beside, probe

__all__ = ["BadPlaceError", "check_writable", "console", "cost", "errors", "need", "place"]

console = Console()
errors = Console(stderr=True)


class BadPlaceError(Exception):
    """An `InputError` of `place`, in a type that Typer does not put into words of its own."""


def place(text: str) -> Path:
    """Parser of arguments that take a path or an fsspec URL.

    Raises:
        BadPlaceError: What `mma_unet.data.storage.locate` refuses.
    """
    from mma_unet.data.storage import locate

    try:
        return locate(text)
    except InputError as error:
        raise BadPlaceError(str(error)) from error


def need(module: str, *, extra: str) -> None:
    """Check that an optional dependency is installed.

    Raises:
        InputError: If not, with the command that installs it.
    """
    if importlib.util.find_spec(module) is None:
        raise InputError(
            f"this command needs {module}, which is not installed: pip install 'mma-unet[{extra}]'"
        )


def check_writable(folder: Path) -> None:
    """Make `folder` and check that files can be written there, before any work is done.

    Raises:
        InputError: If not.
    """
    from mma_unet.data.storage import is_remote, write_atomically

    if is_remote(folder):
        trial = part_beside(folder / "trial")
        write_atomically(trial, b"?")
        trial.unlink()
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error.strerror}): choose another folder for -o"
        ) from error


def cost(start: float) -> str:
    """Wall time since `start` (of `time.monotonic`) and the peak memory of this process."""
    from mma_unet.machine import peak_memory

    return f"Took {time.monotonic() - start:.1f} s, peak memory {peak_memory() / 1e6:.0f} MB"
