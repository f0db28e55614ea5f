"""What every sub-command shares: consoles, and the check for an optional extra."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

from rich.console import Console

from mma_unet.errors import InputError
from mma_unet.files import probe

__all__ = ["check_writable", "console", "cost", "errors", "need"]

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
        probe(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error.strerror}): choose another folder for -o"
        ) from error


def cost(start: float) -> str:
    """Wall time since `start` (of `time.monotonic`) and the peak memory of this process."""
    text = f"Took {time.monotonic() - start:.1f} s"
    try:
        import resource
    except ImportError:  # Windows
        return text
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    return f"{text}, peak memory {peak * scale / 1e6:.0f} MB"
