"""Files on disk and behind fsspec URLs (`s3://`, `gs://`, `memory://` ...) through one interface.

A place is a `pathlib.Path`, or for a URL a `upath.UPath`, which has the methods of `Path` that this
package uses and is typed as one. What differs between the two stands here: bytes in, bytes out
and listing a folder.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from mma_unet.errors import InputError
from mma_unet.files import kind_of, replacing
from mma_unet.parts import part_beside, part_mark, remove_dead

__all__ = [
    "as_place",
    "is_remote",
    "list_files",
    "locate",
    "read_bytes",
    "remove_leftovers",
    "size",
    "upload",
    "write_atomically",
]

_RENAMING = {"local", "sftp", "ssh", "hdfs", "arrow_hdfs", "webhdfs", "webHDFS", "smb"}
"""Protocols of file systems, where a file that is being written can be seen; the others are object
stores, where an object appears when its upload is complete."""


def locate(text: str | os.PathLike[str]) -> Path:
    """The place that a path or URL names.

    Args:
        text: A path, `file://` and a path, or any URL that fsspec knows, e.g. `s3://bucket/folder`.

    Returns:
        A `Path`; for URLs other than `file://` a `UPath`, typed as a `Path`.

    Raises:
        InputError: The path cannot be looked at (see `mma_unet.files.kind_of`), a package for the
            URL is not installed, its protocol is unknown, or its store does not answer.

    Example:
        >>> locate("file:///data/a.png").as_posix(), locate("a//b.png").as_posix()
        ('/data/a.png', 'a/b.png')
    """
    text = os.fspath(text)
    protocol, mark, rest = text.partition("://")
    if not mark or not re.fullmatch(r"[A-Za-z][\w+.\-]*", protocol):
        kind_of(text)
        return Path(text)
    if protocol == "file":
        kind_of(rest)
        return Path(rest)
    try:
        from upath import UPath
    except ImportError:
        raise InputError(
            f"{text}: URLs need a package that is not installed: pip install 'mma-unet[cloud]'"
        ) from None
    try:
        place = UPath(text)
        place.exists()  # loads the client of this protocol and asks the store for the first time
    except ImportError as error:
        raise InputError(f"{text}: {error}") from None
    except ValueError as error:
        raise InputError(f"{text} is no URL that can be used ({error}): check it.") from None
    except Exception as error:  # clients of stores have exceptions of their own
        raise InputError(
            f"{text} cannot be reached ({_reason(error)}): check the URL and the credentials."
        ) from None
    return cast(Path, place)


def as_place(place: str | Path) -> Path:
    """What `locate` gives for text; a place as it is."""
    return locate(place) if isinstance(place, str) else place


def is_remote(path: object) -> bool:
    """Whether a place from `locate` is behind a URL."""
    return hasattr(path, "fs") and hasattr(path, "protocol")


def read_bytes(path: Path) -> bytes:
    """The whole content of a file.

    Raises:
        InputError: The file is missing, a folder, no regular file, empty or unreadable.
    """
    kind = None if is_remote(path) else kind_of(path)
    if kind == "special":
        raise InputError(
            f"{path} is a named pipe, a device or a socket, which is not read: give a regular file."
        )
    try:
        if kind == "folder":
            raise IsADirectoryError
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: check the path.") from None
    except IsADirectoryError:
        raise InputError(
            f"{path} is a folder where an image file is needed: name a file in it."
        ) from None
    except Exception as error:
        _refuse_own_fault(path, error)
        raise InputError(
            f"{path} cannot be read ({_reason(error)}): check its permissions."
        ) from None
    if not data:
        raise InputError(f"{path} is an empty file: copy or download it again.")
    return data


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Write a file so that it appears whole under its name, or not at all.

    On file systems a hidden `.part` file beside it is written and renamed; on object stores the
    object is put in one call. Missing parent folders are created.

    Raises:
        InputError: The place cannot be written.
    """
    try:
        if is_remote(path):
            _put(path, lambda place: place.fs.pipe_file(place.path, bytes(data)))
            return
        kind = kind_of(path)
        if kind == "folder":
            raise InputError(f"{path} is a folder: give the output a file name.")
        if kind == "special":
            raise InputError(f"{path} is a named pipe or a device: give the output a file name.")
        with replacing(path) as part:
            part.write_bytes(data)
    except InputError:
        raise
    except Exception as error:
        _refuse_own_fault(path, error)
        raise InputError(
            f"{path} cannot be written ({_reason(error)}): choose another output folder or fix "
            "its permissions."
        ) from error


