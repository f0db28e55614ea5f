"""Files that are being written: hidden, locked while their writer lives, removed when it is dead.

See also: `mma_unet.files`, which writes whole files by them.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

fcntl: Any = None
"""None on Windows, where an open file cannot be removed: that is its lock."""
with contextlib.suppress(ImportError):
    import fcntl

__all__ = ["Part", "part_beside", "part_mark", "remove_dead", "sweep"]

_PART = re.compile(r"\.[0-9a-f]{16}-[0-9a-f]{16}\.part")


class Part:
    """A hidden file, or folder, to write before it becomes `target`.

    Parts of the same target that killed writers left are removed first.

    Args:
        target: Where the finished file goes; missing parent folders are made.
        folder: Make a folder, to work in.

    Attributes:
        path: Where to write. Its name does not end as that of `target` does, so a writer that goes
            by the extension must be told the format.

    Raises:
        OSError: The place cannot be written.
    """

    def __init__(self, target: Path, *, folder: bool = False) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target)
        self.target, self._lock = target, None
        while self._lock is None:
            self.path = part_beside(target)
            if folder:
                self.path.mkdir()
            self._lock = _locked(self.path, folder)

    def finish(self) -> None:
        """Give the part the name of its target."""
        if fcntl is None:
            self._release()
        self.path.replace(self.target)
        self._release()

    def drop(self) -> None:
        """Remove the part; after `finish` there is none."""
        if fcntl is None:
            self._release()
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)
        self._release()

    def _release(self) -> None:
        lock, self._lock = self._lock, -1
        if lock is not None and lock >= 0:
            os.close(lock)


def _locked(path: Path, folder: bool) -> int | None:
    """Open and lock a new part until the process ends; None if a sweep was faster, -1 for no lock.

    The lock is that of `flock`: the system lets go of it however the process ends.
    """
    if fcntl is None:
        return -1 if folder else os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(handle).st_ino:
            return handle
    except (BlockingIOError, FileNotFoundError):  # a sweep has it
        pass
    except OSError:  # no locks on this file system: no sweep will get one either
        return handle
    os.close(handle)
    return None


def sweep(target: Path) -> None:
    """Remove what killed writers of `target` have left, as found when this process first asked.

    However many files a process writes into a folder, it is listed once.
    """
    with contextlib.suppress(OSError):
        for name in _parts_in(target.parent).pop(part_mark(target.name), ()):
            remove_dead(target.with_name(name))


@functools.cache
def _parts_in(folder: Path) -> dict[str, list[str]]:
    """Names of all parts in a folder by their mark."""
    found: dict[str, list[str]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name):
                found.setdefault(entry.name.rpartition("-")[0], []).append(entry.name)
    return found


def remove_dead(part: Path) -> bool:
    """Remove a part unless its writer lives, or might.

    Returns:
        Whether it was removed.
    """
    folder = part.is_dir()
    if fcntl is None:
        if not folder:
            with contextlib.suppress(OSError):
                part.unlink()
                return True
        return False
    try:
        handle = os.open(part, (os.O_RDONLY if folder else os.O_RDWR) | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder:
            shutil.rmtree(part)
        else:
            part.unlink()
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def part_beside(path: Path) -> Path:
    """A new name for a part of `path`: `part_mark`, then a random number.

    Its length does not depend on the name of `path`.
    """
    return path.with_name(f"{part_mark(path.name)}-{secrets.token_hex(8)}.part")


def part_mark(name: str) -> str:
    """What the name of every part of a file `name` begins with, up to its last `-`."""
    return "." + hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
