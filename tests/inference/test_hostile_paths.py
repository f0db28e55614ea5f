"""Paths that block, loop or cannot be looked at: one sentence each, and the batch goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mma_unet.data import find_pairs, read_image, write_image
from mma_unet.data.storage import locate, size, write_atomically
from mma_unet.errors import InputError
from mma_unet.files import kind_of
from mma_unet.inference import Fuser, fuse_files, plan
from mma_unet.inference.folder import refuse_source
from tests.command import mma_unet
from tests.conftest import make_pairs

if os.name != "posix":
    pytest.skip("named pipes and links as POSIX has them", allow_module_level=True)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def socket(path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket has 108 bytes at most
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def two_loops(path: Path) -> None:
    other = path.with_name(f"x{path.name}.link")
    path.symlink_to(other.name)
    other.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere.png")


def folder(path: Path) -> None:
    path.mkdir()


BLOCKS = "is a named pipe, a device or a socket, which is not read"
LOOPS = "is a link that leads back to itself"
KINDS: list[tuple[Callable[[Path], None], str]] = [
    (pipe, BLOCKS), (device, BLOCKS), (socket, BLOCKS), (loop, LOOPS), (two_loops, LOOPS),
    (dangling, "does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), [*KINDS, (folder, "is a folder")])
def test_only_regular_files_are_read(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "a.png"
    make(path)
    for place in (path, str(path), f"file://{path}"):
        with pytest.raises(InputError, match=words) as caught:
            read_image(place)
        assert str(caught.value).startswith(f"{path} ")


@pytest.mark.parametrize(("make", "words"), KINDS)
@pytest.mark.parametrize("side", ["ir", "vi"])
def test_a_bad_entry_does_not_stop_the_batch(
    tmp_path: Path, weights: Path, make: Callable[[Path], None], words: str, side: str
) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b", "c"])
    (tmp_path / side / "b.png").unlink()
    make(tmp_path / side / "b.png")
    tasks = plan(find_pairs(ir, vi).pairs, tmp_path / "out")
    outcomes = {o.task.pair.name: o for o in fuse_files(Fuser(weights, device="cpu"), tasks)}
    assert {n: o.status for n, o in outcomes.items()} == {
        "a": "fused", "b": "failed", "c": "fused",
    }  # fmt: skip
    assert words in outcomes["b"].reason


@pytest.mark.parametrize("make", [pipe, device, loop])
def test_a_target_that_is_no_file_is_not_written(
    tmp_path: Path, weights: Path, make: Callable[[Path], None]
) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"])
    target = tmp_path / "out" / "a.png"
    target.parent.mkdir()
    make(target)
    tasks = plan(find_pairs(ir, vi).pairs, tmp_path / "out")
    outcomes = {o.task.pair.name: o for o in fuse_files(Fuser(weights, device="cpu"), tasks)}
    assert {n: o.status for n, o in outcomes.items()} == {"a": "failed", "b": "fused"}
    assert str(target) in outcomes["a"].reason
    assert not target.is_file()


LONG = "x" * 300 + ".png"


@pytest.mark.parametrize("name", [LONG, f"{'y' * 270}/a.png", "/".join(["z" * 200] * 25), "a\0b"])
def test_names_that_no_system_takes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for action in (
        lambda: kind_of(path),
        lambda: locate(str(path)),
        lambda: read_image(path),
        lambda: size(path),
        lambda: write_atomically(path, b"1"),
        lambda: find_pairs(path, path),
        lambda: find_pairs(str(path), tmp_path),
    ):
        with pytest.raises(InputError, match=r"too long|null byte"):
            action()


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"caf\xe9.png", b"a\xc3.png"])
def test_names_that_are_no_utf8_are_fused(tmp_path: Path, weights: Path, name: bytes) -> None:
    ir, vi = make_pairs(tmp_path, ["a"])
    for place in (ir, vi):
        (place / "a.png").rename(place / os.fsdecode(name))
    tasks = plan(find_pairs(ir, vi).pairs, tmp_path / "out")
    assert [o.status for o in fuse_files(Fuser(weights, device="cpu"), tasks)] == ["fused"]
    assert os.listdir(os.fsencode(tmp_path / "out")) == [name]  # noqa: PTH208


def test_a_source_behind_a_loop_is_told_from_the_target(tmp_path: Path) -> None:
    loop(tmp_path / "b.png")
    ir, vi = make_pairs(tmp_path, ["b"])
    pair = find_pairs(ir, vi).pairs[0]
    refuse_source(tmp_path / "b.png", pair)
    (tmp_path / "link.png").symlink_to(vi / "b.png")
    with pytest.raises(InputError, match="is a source image"):
        refuse_source(tmp_path / "link.png", pair)


_AS_NOBODY = """
import os, sys
os.umask(0)
sys.path[:0] = sys.argv[3].split(os.pathsep)
from mma_unet.data.storage import list_files, read_bytes, size
from mma_unet.files import kind_of
from mma_unet.errors import InputError
from pathlib import Path
os.setgid(65534); os.setuid(65534)
listed, hidden = Path(sys.argv[1]), Path(sys.argv[2])
print(sorted(list_files(listed).items()))
for action in (kind_of, read_bytes, size):
    try:
        print(action(listed / "a.png"))
    except InputError as error:
        print(error)
try:
    list_files(hidden)
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="becomes another user")
def test_folders_without_search_right(tmp_path: Path) -> None:
    listed, hidden = tmp_path / "listed", tmp_path / "hidden"
    for place in (listed, hidden):
        write_image(place / "a.png", np.zeros((4, 4), np.uint8))
    listed.chmod(0o744)  # names can be listed, files not be looked at
    hidden.chmod(0o700)
    for parent in tmp_path.parents:
        if parent.owner() == "root" and parent.is_relative_to("/tmp/pytest-of-root"):
            parent.chmod(0o755)
    tmp_path.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(listed), str(hidden), os.pathsep.join(sys.path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = run.stdout.splitlines()
    assert lines[0] == "[('a.png', None)]", run.stderr
    refusal = f"{listed}/a.png cannot be looked at (Permission denied): check its permissions."
    assert lines[1:4] == [refusal] * 3
    assert lines[4] == f"{hidden} cannot be listed (Permission denied): check its permissions."


@pytest.mark.parametrize("command", ["fuse", "evaluate"])
def test_the_command_line_says_it_in_one_sentence(tmp_path: Path, command: str) -> None:
    loop(tmp_path / "loop")
    pipe(tmp_path / "pipe.png")
    write_image(tmp_path / "a.png", np.zeros((8, 8), np.uint8))
    for bad, words in (
        (tmp_path / LONG, "too long"),
        (tmp_path / "loop", "leads back to itself"),
        (tmp_path / "loop" / "a.png", "leads back to itself"),
        (tmp_path / "pipe.png", BLOCKS),
    ):
        arguments = [bad, tmp_path / "a.png", tmp_path / "a.png"]
        if command == "fuse":
            arguments = [bad, tmp_path / "a.png", "-o", tmp_path / "out.png"]
        result = mma_unet(command, *arguments)
        assert result.returncode == (1 if bad.name == "pipe.png" else 2), result.stderr
        assert "Traceback" not in result.stderr
        assert words in result.stderr
