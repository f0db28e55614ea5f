"""Threads at both ends of a stream, so that decoding, fusing and encoding overlap.

FFmpeg and PyTorch let go of the interpreter while they work, so threads are enough.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

__all__ = ["Ahead", "Behind"]

T = TypeVar("T")
_END = object()
_POLL_S = 0.1


class Ahead(Generic[T]):
    """Iterate over something that a thread produces a few items ahead.

    Args:
        items: What to iterate over; an exception in it is raised to whoever takes the item.
        depth: How many items may wait.
        drop: Drop the oldest waiting item rather than hold up the producer (for cameras).
    """

    def __init__(self, items: Iterable[T], depth: int = 4, *, drop: bool = False) -> None:
        self._items, self._drop = items, drop
        self._queue: queue.Queue[Any] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for item in self._items:
                self._put(item)
                if self._stop.is_set():
                    return
            self._put(_END)
        except Exception as error:  # raised again where the items are taken
            self._put(error)

    def _put(self, item: Any) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, block=not self._drop, timeout=_POLL_S)
                return
            except queue.Full:
                if self._drop:
                    try:
                        self._queue.get_nowait()
                    except queue.Empty:
                        continue

    def __iter__(self) -> Iterator[T]:
        """The items, until the producer ends or fails."""
        while True:
            item = self._queue.get()
            if item is _END:
                return
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._stop.set()
        self._thread.join()


class Behind(Generic[T]):
    """Hand items to a thread that works them off in order.

    Args:
        work: Called with each item in the thread.
        depth: How many items may wait.
    """

    def __init__(self, work: Callable[[T], None], depth: int = 4) -> None:
        self._work = work
        self._queue: queue.Queue[Any] = queue.Queue(depth)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if item is _END:
                return
            try:
                self._work(item)
            except Exception as error:  # raised again by `put` or `finish`
                self._error = error
                return

    def put(self, item: T) -> None:
        """Wait for room, then hand over one item; raises what the thread failed with."""
        self._put(item)

    def finish(self) -> None:
        """Wait until all is worked off; raises what the thread failed with."""
        self._put(_END)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Stop the thread, whatever still waits."""
        self._stop.set()
        self._thread.join()

    def _put(self, item: Any) -> None:
        while self._error is None:
            try:
                self._queue.put(item, timeout=_POLL_S)
                return
            except queue.Full:
                continue
        raise self._error
