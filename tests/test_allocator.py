"""Memory blocks kept by the process and given back, with a glibc and without."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mma_unet import allocator


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_the_allocator_is_set_by_the_command_and_not_by_the_library() -> None:
    code = (
        "import mma_unet, mma_unet.allocator as a, sys\n"
        "if len(sys.argv) > 1: import mma_unet.inference\n"
        "print(a.allocator_setting())\n"
        "sys.argv = ['mma-unet', '--version']\n"
        "from mma_unet.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(a.allocator_setting())\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC", "GLIBC", "LD_PRE"))}

    def settings(*words: str, **more: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**clean, **more},
            capture_output=True,
            text=True,
        )
        lines = done.stdout.splitlines()
        return [lines[0], lines[-1]]

    assert settings("library") == ["system default", "glibc, large blocks kept"]
    assert settings(MMA_UNET_ALLOCATOR="default") == ["system default", "system default"]
    assert settings(MALLOC_MMAP_THRESHOLD_="1000000000")[0] == "set by the environment"
    assert allocator.allocator_setting()


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_nothing_is_called_where_there_is_no_glibc(
    monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    """On Windows `ctypes.CDLL(None)` is a TypeError."""

    def refuse(name: object) -> SimpleNamespace:
        raise TypeError(name)

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    allocator.release_memory()
    assert allocator.keep_large_blocks() is allocator._kept
