"""Scores kept between runs: an image is scored again only if something about it has changed.

A line of the file holds the image's name, a stamp, and its scores. The stamp stands for the names,
sizes and times of the three files, and for the source code of the metrics, so that neither
another image nor a mended metric can meet an old number.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from mma_unet.benchmark.scores import read_table, write_table
from mma_unet.benchmark.triples import Triple
from mma_unet.errors import InputError

__all__ = ["Row", "read_cache", "stamp", "triple_stamp", "write_cache"]

Row = tuple[str, list[float]]
"""A stamp and the scores in the order of the labels."""


def stamp(files: Iterable[Path]) -> str:
    """Digest of the paths, sizes and modification times of files; a missing one counts as such."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.resolve()).encode("utf-8", "surrogateescape"))
        with contextlib.suppress(OSError):
            state = file.stat()
            digest.update(f"|{state.st_size}|{state.st_mtime_ns}|".encode())
    return digest.hexdigest()[:16]


@functools.cache
def _metrics_stamp() -> str:
    digest = hashlib.sha256()
    folder = resources.files("mma_unet.metrics")
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def triple_stamp(triple: Triple) -> str:
    """The stamp of a triple and of the metrics as they are now."""
    made = triple.fused if isinstance(triple.fused, str) else ""
    files = [triple.ir, triple.vi, *([] if made else [Path(triple.fused)])]
    return f"{stamp(files)}{made}-{_metrics_stamp()}"


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
