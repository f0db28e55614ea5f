"""Writing text files: the finished file appears under its name, or nothing does."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mma_unet.errors import InputError

__all__ = ["check_target", "write_text"]


def check_target(path: Path) -> None:
    """Refuse, before any work is done, a file name that cannot be written in the end.

    Raises:
        InputError: The path is a folder, or one of its parents is a file.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: give the output a file name.")
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise InputError(f"{path} cannot be written: {parent} is a file, not a folder.")
            return


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically; missing parent folders are made.

    Raises:
        InputError: The place cannot be written.
    """
    path = Path(path)
    check_target(path)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8", newline="")
            os.replace(temporary, path)  # noqa: PTH105 - the name says what it does
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}): choose another place or fix "
            "its permissions."
        ) from error