def upload(file: Path, path: Path) -> None:
    """Copy a local file to a place behind a URL, where it appears whole or not at all.

    Raises:
        InputError: The place cannot be written.
    """
    try:
        _put(path, lambda place: place.fs.put_file(str(file), place.path))
    except Exception as error:  # clients of stores have exceptions of their own
        raise InputError(
            f"{path} cannot be written ({_reason(error)}): choose another output or fix its "
            "permissions."
        ) from error


def _put(path: Path, send: Callable[[Any], object]) -> None:
    place = cast(Any, path)
    if place.protocol not in _RENAMING:
        send(place)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary: Any = part_beside(place)
    try:
        send(temporary)
        place.fs.mv(temporary.path, place.path)
    finally:
        if place.fs.exists(temporary.path):
            place.fs.rm_file(temporary.path)


def size(path: Path) -> int | None:
    """Bytes of a regular file; None if there is none.

    Raises:
        InputError: The place cannot be looked at.
    """
    try:
        there = path.is_file() if is_remote(path) else kind_of(path) == "file"
        return path.stat().st_size if there else None
    except InputError:
        raise
    except Exception as error:
        _refuse_own_fault(path, error)
        raise InputError(
            f"{path} cannot be looked at ({_reason(error)}): check its permissions."
        ) from None


def list_files(folder: Path) -> dict[str, int | None]:
    """Names and sizes in bytes of the files in a folder, by one listing; empty if it is not there.

    A size is None where the store does not tell it, and for what is named like a file but cannot
    be looked at or is none (a link that loops or leads nowhere, a named pipe): whoever reads it is
    told which.

    Raises:
        InputError: The folder cannot be listed.
    """
    try:
        if is_remote(folder):
            place = cast(Any, folder)
            place.fs.invalidate_cache(place.path)
            found = place.fs.ls(place.path, detail=True)
            return {
                item["name"].rstrip("/").rpartition("/")[2]: item.get("size")
                for item in found
                if item["type"] == "file"
            }
        sizes: dict[str, int | None] = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # removed in this moment
                    if not _is_folder(entry):
                        sizes[entry.name] = _size_of(entry)
        return sizes
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except Exception as error:
        _refuse_own_fault(folder, error)
        raise InputError(
            f"{folder} cannot be listed ({_reason(error)}): check its permissions."
        ) from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _size_of(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size if entry.is_file() else None
    except FileNotFoundError:
        raise
    except OSError:
        return None


def remove_leftovers(targets: Iterable[Path]) -> int:
    """Remove the `.part` files that writers of these files left behind when they were killed.

    On disk those of living writers stay; behind a URL they cannot be told, so there this is only
    for a moment when nobody writes these files.

    Returns:
        How many were removed.
    """
    folders: dict[Path, set[str]] = {}
    for target in targets:
        folders.setdefault(target.parent, set()).add(part_mark(target.name))
    removed = 0
    for folder, marks in folders.items():
        for name in list_files(folder):
            if not name.endswith(".part") or name.rpartition("-")[0] not in marks:
                continue
            if is_remote(folder):
                (folder / name).unlink(missing_ok=True)
                removed += 1
            else:
                removed += remove_dead(folder / name)
    return removed


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__


def _refuse_own_fault(path: Path, error: Exception) -> None:
    """Let through what is no trouble with storage: on disk, everything but an `OSError`.

    Clients of object stores raise exceptions of their own.
    """
    if not is_remote(path) and not isinstance(error, OSError):
        raise error
