"""What every sub-command shares: consoles, and the check for an optional extra."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from rich.console import Console

from mma_unet.errors import InputError

__all__ = ["check_writable", "console", "errors", "need"]

console = Console()
errors = Console(stderr=True)


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error.strerror}): choose another folder for -o"
        ) from error
