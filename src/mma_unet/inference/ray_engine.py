"""The same `Fuser` in Ray Data actors: many pairs over many processes or machines.

Only paths and outcomes travel through Ray; each worker reads, fuses and writes by itself. A worker
that dies is replaced and its block of pairs is started again, then pair by pair under the eye of a
small counting actor: a pair that has killed two workers by itself is given up, so that it cannot
take its neighbors along or keep the job from ending.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from mma_unet.data import Pair
from mma_unet.data.storage import is_remote, list_files, remove_leftovers
from mma_unet.errors import InputError
from mma_unet.inference.folder import Outcome, Task, fuse_files
from mma_unet.inference.fuser import Fuser
from mma_unet.inference.ray_cluster import Share, cluster

__all__ = ["fuse_with_ray"]

_CHANCES = 2
"""How many workers may die of one pair, those not counted that died with it among others."""

_BLOCK = 16
"""Pairs per Ray task, unless there are so few that the workers would wait, or very many."""

Batch = dict[str, npt.NDArray[Any]]


def fuse_with_ray(
    make_fuser: Callable[[], Fuser],
    tasks: Sequence[Task],
    *,
    overwrite: bool = False,
    batch_size: int = 1,
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[Outcome]:
    """Fuse pairs of files in Ray actors; one that fails does not stop the rest.

    Each result is written atomically by the worker that made it. A pair whose worker died is fused
    again by another worker, unless its result was there already, so a pair can be computed more
    than once but has one file, and no `.part` file stays behind.

    Args:
        make_fuser: Called once in each worker; must be picklable, e.g. a `functools.partial` of
            `Fuser`.
        tasks: What to fuse, from `plan`; local paths or places from `locate`.
        overwrite: Fuse again what is there already.
        batch_size: Pairs of one size that are fused together.
        workers: Actors; by default one per GPU of the cluster or else one per CPU.
        address: `"auto"` or the address of a running cluster; by default one is started on this
            machine and stopped at the end.

    Yields:
        The outcome of each task, as it is known, in no fixed order.

    Raises:
        InputError: The cluster cannot be reached, or its workers cannot start.
    """
    done = set() if overwrite else _done(tasks)
    yield from (Outcome(tasks[i], "skipped") for i in sorted(done))
    waiting = {i: task for i, task in enumerate(tasks) if i not in done}
    if not waiting:
        return
    targets = [task.target for task in waiting.values()]
    remove_leftovers(targets)
    try:
        with cluster(workers, address) as share:
            settings = {"overwrite": overwrite, "batch_size": batch_size}
            size = _block_size(len(waiting), share.workers, batch_size)
            run = _run(make_fuser, dict(waiting), share, size, len(tasks), settings)
            for index, outcome in run:
                del waiting[index]
                yield outcome
    finally:
        remove_leftovers(targets)
    if waiting:
        raise InputError(
            f"Ray lost {len(waiting)} of {len(tasks)} pairs: run the same command again to go on"
        )


class _Worker:
    """The actor: one `Fuser`, asked for block after block."""

    def __init__(
        self,
        make_fuser: Callable[[], Fuser],
        threads: int,
        starts: Any,
        pairs: int,
        settings: Mapping[str, Any],
    ) -> None:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        self.fuser = make_fuser()
        self.fuser.expect(pairs)  # of the whole job, so that all blocks run on one runtime
        self.starts = starts
        self.settings = dict(settings)

    def __call__(self, batch: Batch) -> Batch:
        """Fuse a block.

        Args:
            batch: `"index"` and `"task"`, the latter pickled: file names need not be text.

        Returns:
            `"index"`, and `"outcome"`, status, reason and note, pickled.
        """
        tasks = [pickle.loads(data) for data in batch["task"]]
        indices = [int(index) for index in batch["index"]]
        if self._start(f"block {indices[0]}") == 1:
            outcomes = self._fuse(tasks)
        else:
            outcomes = [
                outcome
                for index, task in zip(indices, tasks, strict=True)
                for outcome in self._fuse_restarted(index, task)
            ]
        by_task = {id(outcome.task): (outcome.status, outcome.reason, outcome.note)
                   for outcome in outcomes}  # fmt: skip
        packed = [pickle.dumps(by_task[id(task)]) for task in tasks]
        return {"index": batch["index"], "outcome": np.array(packed, dtype=object)}

    def _start(self, what: str) -> int:
        """Count a start; the number of starts so far, this one included."""
        import ray

        count: int = ray.get(self.starts.add.remote(what))
        return count

    def _fuse_restarted(self, index: int, task: Task) -> list[Outcome]:
        if self._start(f"pair {index}") > _CHANCES:
            reason = (
                f"{task.pair.ir} and {task.pair.vi}: {_CHANCES} workers died while they fused this "
                "pair; look for too little memory, or leave the pair out"
            )
            return [Outcome(task, "failed", reason)]
        return self._fuse([task])

    def _fuse(self, tasks: Sequence[Task]) -> list[Outcome]:
        outcomes = fuse_files(self.fuser, tasks, **self.settings)
        # What is there although it was not before this job: the work of a worker that died.
        return [replace(o, status="fused") if o.status == "skipped" else o for o in outcomes]


def _run(
    make_fuser: Callable[[], Fuser],
    tasks: Mapping[int, Task],
    share: Share,
    size: int,
    pairs: int,
    settings: Mapping[str, Any],
) -> Iterator[tuple[int, Outcome]]:
    """Outcomes of tasks with their index, as they are known."""
    import ray
    from ray.data import ActorPoolStrategy

    rows = [
        {"index": index, "task": pickle.dumps(_absolute(task))} for index, task in tasks.items()
    ]
    blocks = -(-len(rows) // size)
    data = ray.data.from_items(rows, override_num_blocks=blocks)
    data.context.enable_progress_bars = False
    data.context.print_on_execution_start = False
    starts = _counter()
    results = data.map_batches(
        _Worker,
        batch_size=None,
        batch_format="numpy",
        compute=ActorPoolStrategy(size=min(share.workers, blocks)),  # restarts without limit
        fn_constructor_args=(make_fuser, share.threads, starts, pairs, settings),
        num_cpus=1,
        num_gpus=share.gpus or None,
    )
    try:
        for batch in results.iter_batches(
            batch_size=None, prefetch_batches=0, batch_format="numpy"
        ):
            for index, packed in zip(batch["index"], batch["outcome"], strict=True):
                yield int(index), Outcome(tasks[int(index)], *pickle.loads(packed))
    except ray.exceptions.RayError as error:
        raise InputError(f"the Ray job stopped: {_cause(error)}") from error
    finally:
        ray.kill(starts)


def _counter() -> Any:
    """An actor that counts by name; defined here so that its process need not import torch."""
    import ray

    class Counter:
        def __init__(self) -> None:
            self.counts: dict[str, int] = {}

        def add(self, name: str) -> int:
            self.counts[name] = self.counts.get(name, 0) + 1
            return self.counts[name]

    return ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Counter).remote()


def _done(tasks: Sequence[Task]) -> set[int]:
    """Which results are there and not empty, by one listing per output folder."""
    folders: dict[Path, dict[str, int | None]] = {}
    done = set()
    for index, task in enumerate(tasks):
        folder = task.target.parent
        if folder not in folders:
            folders[folder] = list_files(folder)
        if folders[folder].get(task.target.name, 0) != 0:
            done.add(index)
    return done


def _block_size(count: int, workers: int, batch_size: int) -> int:
    """Pairs per block: whole batches, several blocks per worker, not over 10,000 blocks."""
    size = max(1, min(_BLOCK, count // (4 * workers)), count // 10_000)
    return -(-size // batch_size) * batch_size


def _absolute(task: Task) -> Task:
    """The task as workers with another working directory understand it."""
    ir, vi, target = (
        place if is_remote(place) else place.absolute()
        for place in (task.pair.ir, task.pair.vi, task.target)
    )
    return Task(Pair(task.pair.name, ir, vi), target)


def _cause(error: Exception) -> str:
    """The reason in one line: the last of the remote traceback."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    last = lines[-1].strip() if lines else type(error).__name__
    return last.removeprefix(f"{InputError.__module__}.{InputError.__name__}: ")
