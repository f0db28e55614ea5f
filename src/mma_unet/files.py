"""Writing files: the finished file appears under its name, or nothing does."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from mma_unet.errors import InputError

__all__ = [
    "check_target",
    "kind_of",
    "part_beside",
    "part_mark",
    "printable",
    "probe",
    "probe_target",
    "replacing",
    "write_text",
]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write beside `path`, and rename it to `path` if the block ends well.

    If the block fails, what it wrote is removed and `path` stays as it was. Missing parent folders
    are made.

    Args:
        path: Where the finished file goes.

    Yields:
        The path to write to. Its name does not end as that of `path` does, so a writer that goes
        by the extension must be told the format.

    Raises:
        OSError: The place cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_beside(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def part_beside(path: Path) -> Path:
    """A new hidden file to write before it becomes `path`: `part_mark`, then a random number.

    The length of its name does not depend on that of `path`.
    """
    return path.with_name(f"{part_mark(path.name)}-{secrets.token_hex(8)}.part")


def part_mark(name: str) -> str:
    """What the name of every `.part` file for a file `name` begins with, up to its last `-`."""
    return "." + hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def probe(folder: Path) -> None:
    """Try with an empty file whether a folder can be written.

    Raises:
        OSError: It cannot.
    """
    trial = part_beside(folder / "trial")
    try:
        trial.touch(exist_ok=False)
    finally:
        trial.unlink(missing_ok=True)


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
    try:
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # refuses a name too long for the file system
        probe(_nearest_parent(path))
    except OSError as error:
        raise _refusal(path, error) from error


def kind_of(path: str | Path) -> Literal["file", "folder", "special"] | None:
    """What lies at a path, after all links; None if nothing does.

    The one place where a path from a user is looked at first: what `Path.exists` and its like
    raise over links that loop, names that are too long and folders without search right is one
    sentence here. `"special"` is a named pipe, device or socket, which could block for ever.

    Raises:
        InputError: The path cannot be looked at.

    Example:
        >>> kind_of("/"), kind_of("/no such place")
        ('folder', None)
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise InputError(f"{str(path)!r} is no path: a name cannot hold a null byte.") from None
    except OSError as error:
        mends = {
            errno.ELOOP: "is a link that leads back to itself: mend or remove it.",
            errno.ENAMETOOLONG: "has a name that is too long for this system: shorten it.",
        }
        otherwise = f"cannot be looked at ({error.strerror}): check its permissions."
        raise InputError(f"{path} {mends.get(error.errno or 0, otherwise)}") from None
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "special"


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
    try:
        with replacing(path) as part:
            part.write_bytes(text.encode("utf-8", errors))
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
