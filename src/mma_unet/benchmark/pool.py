"""Scoring many triples, in this process or in several; one that fails does not stop the rest."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from mma_unet.benchmark.triples import Triple, load, stretched
from mma_unet.errors import InputError
from mma_unet.machine import cores

__all__ = ["Result", "ScorePool", "sensible_workers"]

_WORTH_A_WORKER = 24
"""Triples for which starting another process (some seconds for torch) pays off."""


@dataclass(frozen=True)
class Result:
    """What became of the triple at `index`: its scores by label, or why there are none."""

    index: int
    scores: dict[str, float] | None
    reason: str = ""


def sensible_workers(triples: int) -> int:
    """A number of processes for so many triples: one for few, at most one per processor."""
    return max(1, min(cores(), triples // _WORTH_A_WORKER))


class ScorePool:
    """Scores triples with one suite; a context manager that owns its worker processes.

    Args:
        suite: Names of the metrics.
        workers: Processes; 1 scores in this process. More are started when first needed, with
            one torch thread each, by `spawn`, so that threads of this process do no harm.

    Raises:
        InputError: `workers` is less than 1.
    """

    def __init__(self, suite: Sequence[str], workers: int = 1) -> None:
        if workers < 1:
            raise InputError(f"{workers} workers cannot score anything: give at least 1.")
        self.suite = tuple(suite)
        self.workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> ScorePool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def run(self, triples: Sequence[Triple], *, stretch: bool = False) -> Iterator[Result]:
        """Score triples; results come as they are known, in any order.

        Args:
            triples: What to score.
            stretch: Stretch each fused image min-max to the full range first.

        Raises:
            InputError: A worker process was ended from outside (usually for want of memory).
        """
        if self.workers == 1:
            for index, triple in enumerate(triples):
                yield _score(index, triple, self.suite, stretch)
            return
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers, multiprocessing.get_context("spawn"), _start_worker
            )
        try:
            futures = [
                self._executor.submit(_score, index, triple, self.suite, stretch)
                for index, triple in enumerate(triples)
            ]
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise InputError(
                "a worker process was ended from outside, perhaps for want of memory: "
                "use fewer workers."
            ) from None


def _start_worker() -> None:
    """One thread per worker; Ctrl-C is the parent's business."""
    import cv2
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _score(index: int, triple: Triple, suite: tuple[str, ...], stretch: bool) -> Result:
    import cv2

    from mma_unet.metrics import score

    try:
        fused, ir, vi = load(triple)
        return Result(index, score(stretched(fused) if stretch else fused, ir, vi, suite=suite))
    except InputError as error:
        return Result(index, None, str(error))
    except (MemoryError, OSError, RuntimeError, cv2.error) as error:
        return Result(index, None, f"{_file(triple)} could not be scored ({_reason(error)}).")


def _file(triple: Triple) -> Path:
    """The file to name where scoring failed: the fused one, of a baseline the visible one."""
    return triple.vi if isinstance(triple.fused, str) else triple.fused


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return "not enough memory" if isinstance(error, MemoryError) else lines[0].rstrip(".")
