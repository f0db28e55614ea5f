"""Scores kept between runs: an image is scored again only if something about it has changed.

A line of the file holds the image's name, a stamp, and its scores. The stamp stands for the names,
sizes and times of the three files, for whether the output was stretched, and for the source code
that reads and scores images, so that neither another image nor a mended metric can meet an old
number.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import mma_unet
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

SCORING = ("mma_unet.metrics", "mma_unet.benchmark.triples")
"""Where a score of three files is made; baselines are made in `triples`."""
FUSING = ("mma_unet.inference.fuser", "mma_unet.inference.folder")
"""Where a fused file is made of two files and weights."""


def stamp(files: Iterable[Path]) -> str:
    """Digest of the paths, sizes and modification times of files; a missing one counts as such."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.resolve()).encode("utf-8", "surrogateescape"))
        with contextlib.suppress(OSError):
            state = file.stat()
            digest.update(f"|{state.st_size}|{state.st_mtime_ns}|".encode())
    return digest.hexdigest()[:16]


def code_stamp(*modules: str) -> str:
    """Digest of the source of modules of this package and of all that they import of it.

    Imports are followed wherever they stand, in functions too. Of a package all modules count,
    since it may gather them at run time.

    Args:
        modules: Where to start, as `"mma_unet.metrics"`.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_sources(modules).items()):
        digest.update(name.encode() + b"|" + path.read_bytes())
    return digest.hexdigest()[:8]


def _sources(modules: Iterable[str]) -> dict[str, Path]:
    """Files by module name: `modules` and what they import of this package, over any steps."""
    root, found, waiting = Path(mma_unet.__file__).parent, {}, list(modules)
    while waiting:
        name = waiting.pop()
        place = root.joinpath(*name.split(".")[1:])
        files = [place.with_suffix(".py")]
        if place.is_dir():
            files = [*place.glob("*.py")]
            waiting += [f"{name}.{child.name}" for child in place.iterdir() if child.is_dir()]
        for file in files:
            inside = ".".join([name, file.stem] if place.is_dir() else [name])
            if name != "mma_unet" and inside not in found and file.is_file():
                found[inside] = file
                waiting += _imported(file)
    return found


def _imported(file: Path) -> list[str]:
    """The modules of this package that a file imports; a name in one counts as a module too."""
    names = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith("mma_unet.")]


def triple_stamp(triple: Triple, stretch: bool, code: str) -> str:
    """The stamp of a triple.

    Args:
        triple: What is scored.
        stretch: Whether its output is stretched first.
        code: `code_stamp(*SCORING)`.
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
