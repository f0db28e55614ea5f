"""Kill `mma-unet fuse` at random moments, run it again, and compare with a run left alone.

    python scripts/kill.py --count 200 --out results/kill.json

Half of the runs fuse a folder of images, half a video. Each gets SIGKILL at a moment drawn evenly
from its work, which begins where the first file appears in its output folder; then the same
command runs again, to the end. Checked: its exit code, the bytes of every file against those of a
run that nobody stopped, and that nothing else lies in the folder, hidden files included. So that
200 runs do not spend their time importing PyTorch, each is a fork of one process that has. The
sources are synthetic. Exits with 1 if anything is wrong. Needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from mma_unet.data import write_image
from mma_unet.data.video_writer import VideoWriter

POLL_S = 0.002
STARTED_S = 120.0


@dataclass
class Case:
    """One command, and what it leaves if nobody stops it."""

    name: str
    words: list[str]
    expected: dict[str, bytes]
    seconds: float


def make_images(root: Path, count: int, height: int, width: int) -> list[str]:
    """Pairs of synthetic images; the words that fuse them into a folder."""
    rng = np.random.default_rng(0)
    for index in range(count):
        for kind, shape in (("ir", (height, width)), ("vi", (height, width, 3))):
            write_image(root / kind / f"{index:03}.png", rng.integers(0, 256, shape, np.uint8))
    return [str(root / "ir"), str(root / "vi"), "-o"]


def make_videos(root: Path, count: int, height: int, width: int) -> list[str]:
    """Two synthetic videos; the words that fuse them into one."""
    rng = np.random.default_rng(1)
    scene = rng.integers(0, 200, (height, width, 3), np.uint8)
    for kind in ("ir", "vi"):
        writer = VideoWriter(root / f"{kind}.mp4", Fraction(25), Fraction(1, 25))
        for index in range(count):
            writer.write(Fraction(index, 25), np.roll(scene, 3 * index, axis=1))
        writer.finish()
    return [str(root / "ir.mp4"), str(root / "vi.mp4"), "-o"]


def start(words: list[str]) -> multiprocessing.process.BaseProcess:
    """The command in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mma_unet.cli.main", "mma_unet.inference"])
    process = context.Process(target=_run, args=(words,))
    process.start()
    return process


def _run(words: list[str]) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.argv = ["mma-unet", *words]
    from mma_unet.cli.main import run

    run()


def finish(words: list[str]) -> int | None:
    """Run the command to its end; its exit code."""
    process = start(words)
    process.join()
    return process.exitcode


def wait_for_work(process: multiprocessing.process.BaseProcess, out: Path) -> bool:
    """Wait until a file appears in `out`; False if the process ends, or for too long."""
    end = time.monotonic() + STARTED_S
    while time.monotonic() < end and process.is_alive():
        if out.is_dir() and any(os.scandir(out)):
            return True
        time.sleep(POLL_S)
    return False


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def make_case(name: str, words: list[str], target: str, root: Path, more: list[str]) -> Case:
    """The command run twice without a kill: both times the same bytes, or there is no use."""
    found = []
    for turn in ("first", "second"):
        out = root / f"{name}-{turn}"
        process = start(["fuse", *words, str(out / target), *more])
        wait_for_work(process, out)
        begin = time.monotonic()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{name}: the run without a kill ended with {process.exitcode}")
        found.append((content(out), time.monotonic() - begin))
    if found[0][0] != found[1][0]:
        raise SystemExit(f"{name}: two runs without a kill differ")
    return Case(name, words, *found[1])


def kill_once(case: Case, target: str, out: Path, more: list[str], wait: float) -> dict[str, Any]:
    """One run killed `wait` seconds after its work began, and the run after it."""
    words = ["fuse", *case.words, str(out / target), *more]
    process = start(words)
    begun = wait_for_work(process, out)
    time.sleep(wait)
    alive = process.is_alive() and process.pid is not None
    if alive:
        os.kill(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
    process.join()
    left = content(out)
    code = finish(words)
    found = content(out)
    return {
        "killed": begun and alive,
        "parts_left": sum(name.endswith(".part") for name in left),
        "broken_after_kill": sum(
            data != case.expected.get(name) for name, data in left.items() if name[0] != "."
        ),
        "exit_code": code,
        "missing_or_other": sum(found.get(name) != data for name, data in case.expected.items()),
        "strays": sorted(found.keys() - case.expected.keys()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="Runs to kill, of both kinds.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--height", type=int, default=96)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--out", type=Path, help="Write the figures there as JSON.")
    wish = parser.parse_args()
    more = ["-m", wish.model, "--device", "cpu", "--runtime", "torch", "--no-progress"]
    rng, runs = random.Random(wish.seed), []
    size = (wish.height, wish.width)
    with tempfile.TemporaryDirectory() as place, Progress() as bar:
        root = Path(place)
        task = bar.add_task("Runs without a kill", total=wish.count)
        images, video = make_images(root, wish.pairs, *size), make_videos(root, wish.frames, *size)
        cases = [
            (make_case("images", images, "", root, more), ""),
            (make_case("video", video, "o.mp4", root, more), "o.mp4"),
        ]
        bar.update(task, description="Killed and run again")
        for index in range(wish.count):
            case, target = cases[index % 2]
            wait = rng.uniform(0, case.seconds)
            run = kill_once(case, target, root / f"out-{index}", more, wait)
            runs.append({"kind": case.name, "wait_s": round(wait, 3), **run})
            bar.advance(task)
    bad = [
        run
        for run in runs
        if run["exit_code"] or run["missing_or_other"] or run["strays"] or run["broken_after_kill"]
    ]
    figures = {
        "runs": len(runs),
        "killed_at_work": dict(Counter(run["kind"] for run in runs if run["killed"])),
        "parts_left_by_kills": sum(run["parts_left"] for run in runs),
        "bad": bad,
        "seconds_of_work": {case.name: round(case.seconds, 2) for case, _ in cases},
    }
    print(json.dumps(figures, indent=1))
    if wish.out:
        wish.out.write_text(json.dumps({**figures, "all": runs}, indent=1) + "\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
