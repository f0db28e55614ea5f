"""Spoil files of every kind that is read, and see that nothing but `InputError` comes of it.

    python scripts/fuzz.py --count 20000 --only image thermal video archive table
    python scripts/fuzz.py --count 2000 --only weights recipe run --out results/fuzz.json

The count is shared out evenly among the kinds. Cases run in a worker process whose memory is
limited; one that dies, hangs (20 seconds of CPU time, or 5 minutes in all) or raises anything but
an `InputError` of one line is a finding, and so is one that takes more memory than 4 times the
picture that came out or 500 MB, whichever is more. Findings are kept as files; with any, the exit
code is 1. Needs Linux (/proc).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_cases import KINDS, make_case, make_seeds
from rich.progress import Progress

from mma_unet.errors import InputError

CPU_S, WALL_S = 20, 300
ALLOWED = 500e6


def probe(kind: str) -> Callable[[Path], int]:
    """What reads a file of a kind; it returns the bytes of the picture that comes out."""
    return {
        "image": _read_image, "thermal": _read_image, "video": _read_video, "table": _read_table,
        "archive": _unpack, "weights": _load_model, "recipe": _load_recipe, "run": _load_run,
    }[kind]  # fmt: skip


def _read_image(path: Path) -> int:
    from mma_unet.data.images import read_photo
    from mma_unet.data.thermal import read_thermal

    read_thermal(path.read_bytes(), path)
    read_photo(path, raw=True)
    return read_photo(path).pixels.nbytes


def _read_video(path: Path) -> int:
    from mma_unet.data.video import VideoFile

    with VideoFile(str(path)) as video:
        return max(frame.pixels.nbytes for frame in video)


def _read_table(path: Path) -> int:
    from mma_unet.tables import read_rows

    read_rows(path)
    return 0


def _unpack(path: Path) -> int:
    from mma_unet.data.obtain import unpack

    target = path.parent / "unpacked"
    shutil.rmtree(target, ignore_errors=True)
    try:
        unpack(path, target)
    finally:
        strays = [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")]
        if strays:
            raise AssertionError(f"left behind: {strays}")
    return 0


def _load_model(path: Path) -> int:
    from mma_unet.models import load_model
    from mma_unet.models.overview import card_table
    from mma_unet.models.weights import read_card

    load_model(path)
    card_table(read_card(path))
    return 0


def _load_recipe(path: Path) -> int:
    from mma_unet.training import load_recipe

    recipe = load_recipe(path)
    if (Path("/runs") / recipe.name).resolve().parent != Path("/runs"):
        raise AssertionError(f"the run would leave its folder: {recipe.name!r}")
    recipe.to_dict()
    return 0


def _load_run(path: Path) -> int:
    from mma_unet.models import MMAUNetConfig, VIUNet
    from mma_unet.models.tensors import read_tensors
    from mma_unet.training import load_recipe
    from mma_unet.training.callbacks import read_curve
    from mma_unet.training.pairing import read_choice
    from mma_unet.training.recipe import StageSettings
    from mma_unet.training.tasks import ReconstructionTask
    from mma_unet.training.trainer import check_checkpoint

    config = MMAUNetConfig(width=2)
    if path.suffix == ".safetensors":
        read_tensors(path, VIUNet(config), "delete it")
    elif path.suffix == ".ckpt":
        check_checkpoint(path, ReconstructionTask(VIUNet(config), StageSettings()))
    elif path.suffix == ".json":
        read_choice(path, config)
    elif path.suffix == ".csv":
        read_curve(path)
    else:
        load_recipe(path)
    return 0


def work(args: argparse.Namespace) -> None:
    """The worker: cases `first` to `count`, a line of JSON for each."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    if not args.loud:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    seeds, read = sorted(args.seeds.iterdir()), probe(args.worker)
    whole = Path(shutil.copy(seeds[0], args.folder))
    read(whole)  # whatever is loaded once
    whole.unlink()
    out.write("null\n")
    limit = _memory("VmSize") + int(args.memory * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for index in range(args.first, args.count):
        path = make_case(args.seed, args.worker, index, seeds, args.folder)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = _memory("VmRSS")
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        ended, what, picture = "read", "", 0
        try:
            picture = read(path)
        except InputError as error:
            ended, what = "refused", str(error)
            if "\n" in what or not what.startswith((str(path), path.name)):
                ended = "finding: a sentence of several lines, or without the file's name"
        except BaseException as error:
            ended, what = f"finding: {type(error).__name__}", str(error)[:300]
        signal.setitimer(signal.ITIMER_PROF, 0)
        peak = _memory("VmHWM") - before
        if peak > max(4 * picture, ALLOWED):
            ended, what = "finding: memory", f"{peak / 1e6:.0f} MB, picture {picture / 1e6:.1f} MB"
        out.write(json.dumps([index, ended, what, peak]) + "\n")


def _memory(name: str) -> int:
    """Bytes of this process from /proc, e.g. `VmHWM`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(name)


@dataclass
class Tally:
    """How the cases of one kind ended."""

    ended: Counter[str] = field(default_factory=Counter)
    peak: int = 0
    findings: list[dict[str, Any]] = field(default_factory=list)


def run_kind(kind: str, count: int, args: argparse.Namespace, step: Callable[[], None]) -> Tally:
    """Run all cases of a kind, in as many workers as it takes."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as place:
        seeds, folder, next_index = Path(place) / "seeds", Path(place) / "cases", 0
        folder.mkdir()
        made = make_seeds(kind, seeds, args.samples)
        while made and next_index < count:
            command = [sys.executable, __file__, "--worker", kind, "--seed", str(args.seed)]
            command += ["--first", str(next_index), "--count", str(count), "--seeds", str(seeds)]
            command += ["--folder", str(folder), "--memory", str(args.memory)]
            process = subprocess.Popen(
                command + ["--loud"] * args.loud, stdout=subprocess.PIPE, bufsize=0
            )
            lines = _lines(process)
            if next(lines, "") is not None:
                raise SystemExit(f"the worker for {kind} did not start; --loud shows why")
            for index, ended, what, peak in lines:
                next_index = index + 1
                tally.peak = max(tally.peak, peak)
                _note(tally, kind, index, ended, what, made, args)
                step()
            code = process.wait()
            if next_index < count:
                ended = f"finding: killed by {signal.Signals(-code).name}" if code < 0 else (
                    f"finding: the worker ended with {code}"
                )  # fmt: skip
                _note(tally, kind, next_index, ended, "", made, args)
                step()
                next_index += 1
    return tally


def _lines(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    """What a worker reports; one that is silent for too long is killed."""
    assert process.stdout is not None
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(WALL_S):
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                return
            *lines, waiting = (waiting + data).split(b"\n")
            yield from map(json.loads, lines)
        process.kill()


def _note(
    tally: Tally, kind: str, index: int, ended: str, what: str, seeds: list[Path],
    args: argparse.Namespace,
) -> None:  # fmt: skip
    tally.ended[ended] += 1
    if ended.startswith("finding"):
        folder = args.keep / f"{kind}-{args.seed}-{index}"
        folder.mkdir(parents=True, exist_ok=True)
        path = make_case(args.seed, kind, index, seeds, folder)
        tally.findings.append({"file": str(path), "ended": ended, "what": what})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="Cases of all kinds together.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--samples", type=Path, help="Folder of thermal files to spoil.")
    parser.add_argument("--memory", type=float, default=2.0, help="GB that a worker may add.")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--out", type=Path, help="Write the figures there as JSON.")
    parser.add_argument("--loud", action="store_true", help="Show what libraries print.")
    for name, kind in (("worker", str), ("first", int), ("seeds", Path), ("folder", Path)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args)
        return
    kinds = [kind for kind in args.only if kind != "thermal" or args.samples is not None]
    shares = [args.count // len(kinds) + (i < args.count % len(kinds)) for i in range(len(kinds))]
    report: dict[str, Any] = {}
    findings: list[dict[str, Any]] = []
    start = time.monotonic()
    with Progress() as bar:
        task = bar.add_task("Fuzzing", total=args.count)
        for kind, share in zip(kinds, shares, strict=True):
            bar.update(task, description=kind)
            tally = run_kind(kind, share, args, lambda: bar.advance(task))
            report[kind] = {"files": share, **tally.ended, "MB at most": round(tally.peak / 1e6)}
            findings += tally.findings
    for kind, row in report.items():
        print(f"{kind}: {', '.join(f'{value} {key}' for key, value in row.items())}")
    for finding in findings:
        print(f"{finding['file']}: {finding['ended']} {finding['what']!r}")
    figures = {"seed": args.seed, "seconds": round(time.monotonic() - start), "kinds": report}
    if args.out:
        args.out.write_text(json.dumps({**figures, "findings": findings}, indent=1) + "\n")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
