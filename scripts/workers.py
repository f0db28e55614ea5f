"""Several trainings side by side, one core each: what the study scripts share."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import torch
from rich.progress import track

Item = TypeVar("Item")
Result = TypeVar("Result")


def quiet() -> None:
    """Call first in a worker: one thread, and nothing of Lightning's on the terminal."""
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")


def in_parallel(
    task: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[Result]:
    """`task` of each item, in order, by `jobs` processes, under a progress bar."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from track(pool.map(task, items), "Training", len(items))
