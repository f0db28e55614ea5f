"""Starting a quiet local Ray cluster, or joining one."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mma_unet.errors import InputError
from mma_unet.machine import cores

__all__ = ["Share", "cluster"]

_OBJECT_STORE = 200 * 2**20
"""Bytes of shared memory of a local cluster: only paths travel through it, never pixels."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # says nothing where the command shows its progress
    "RAY_worker_niceness": "0",  # as the local engine; Ray's 15 starves on a busy machine
}
"""Settings of a local cluster; what the user has set stays."""


@dataclass(frozen=True)
class Share:
    """What each worker gets.

    Attributes:
        workers: How many workers there are.
        threads: CPU threads per worker.
        gpus: GPUs per worker; a fraction where several share one.
    """

    workers: int
    threads: int
    gpus: float


@contextmanager
def cluster(workers: int | None = None, address: str | None = None) -> Iterator[Share]:
    """A Ray cluster for the time of the `with` block.

    Without an address it is started on this machine and stopped at the end; a cluster that this
    process is connected to already is used and left alone.

    Args:
        workers: How many workers are wanted; by default one per CPU, or one per GPU where the
            cluster has any.
        address: `"auto"` or the address of a running cluster.

    Raises:
        InputError: No cluster answers at `address`.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    loggers = [logging.getLogger(name) for name in ("ray", "ray.data")]
    levels = [logger.level for logger in loggers]
    started = not ray.is_initialized()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        if started:
            with _silent_stderr():
                _connect(workers, address)
        import ray.data  # sets up its logger anew

        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        yield _share(workers, resources, local=address is None)
    finally:
        if started:
            ray.shutdown()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Send what native code writes to standard error away: Ray's, on the level it logs at."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no file
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _connect(workers: int | None, address: str | None) -> None:
    import ray

    if address is None:
        _start(max(workers or 0, cores()))
        return
    try:
        _knock(address)
        ray.init(address, configure_logging=False, log_to_driver=False)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"no Ray cluster at {address} ({reason}): start one with `ray start --head`, or leave "
            "--ray-address out"
        ) from error


def _start(cpus: int, attempts: int = 2) -> None:
    """Start a local cluster; Ray gives its processes 30 s, too little on a crowded machine."""
    import ray

    for attempt in range(attempts):
        try:
            with _no_usage_process():
                ray.init(
                    "local",
                    num_cpus=cpus,
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE,
                    configure_logging=False,
                    log_to_driver=False,
                )
            return
        except Exception as error:  # Ray raises bare exceptions here
            ray.shutdown()
            if attempt + 1 == attempts:
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                raise InputError(
                    f"Ray does not start on this machine ({reason}): try again when it is less "
                    "busy, or use --engine local"
                ) from error


@contextmanager
def _no_usage_process() -> Iterator[None]:
    """Start Ray without the process that is left of its dashboard when that is off.

    All it does is to report usage, and though that is off too, it asks the metadata addresses of
    three clouds where it is, one of them by name.
    """
    from ray._private import services

    start: Any = services.start_api_server
    services.start_api_server = lambda *_, **__: (None, None)
    try:
        yield
    finally:
        services.start_api_server = start


def _knock(address: str) -> None:
    """Raise an `OSError` if nothing listens at `HOST:PORT`; Ray itself tries for a quarter hour."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _share(workers: int | None, resources: dict[str, float], *, local: bool) -> Share:
    """Divide the machine, or leave a joined cluster's workers one CPU each."""
    cpus, gpus = int(resources.get("CPU", 1)), resources.get("GPU", 0.0)
    count = workers or max(1, int(gpus) or cpus)
    threads = max(1, cores() // count) if local else 1
    each = gpus / count
    return Share(count, threads, float(int(each)) if each >= 1 else each)
