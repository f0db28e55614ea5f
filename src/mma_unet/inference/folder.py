"""Fusing a list of pairs of files into a folder: skipping what is done, listing what failed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mma_unet.data import Pair, write_image
from mma_unet.data.storage import is_remote, size
from mma_unet.errors import InputError
from mma_unet.inference.engine import Engine
from mma_unet.inference.sources import Source
from mma_unet.parts import sweep

__all__ = ["Outcome", "Task", "fuse_files", "plan", "refuse_source"]


@dataclass(frozen=True)
class Task:
    """One pair of files and where its fused image goes."""

    pair: Pair
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a task: `"fused"`, `"skipped"` (done before) or `"failed"`.

    Attributes:
        task: The pair of files.
        status: One of those words.
        reason: Why it failed.
        note: What was done to the infrared samples; empty if nothing.
    """

    task: Task
    status: str
    reason: str = ""
    note: str = ""


def plan(pairs: Sequence[Pair], out: Path, suffix: str | None = None) -> list[Task]:
    """Name the output of each pair in the folder `out`: the pair's name, the extension of VI.

    Args:
        pairs: Pairs of files.
        out: Folder for the results.
        suffix: Extension of the results, e.g. `".png"`; that of the visible file by default.

    Raises:
        InputError: If a result would overwrite a source image.
    """
    tasks = [Task(pair, out / (pair.name + (suffix or pair.vi.suffix))) for pair in pairs]
    for task in tasks:
        refuse_source(task.target, task.pair)
    return tasks


def refuse_source(target: Path, pair: Pair) -> None:
    """Raise an `InputError` if `target` is one of the source images of `pair`."""
    for source in (pair.ir, pair.vi):
        if _real(target) == _real(source):
            raise InputError(f"{target} is a source image: choose another output for -o")


def _real(place: Path) -> object:
    """Where a place is, without links; never an error, also of a link that loops."""
    return place.resolve() if is_remote(place) else os.path.realpath(place)


def fuse_files(
    fuser: Engine, tasks: Sequence[Task], *, overwrite: bool = False, batch_size: int = 1
) -> Iterator[Outcome]:
    """Fuse pairs of files one batch after the other; one that fails does not stop the rest.

    Whatever is raised over a pair (a file that cannot be opened, too little memory, a fault of a
    library) is the outcome of that pair. Only an interruption of the program ends the batch.

    With the runtime `"auto"` all pairs run on the one that pays for `len(tasks)` of them, those
    done before included, so that a batch that is resumed gives the same images.

    Args:
        fuser: Does the work.
        tasks: What to fuse, from `plan`.
        overwrite: Fuse again what is there already.
        batch_size: Pairs of one size that are fused together.

    Yields:
        The outcome of each task, as it is known.
    """
    fuser.expect(len(tasks))
    waiting: list[Task] = []
    for task in tasks:
        try:
            if not is_remote(task.target):
                sweep(task.target)
            done = not overwrite and size(task.target)
        except InputError as error:
            yield _failed(task, error)
            continue
        if done:
            yield Outcome(task, "skipped")
        else:
            waiting.append(task)
    for start in range(0, len(waiting), batch_size):
        ready: list[tuple[Task, tuple[Source, Source]]] = []
        for task in waiting[start : start + batch_size]:
            try:
                ready.append((task, fuser.read(task.pair.ir, task.pair.vi)))
            except Exception as error:
                yield _failed(task, error)
        yield from _fuse(fuser, ready)


def _fuse(fuser: Engine, ready: list[tuple[Task, tuple[Source, Source]]]) -> Iterator[Outcome]:
    try:
        results = fuser.fuse_sources([sources for _, sources in ready])
    except Exception as error:
        if len(ready) == 1:
            yield _failed(ready[0][0], error)
            return
        results = None
    if results is None:  # find out which it is, with the memory of the attempt given back
        for item in ready:
            yield from _fuse(fuser, [item])
        return
    kept = [
        (task, ir.note, vi.alpha, None if fuser.strip else vi.metadata) for task, (ir, vi) in ready
    ]
    ready.clear()  # large sources are not held while the result is encoded
    for (task, note, alpha, metadata), image in zip(kept, results, strict=True):
        try:
            write_image(task.target, np.asarray(image), alpha=alpha, metadata=metadata)
        except Exception as error:
            yield _failed(task, error)
        else:
            yield Outcome(task, "fused", note=note)


def _failed(task: Task, error: Exception) -> Outcome:
    """The outcome of a pair over which `error` was raised, in one sentence that names the pair."""
    if isinstance(error, InputError):
        return Outcome(task, "failed", str(error))
    line = str(error).split("\n", 1)[0].strip()
    if isinstance(error, MemoryError):
        line = "not enough memory for this pair; set --max-memory or free some"
    what = f"{type(error).__name__}: {line}" if line else type(error).__name__
    return Outcome(task, "failed", f"{task.pair.vi} could not be fused ({what})")
