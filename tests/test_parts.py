"""What killed writers leave is removed by the next that writes the same file, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mma_unet import parts
from mma_unet.data import Pair, write_image
from mma_unet.data.storage import remove_leftovers
from mma_unet.data.video_writer import VideoWriter
from mma_unet.files import replacing, write_text
from mma_unet.inference import Fuser, Task, fuse_files
from mma_unet.parts import Part, part_beside, remove_dead
from tests.conftest import make_pairs
from tests.videos import colors

fcntl = pytest.importorskip("fcntl")

WRITERS = {
    "text": lambda target: write_text(target, "x"),
    "image": lambda target: write_image(target, np.zeros((4, 4), np.uint8)),
    "video": lambda target: _video(target).finish(),
}


def _video(target: Path) -> VideoWriter:
    writer = VideoWriter(target, Fraction(25), Fraction(1, 25))
    writer.write(Fraction(0), colors(1)[0])
    return writer


@pytest.fixture(autouse=True)
def _new_process() -> None:
    """Folders are listed as if by a process that has not seen them."""
    parts._parts_in.cache_clear()


def dead(target: Path) -> Path:
    """What a writer leaves that was killed."""
    part = part_beside(target)
    part.write_bytes(b"half")
    return part


@pytest.mark.parametrize(
    ("kind", "suffix"), [("text", ".csv"), ("image", ".png"), ("video", ".mp4")]
)
def test_the_next_writer_of_the_same_file_cleans_up(tmp_path: Path, kind: str, suffix: str) -> None:
    target = tmp_path / f"a{suffix}"
    other = dead(tmp_path / f"b{suffix}")
    mine = tmp_path / ".my-own.part"
    mine.touch()
    for _ in range(3):
        dead(target)
    WRITERS[kind](target)
    assert sorted(tmp_path.iterdir()) == sorted([target, other, mine])


@pytest.mark.parametrize("kind", ["text", "image", "video"])
def test_a_living_writer_is_left_alone(tmp_path: Path, kind: str) -> None:
    """It writes the same file at the same time, and whoever ends last wins."""
    target = tmp_path / {"text": "a.csv", "image": "a.png", "video": "a.mp4"}[kind]
    slow = _video(target) if kind == "video" else Part(target)
    path = slow._part.path if isinstance(slow, VideoWriter) else slow.path
    parts._parts_in.cache_clear()
    WRITERS[kind](target)
    assert path.exists()
    assert remove_leftovers([target]) == 0
    slow.finish()
    assert list(tmp_path.iterdir()) == [target]


def test_a_killed_process_is_told_from_a_living_one(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from mma_unet.parts import Part\n"
        "part = Part(Path(sys.argv[1])); print(part.path, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.png")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        part = Path(process.stdout.readline().strip())
        try:
            assert not remove_dead(part)
            assert part.exists()
        finally:
            process.send_signal(signal.SIGKILL)
        process.wait()
    assert remove_dead(part)
    assert not list(tmp_path.iterdir())


def test_a_batch_cleans_up_beside_what_it_skips(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"])
    tasks = [
        Task(Pair(n, ir / f"{n}.png", vi / f"{n}.png"), tmp_path / "o" / f"{n}.png") for n in "ab"
    ]
    write_image(tasks[0].target, np.zeros((4, 4), np.uint8))
    for task in tasks:
        dead(task.target)
    parts._parts_in.cache_clear()
    outcomes = [outcome.status for outcome in fuse_files(Fuser(weights, device="cpu"), tasks)]
    assert outcomes == ["skipped", "fused"]
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["a.png", "b.png"]


def test_folders_are_parts_too(tmp_path: Path) -> None:
    target = tmp_path / "set"
    part = Part(target, folder=True)
    (part.path / "file").touch()
    assert not remove_dead(part.path)
    part._release()
    assert remove_dead(part.path)
    again = Part(target, folder=True)
    again.finish()
    again.drop()
    assert list(tmp_path.iterdir()) == [target]


def test_links_and_devices_that_are_named_like_parts_stay(tmp_path: Path) -> None:
    target, kept = tmp_path / "a.txt", tmp_path / "kept"
    kept.write_text("mine")
    link = part_beside(target)
    link.symlink_to(kept)
    write_text(target, "x")
    assert kept.read_text() == "mine"
    assert link.is_symlink()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written as ever, and nothing is removed that might be alive."""

    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    left = dead(tmp_path / "a.txt")
    write_text(tmp_path / "a.txt", "x")
    assert sorted(tmp_path.iterdir()) == sorted([left, tmp_path / "a.txt"])


def test_a_sweep_between_making_and_locking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer notices that its part is gone, and takes another."""
    lock, taken = fcntl.flock, []

    def late(handle: int, how: int) -> None:
        if not taken:
            taken.append(Path(f"/proc/self/fd/{handle}").readlink())
            taken[0].unlink()
        lock(handle, how)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    monkeypatch.setattr(fcntl, "flock", late)
    with replacing(tmp_path / "a.txt") as part:
        assert part != taken[0]
        part.write_text("x")
    assert (tmp_path / "a.txt").read_text() == "x"


def test_a_folder_of_many_files_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scan(path))
    for index in range(20):
        write_text(tmp_path / f"{index}.txt", "x")
    assert listed == [tmp_path]
