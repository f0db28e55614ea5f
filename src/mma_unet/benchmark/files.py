"""Writing text files: the finished file appears under its name, or nothing does."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from mma_unet.errors import InputError

__all__ = ["check_target", "printable", "probe_target", "write_text"]


def check_target(path: Path) -> None:
    """Refuse, before any work is done, a file name that cannot be written in the end.

    Raises:
        InputError: The path is a folder, or one of its parents is a file.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: give the output a file name.")
        parent = _nearest_parent(path)
        if not parent.is_dir():
            raise InputError(f"{path} cannot be written: {parent} is a file, not a folder.")
    except OSError as error:
        raise _refusal(path, error) from error


def probe_target(path: Path) -> None:
    """As `check_target`, and try with an empty file whether the folder can be written at all.

    Raises:
        InputError: It cannot.
    """
    check_target(path)
    trial = _nearest_parent(path) / f".{secrets.token_hex(6)}.part"
    try:
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # refuses a name too long for the file system
        try:
            trial.touch(exist_ok=False)
        finally:
            trial.unlink(missing_ok=True)
    except OSError as error:
        raise _refusal(path, error) from error


def write_text(path: str | Path, text: str, *, errors: str = "replace") -> None:
    """Write UTF-8 text atomically; missing parent folders are made.

    Args:
        path: Where to write.
        text: What to write.
        errors: What becomes of the bytes of file names that are no UTF-8: `"replace"` writes a
            question mark, `"surrogateescape"` the bytes themselves.

    Raises:
        InputError: The place cannot be written.
    """
    path = Path(path)
    check_target(path)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(text.encode("utf-8", errors))
            os.replace(temporary, path)  # noqa: PTH105 - the name says what it does
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _refusal(path, error) from error


def printable(text: str) -> str:
    r"""Text that every stream can show: bytes of file names that are no UTF-8 become `?`.

    Example:
        >>> printable("b\udcff.png")
        'b?.png'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def _nearest_parent(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.exists())


def _refusal(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} cannot be written ({error.strerror or error}): choose another place or fix its "
        "permissions."
    )
