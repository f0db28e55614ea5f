"""What every sub-command shares: consoles, and the check for an optional extra."""

from __future__ import annotations

import importlib.util

from rich.console import Console

from mma_unet.errors import InputError

__all__ = ["console", "errors", "need"]

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
