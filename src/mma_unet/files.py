"""Writing files: the finished file appears under its name, or nothing does.

See also: `mma_unet.parts`, what a file is until it is finished.
"""

from __future__ import annotations

import contextlib
import errno
import json
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from mma_unet.errors import InputError
from mma_unet.parts import Part, part_beside

__all__ = [
    "check_target",
    "kind_of",
    "parse_json",
    "printable",
    "probe",
    "probe_target",
    "replacing",
    "write_text",
]

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write beside `path`, and rename it to `path` if the block ends well.

    If the block fails, what it wrote is removed and `path` stays as it was. Missing parent folders
    are made.

    Args:
        path: Where the finished file goes.

    Yields:
        The path to write to, see `Part`; an empty file is there already.

    Raises:
        OSError: The place cannot be written.
    """
    part = Part(path)
    try:
        yield part.path
        part.finish()
    finally:
        part.drop()


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
    r"""Text that every stream can show, in one line and with no power over the terminal.

    Bytes of file names that are no UTF-8 become `?`; control characters (escape sequences and line
    breaks among them) and those that turn the direction of writing are spelled out.

    Example:
        >>> print(printable("b\udcff.png"), printable("\x1b[2J\n"))
        b?.png \x1b[2J\n
    """
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if _is_harmful(char) else char
        for char in text.encode("utf-8", "replace").decode("utf-8")
    )


def _is_harmful(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in ("Cc", "Zl", "Zp")


def parse_json(text: str) -> Any:
    """JSON that may be damaged or made to do harm.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _nearest_parent(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.exists())


def _refusal(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} cannot be written ({error.strerror or error}): choose another place or fix its "
        "permissions."
    )
