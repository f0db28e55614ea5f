"""A real local Ray cluster of two workers: one is killed, pairs fail, pairs kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch

from mma_unet.data import find_pairs
from mma_unet.data.storage import locate
from mma_unet.errors import InputError
from mma_unet.inference import Fuser, Outcome, Task, fuse_files, plan
from mma_unet.inference.ray_cluster import Share, cluster
from mma_unet.inference.ray_engine import fuse_with_ray
from tests.command import mma_unet
from tests.conftest import make_pairs

ray = pytest.importorskip("ray", reason="needs the extra 'distributed'")
pytest.importorskip("pyarrow", reason="needs the extra 'distributed'")

COMMAND = [sys.executable, "-m", "mma_unet.cli.main", "fuse", "--engine", "ray", "--no-progress"]


def command(*args: object) -> subprocess.CompletedProcess[str]:
    return mma_unet(*COMMAND[3:], *args, timeout=600)


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Share]:
    with cluster(2) as share:
        yield share


def slow_fuser(weights: Path, log: Path, seconds: float) -> Fuser:
    """A `Fuser` that takes its time and writes its process id down."""

    class Slow(Fuser):
        def fuse_sources(self, sources):  # type: ignore[no-untyped-def]
            time.sleep(seconds)
            return super().fuse_sources(sources)

    (log / str(os.getpid())).touch()
    return Slow(weights, device="cpu")


def touchy_fuser(weights: Path) -> Fuser:
    """A `Fuser` that one pair kills and another makes raise what nobody expects."""

    class Touchy(Fuser):
        def read(self, ir, vi):  # type: ignore[no-untyped-def]
            if "kills" in str(ir):
                os.kill(os.getpid(), signal.SIGKILL)
            if "raises" in str(ir):
                raise ZeroDivisionError("what a surprise")
            return super().read(ir, vi)

    return Touchy(weights, device="cpu")


def names(count: int) -> list[str]:
    return [f"p{i:03}" for i in range(count)]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def locally(weights: Path, tasks: Sequence[Task], out: Path) -> dict[str, bytes]:
    """What the local engine makes of the same pairs."""
    twins = plan([task.pair for task in tasks], out)
    list(fuse_files(Fuser(weights, device="cpu"), twins))
    return content(out)


@pytest.mark.slow
def test_one_of_two_workers_is_killed_midway(
    tmp_path: Path, weights: Path, two_workers: Share
) -> None:
    ir, vi = make_pairs(tmp_path, names(60), (32, 48))
    tasks = plan(find_pairs(ir, vi).pairs, tmp_path / "out")
    log = tmp_path / "log"
    log.mkdir()
    outcomes: list[Outcome] = []
    killed = 0
    for outcome in fuse_with_ray(partial(slow_fuser, weights, log, 0.1), tasks, workers=2):
        outcomes.append(outcome)
        if len(outcomes) == 10:
            pids = [int(file.name) for file in log.iterdir()]
            assert len(pids) == 2
            killed = pids[0]
            os.kill(killed, signal.SIGKILL)
    assert killed
    assert len(list(log.iterdir())) == 3  # the dead worker has a successor
    assert Counter(o.status for o in outcomes) == {"fused": 60}
    assert {o.task.pair.name for o in outcomes} == set(names(60))
    assert content(tmp_path / "out") == locally(weights, tasks, tmp_path / "twin")


@pytest.mark.slow
def test_pairs_that_fail_raise_or_kill_do_not_stop_the_rest(
    tmp_path: Path, weights: Path, two_workers: Share
) -> None:
    ir, vi = make_pairs(tmp_path, [*names(20), "p003kills", "p005raises", "p007bad"], (32, 48))
    (vi / "p007bad.png").write_bytes(b"no image")
    tasks = plan(find_pairs(ir, vi).pairs, tmp_path / "out")
    outcomes = list(fuse_with_ray(partial(touchy_fuser, weights), tasks, workers=2, batch_size=4))
    assert Counter(o.status for o in outcomes) == {"fused": 20, "failed": 3}
    reasons = {o.task.pair.name: o.reason for o in outcomes if o.status == "failed"}
    assert "2 workers died" in reasons["p003kills"]
    assert "ZeroDivisionError: what a surprise" in reasons["p005raises"]
    assert "not an image" in reasons["p007bad"]
    assert sorted(content(tmp_path / "out")) == [f"{name}.png" for name in names(20)]


def test_urls_and_what_is_done_already(tmp_path: Path, weights: Path, two_workers: Share) -> None:
    ir, vi = make_pairs(tmp_path, names(6), (32, 48))
    pairs = find_pairs(locate(f"local://{ir}"), locate(f"local://{vi}")).pairs
    tasks = plan(pairs, locate(f"local://{tmp_path}/out"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "p001.png").write_bytes(b"done before")
    (out / "p002.png").touch()
    make_fuser = partial(Fuser, weights, device="cpu")
    outcomes = list(fuse_with_ray(make_fuser, tasks, workers=2))
    assert Counter(o.status for o in outcomes) == {"fused": 5, "skipped": 1}
    expected = locally(weights, plan(find_pairs(ir, vi).pairs, out), tmp_path / "twin")
    assert content(out) == {**expected, "p001.png": b"done before"}
    assert {o.status for o in fuse_with_ray(make_fuser, tasks)} == {"skipped"}
    again = list(fuse_with_ray(make_fuser, tasks, overwrite=True, workers=1))
    assert Counter(o.status for o in again) == {"fused": 6}
    assert content(out) == expected


def test_workers_that_cannot_start_are_one_sentence(tmp_path: Path, two_workers: Share) -> None:
    ir, vi = make_pairs(tmp_path, names(2), (32, 48))
    tasks = plan(find_pairs(ir, vi).pairs, tmp_path / "out")
    with pytest.raises(InputError, match="huge") as caught:
        list(fuse_with_ray(partial(Fuser, "huge"), tasks))
    assert "\n" not in str(caught.value)


def test_each_worker_gets_its_share_of_threads(
    tmp_path: Path, weights: Path, two_workers: Share
) -> None:
    def threads_fuser() -> Fuser:
        (tmp_path / "threads").write_text(str(torch.get_num_threads()))
        return Fuser(weights, device="cpu")

    ir, vi = make_pairs(tmp_path, names(1), (32, 48))
    list(fuse_with_ray(threads_fuser, plan(find_pairs(ir, vi).pairs, tmp_path / "out"), workers=2))
    assert two_workers.workers == 2
    assert int((tmp_path / "threads").read_text()) == two_workers.threads


def wait_for(condition: Callable[[], object], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_the_command_is_quiet_and_lists_what_failed(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, names(8), (32, 48))
    (ir / "p003.png").write_bytes(b"no image")
    result = command(ir, vi, "-o", tmp_path / "out", "-m", weights, "--workers", 2)
    assert result.returncode == 1
    assert "Fused 7 of 8 pairs in " in result.stdout
    lines = result.stderr.splitlines()
    assert lines[0] == "1 could not be fused:"
    assert "p003.png is not an image" in lines[1]
    assert len(lines) == 2, result.stderr


@pytest.mark.slow
def test_ctrl_c_leaves_no_process_and_a_rerun_goes_on(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, names(400), (64, 96))
    out = tmp_path / "out"
    args = [ir, vi, "-o", out, "-m", weights, "--workers", 2]
    process = subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0,
    )  # fmt: skip
    wait_for(lambda: out.is_dir() and len(list(out.iterdir())) > 20)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=600)
    assert process.returncode == 130, stderr
    assert stderr.strip() == "Interrupted; run the same command again to go on."
    assert not [path for path in out.iterdir() if path.suffix == ".part"]
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert 20 < len(before) < 400
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    result = command(*args)
    assert result.returncode == 0, result.stderr
    assert f"Fused {400 - len(before)} of 400 pairs" in result.stdout
    assert len(list(out.iterdir())) == 400
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
def test_a_running_cluster_is_joined_and_left_alone(
    tmp_path: Path, weights: Path, two_workers: Share
) -> None:
    ir, vi = make_pairs(tmp_path, names(3), (32, 48))
    address = ray.get_runtime_context().gcs_address
    result = command(ir, vi, "-o", tmp_path / "out", "-m", weights, "--ray-address", address)
    assert result.returncode == 0, result.stderr
    assert "Fused 3 of 3 pairs" in result.stdout
    assert result.stderr == ""
    assert ray.get(ray.remote(num_cpus=0)(lambda: "alive").remote()) == "alive"


def test_no_cluster_at_an_address_is_one_sentence(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, names(1), (32, 48))
    result = command(ir, vi, "-o", tmp_path / "out", "-m", weights, "--ray-address", "127.0.0.1:1")
    assert result.returncode == 2
    assert "no Ray cluster at 127.0.0.1:1" in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr


def test_a_cluster_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def fail(*_: object, **__: object) -> None:
        attempts.append(1)
        raise Exception("timed out during startup\nmore")

    monkeypatch.setattr(ray, "init", fail)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(InputError, match=r"does not start.*timed out") as caught, cluster(2):
        pass
    assert len(attempts) == 2
    assert "\n" not in str(caught.value)
