"""Scores kept between runs: an image is scored again only if something about it has changed.

A line of the file holds the image's name, a stamp, and its scores. The stamp stands for the names,
sizes and times of the three files, for whether the output was stretched, and for the source code
that reads and scores images, so that neither another image nor a mended metric can meet an old
number.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from mma_unet.benchmark.triples import Triple
from mma_unet.errors import InputError
from mma_unet.tables import read_table, write_table

__all__ = [
    "FUSING",
    "SCORING",
    "Row",
    "code_stamp",
    "read_cache",
    "stamp",
    "triple_stamp",
    "write_cache",
]

Row = tuple[str, list[float]]
"""A stamp and the scores in the order of the labels."""

SCORING = {"metrics": "*.py", "benchmark": "triples.py", "data": "images.py", "": "pyramid.py"}
"""The code that makes a score of three files; `triples.py` and `pyramid.py` are the baselines."""
FUSING = {"inference": "*.py", "models": "*.py", "data": "images.py"}
"""The code that makes a fused file of two files and weights."""


def stamp(files: Iterable[Path]) -> str:
    """Digest of the paths, sizes and modification times of files; a missing one counts as such."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.resolve()).encode("utf-8", "surrogateescape"))
        with contextlib.suppress(OSError):
            state = file.stat()
            digest.update(f"|{state.st_size}|{state.st_mtime_ns}|".encode())
    return digest.hexdigest()[:16]


def code_stamp(parts: Mapping[str, str]) -> str:
    """Digest of source code of this package.

    Args:
        parts: Pattern of the files' names, by the sub-package they lie in; `""` is the package.
    """
    digest = hashlib.sha256()
    for file in _sources(parts):
        digest.update(file.name.encode() + b"|" + file.read_bytes())
    return digest.hexdigest()[:8]


def _sources(parts: Mapping[str, str]) -> list[Traversable]:
    """The files that `code_stamp` digests, in a fixed order."""
    return [
        file
        for part, pattern in parts.items()
        for file in sorted((resources.files("mma_unet") / part).iterdir(), key=lambda f: f.name)
        if fnmatch.fnmatch(file.name, pattern)
    ]


def triple_stamp(triple: Triple, stretch: bool, code: str) -> str:
    """The stamp of a triple.

    Args:
        triple: What is scored.
        stretch: Whether its output is stretched first.
        code: `code_stamp(SCORING)`.
    """
    made = triple.fused if isinstance(triple.fused, str) else ""
    files = [triple.ir, triple.vi, *([] if made else [Path(triple.fused)])]
    return f"{stamp(files)}{made}{'-stretched' if stretch else ''}-{code}"


def read_cache(path: Path, labels: Sequence[str]) -> dict[str, Row]:
    """What `write_cache` wrote, by image; empty if it is not there or of other metrics."""
    try:
        header, rows = read_table(path)
        if header != ["name", "stamp", *labels]:
            return {}
        return {row[0]: (row[1], [float(cell) for cell in row[2:]]) for row in rows}
    except (InputError, ValueError):
        return {}


def write_cache(path: Path, labels: Sequence[str], rows: Mapping[str, Row]) -> None:
    """Write the scores of one method, atomically."""
    table = [[name, mark, *_plain(values)] for name, (mark, values) in rows.items()]
    write_table(path, ["name", "stamp", *labels], table)


def _plain(values: Sequence[float]) -> list[float | str]:
    return ["nan" if math.isnan(value) else value for value in values]
