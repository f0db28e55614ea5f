"""Fuse many small pairs with two Ray workers, kill one midway, and check every result.

    python scripts/ray_kill.py [--pairs 2000] [--out results/ray_kill.json]

The pairs are synthetic. The command `mma-unet fuse --engine ray` runs as a user runs it; when a
quarter of the results is there, one of its worker processes gets SIGKILL. Checked: exit code, one
result per pair and no other file, the bytes of each result against those of the local engine, and
that a rerun finds nothing to do. Exits with 1 if anything is wrong. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mma_unet import machine
from mma_unet.data import write_image


def make_pairs(root: Path, count: int, height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    for index in range(count):
        for kind, shape in (("ir", (height, width)), ("vi", (height, width, 3))):
            image = rng.integers(0, 256, shape).astype(np.uint8)
            write_image(root / kind / f"{index:05}.png", image)


def fuse_command(root: Path, out: Path, model: str, *extra: str) -> list[str]:
    places = [str(root / "ir"), str(root / "vi"), "-o", str(out)]
    command = [sys.executable, "-m", "mma_unet.cli.main", "fuse", *places, "-m", model]
    return [*command, "--device", "cpu", "--no-progress", *extra]


def workers_of(parent: int) -> list[int]:
    """Process ids of the Ray Data actors among the descendants of a process."""
    parents: dict[int, int] = {}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text()
            title = (entry / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
        if title.startswith(b"ray::MapWorker"):
            found.append(int(entry.name))

    def descends(pid: int) -> bool:
        while pid > 1 and pid != parent:
            pid = parents.get(pid, 0)
        return pid == parent

    return sorted(filter(descends, found))


def results(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def run_and_kill(command: list[str], out: Path, at: int) -> tuple[int, str, dict[str, float]]:
    """Run the command and kill one of its workers when `at` results are there."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    times: dict[str, float] = {}
    while process.poll() is None and "killed" not in times:
        count = len(results(out))
        if count and "first" not in times:
            times["first"] = time.monotonic() - start
        if count >= at:
            victims = workers_of(process.pid)
            os.kill(victims[0], signal.SIGKILL)
            times["killed"] = time.monotonic() - start
            times["results_at_kill"] = count
        time.sleep(0.005)
    output, _ = process.communicate()
    times["end"] = time.monotonic() - start
    return process.returncode, output, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--height", type=int, default=32)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--out", type=Path, help="Write the figures there as JSON.")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_pairs(root, wish.pairs, wish.height, wish.width)
        start = time.monotonic()
        subprocess.run(
            fuse_command(root, root / "local", wish.model), check=True, capture_output=True
        )
        local_seconds = time.monotonic() - start
        command = fuse_command(
            root, root / "ray", wish.model, "--engine", "ray", "--workers", str(wish.workers)
        )
        code, output, times = run_and_kill(command, root / "ray", wish.pairs // 4)
        again = subprocess.run(command, check=False, capture_output=True, text=True)
        expected, found = results(root / "local"), results(root / "ray")
        same = sum(
            (root / "local" / name).read_bytes() == (root / "ray" / name).read_bytes()
            for name in set(expected) & set(found)
        )
    print(output.strip())
    print(again.stdout.strip())
    figures = {
        "pairs": wish.pairs,
        "size": f"{wish.width}x{wish.height}",
        "model": wish.model,
        "workers": wish.workers,
        "killed": "killed" in times,
        "results_at_kill": times.get("results_at_kill"),
        "exit_code": code,
        "files": len(found),
        "missing": len(set(expected) - set(found)),
        "unexpected_files": len(set(found) - set(expected)),
        "equal_to_local_engine": same,
        "rerun_found_all_done": f"{wish.pairs} done before" in again.stdout,
        "seconds": round(times["end"], 1),
        "seconds_to_first_result": round(times.get("first", times["end"]), 1),
        "pairs_per_second": round(wish.pairs / times["end"], 1),
        "local_engine_seconds": round(local_seconds, 1),
        "load_average_after": round(machine.load_average() or 0.0, 1),
        "machine": f"{machine.cores()} x {platform.machine()}, Python {platform.python_version()}",
    }
    print(json.dumps(figures, indent=2))
    if wish.out:
        wish.out.write_text(json.dumps(figures, indent=2) + "\n")
    good = (
        figures["killed"]
        and code == 0
        and expected == found
        and len(found) == same == wish.pairs
        and figures["rerun_found_all_done"]
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
