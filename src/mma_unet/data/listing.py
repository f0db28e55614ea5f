"""The files that may be paired: those of a folder, or of all folders in it, and what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mma_unet.data.names import IR, VI, Words, counted, natural_key
from mma_unet.data.storage import is_remote, list_files, read_bytes
from mma_unet.errors import InputError

__all__ = ["Entry", "holds_deeper", "list_entries", "split_entries"]

_DEEPEST = 32
_MARK = b"FLIR\0"
_JPEG = (".jpg", ".jpeg")


@dataclass(frozen=True)
class Entry:
    """One file to pair.

    Attributes:
        path: The file.
        folders: The folders it lies in below the one that was searched.
    """

    path: Path
    folders: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return self.path.stem

    @property
    def name(self) -> str:
        """The name below the folder that was searched."""
        return "/".join((*self.folders, self.path.name))

    def place(self, words: Words, *, drop: bool = False) -> tuple[str, ...]:
        """Its folders without words of a modality; with `drop` without the folders that have one.

        Example:
            >>> Entry(Path("a.png"), ("set00", "lwir")).place(IR)
            ('set00',)
        """
        bare = ((folder, words.strip(folder)) for folder in self.folders)
        kept = (
            folder if rest is None else rest
            for folder, rest in bare
            if not (drop and rest is not None)
        )
        return tuple(folder for folder in kept if folder)


def list_entries(
    folder: Path, suffixes: Sequence[str], *, recursive: bool = False, depth: int = _DEEPEST
) -> tuple[list[Entry], list[str]]:
    """The files of these endings in a folder, in natural order; hidden ones are left out.

    Args:
        folder: Where to search.
        suffixes: Endings in lower case.
        recursive: Search the folders in it too. A link to a folder is followed once.
        depth: How many folders deep.

    Returns:
        The files, and a sentence for each folder inside that cannot be listed.

    Raises:
        InputError: The folder itself cannot be listed.
    """
    problems: list[str] = []
    entries: list[Entry] = []
    walk = _walk(folder, depth, problems) if recursive else iter([((), folder)])
    for folders, place in walk:
        try:
            names = list_files(place)
        except InputError as error:
            if not folders:
                raise
            problems.append(str(error))
            continue
        entries += [
            Entry(place / name, folders)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    entries.sort(
        key=lambda entry: [natural_key(part) for part in (*entry.folders, entry.path.name)]
    )
    return entries, problems


def holds_deeper(folder: Path, suffixes: Sequence[str]) -> bool:
    """Whether a folder in this folder holds such a file."""
    return any(
        Path(name).suffix.lower() in suffixes
        for folders, place in _walk(folder, _DEEPEST, [])
        if folders
        for name in list_files(place)
    )


def split_entries(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Tell the infrared from the visible files that lie together.

    The folder says it, the innermost first, else the file's own name. Where neither does, a
    picture with a camera's own number is infrared if it carries a FLIR camera's thermal data, and
    visible if it lies among such.

    Returns:
        The infrared and the visible files; one whose names say nothing is in none of them.
    """
    ir: list[Entry] = []
    vi: list[Entry] = []
    numbered: list[Entry] = []
    for entry in entries:
        kinds = (_kind(name) for name in (*reversed(entry.folders), entry.stem))
        kind = next(filter(None, kinds), None)
        if kind is not None:
            (ir if kind is IR else vi).append(entry)
        elif counted(entry.stem) is not None and entry.path.suffix.lower() in _JPEG:
            numbered.append(entry)
    thermal = {entry for entry in numbered if _is_thermal(entry.path)}
    if thermal:
        ir += [entry for entry in numbered if entry in thermal]
        vi += [entry for entry in numbered if entry not in thermal]
    return ir, vi


def _kind(name: str) -> Words | None:
    is_ir, is_vi = (words.strip(name) is not None for words in (IR, VI))
    return None if is_ir == is_vi else IR if is_ir else VI


def _is_thermal(path: Path) -> bool:
    """Whether a JPEG has a segment of thermal data as cameras of FLIR write it."""
    try:
        return _MARK in read_bytes(path)[: 2**16]
    except InputError:
        return False


def _walk(folder: Path, depth: int, problems: list[str]) -> Iterator[tuple[tuple[str, ...], Path]]:
    """The folder and those in it, each with the names that lead to it; each real one once."""
    waiting: list[tuple[tuple[str, ...], Path]] = [((), folder)]
    seen: set[Path] = set()
    while waiting:
        folders, place = waiting.pop()
        try:
            real = place if is_remote(place) else place.resolve()
            if real in seen:
                continue
            seen.add(real)
            yield folders, place
            if len(folders) < depth:
                inner = [p for p in place.iterdir() if not p.name.startswith(".") and p.is_dir()]
                waiting += [((*folders, p.name), p) for p in inner]
        except (OSError, RuntimeError) as error:  # a link that leads to itself is one of the two
            problems.append(f"{place} cannot be listed ({getattr(error, 'strerror', error)}).")
