"""`mma-unet` run as a process of its own, without the seconds that importing PyTorch takes.

A fork server imports the command once; each run is a fork of it with its own streams, folder and
environment, so that exit codes, messages and crashes are those of the real thing.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["mma_unet.cli.main", "mma_unet.inference", "tests.command"])


def mma_unet(
    *args: object, timeout: float = 300, prepare: Callable[[], object] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `mma-unet ARGS`, without a terminal, after `prepare()` in its process."""
    words = list(map(str, args))
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("out", "err")]
        given = (words, streams, Path.cwd(), {**os.environ}, prepare)
        process = _SERVER.Process(target=_child, args=given)
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout)
        out, err = (path.read_text(errors="replace") for path in streams)
        return subprocess.CompletedProcess(words, process.exitcode, out, err)


def _child(
    words: list[str],
    streams: list[Path],
    folder: Path,
    env: dict[str, str],
    prepare: Callable[[], object] | None,
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, path in enumerate(streams, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    sys.argv = ["mma-unet", *words]
    if prepare is not None:
        prepare()
    from mma_unet.cli.main import run

    run()
