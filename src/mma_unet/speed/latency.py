"""Latency, throughput and peak memory for every network, runtime, precision and size.

Each network x runtime x precision is measured by `mma_unet.speed.worker` in a fresh process and
written to a CSV file at once, so an interrupted run goes on where it stopped. See also
`mma_unet.speed.scaling`, for one network against the size of the image.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mma_unet.errors import InputError
from mma_unet.inference.runtimes.base import installed
from mma_unet.machine import device_name, has_native_bf16, versions
from mma_unet.speed.gpu import FP8_REASON, MODES, no_gpu_reason
from mma_unet.tables import read_records, write_records

__all__ = ["DEFAULT_SIZES", "Case", "Row", "Skipped", "bench", "cases", "run_worker"]

DEFAULT_SIZES = ((480, 640), (768, 1024))
"""`(height, width)`."""
Progress = Callable[[str, int, int], None]

_REFUSAL = "was not written by this version of `mma-unet bench`: choose another --out"

_KEY = (
    "preset", "runtime", "precision", "device", "mode", "height", "width", "threads", "allocator",
    "machine", "versions",
)  # fmt: skip
_PRECISIONS = {
    "torch": ("fp32", "bf16"),
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
}


@dataclass(frozen=True)
class Case:
    """What is measured in one process."""

    preset: str
    runtime: str
    precision: str
    device: str = "cpu"
    mode: str = "eager"

    def __str__(self) -> str:
        mode = "" if self.device == "cpu" else f" {self.device} {self.mode}"
        return f"{self.preset} {self.runtime} {self.precision}{mode}"


@dataclass(frozen=True)
class Row:
    """One measured figure and all that it depends on.

    Attributes:
        latency_s: Median seconds for one pair, bytes in to bytes out.
        best_s: The fastest.
        throughput: Pairs per second, the better of one at a time and `batch` together.
        start_s: Seconds from the loaded weights to the first result.
        peak_mb: Peak memory in 10^6 bytes: of the process on the CPU, of the device on CUDA.
        gmacs: Multiply-accumulates of one pair, in 10^9.
        peak_gflops: Measured rate of matrix products in this precision, 10^9 operations a second;
            `nan` if it is not known.
    """

    preset: str
    runtime: str
    precision: str
    device: str
    mode: str
    height: int
    width: int
    threads: int
    latency_s: float
    best_s: float
    batch: int
    throughput: float
    start_s: float
    peak_mb: float
    gmacs: float
    peak_gflops: float
    allocator: str
    machine: str
    versions: str

    @property
    def share(self) -> float:
        """Part of the measured peak rate that is reached, 0 to 1."""
        return 2 * self.gmacs / self.latency_s / self.peak_gflops

    def key(self) -> tuple[Any, ...]:
        """What makes two rows the same measurement."""
        return tuple(getattr(self, name) for name in _KEY)


@dataclass(frozen=True)
class Skipped:
    """What could not be measured, and why."""

    what: str
    reason: str


def cases(
    presets: Sequence[str],
    runtimes: Sequence[str] = tuple(_PRECISIONS),
    precisions: Sequence[str] = ("fp32", "bf16", "int8"),
) -> tuple[list[Case], list[Skipped]]:
    """All cases there are for these wishes on this machine, and what is left out.

    Raises:
        InputError: If a runtime or precision is unknown.
    """
    for wish, known in ((runtimes, _PRECISIONS), (precisions, ("fp32", "bf16", "int8"))):
        for name in wish:
            if name not in known:
                raise InputError(f"{name!r} is unknown: use {', '.join(known)}")
    found, skipped = [], []
    for runtime in runtimes:
        missing = [m for m in _packages(runtime) if not installed(m)]
        if missing:
            reason = f"{', '.join(missing)} is not installed: pip install 'mma-unet[export]'"
            skipped.append(Skipped(runtime, reason))
            continue
        for precision in _PRECISIONS[runtime]:
            if precision not in precisions:
                continue
            if precision == "bf16" and not has_native_bf16():
                skipped.append(Skipped(f"{runtime} bf16", "this CPU has no bf16"))
            elif (runtime, precision) == ("openvino", "int8") and not installed("nncf"):
                reason = "nncf is not installed: pip install 'mma-unet[quantize]'"
                skipped.append(Skipped("openvino int8", reason))
            else:
                found += [Case(preset, runtime, precision) for preset in presets]
    reason = no_gpu_reason()
    if reason:
        skipped.append(Skipped("GPU: eager, compiled, CUDA graphs, bf16", reason))
    elif "torch" in runtimes:
        found += [
            Case(preset, "torch", precision, "cuda", mode)
            for precision in ("fp32", "bf16")
            if precision in precisions
            for mode in MODES
            for preset in presets
        ]
    skipped.append(Skipped("GPU: fp8", FP8_REASON))
    found.sort(key=lambda case: presets.index(case.preset))
    return found, skipped


def bench(
    wanted: Sequence[Case],
    out: Path,
    *,
    sizes: Sequence[tuple[int, int]] = DEFAULT_SIZES,
    threads: int,
    seconds: float = 1.5,
    allocator: bool = True,
    overwrite: bool = False,
    peak_size: int = 4096,
    progress: Progress | None = None,
) -> tuple[list[Row], list[Skipped]]:
    """Measure `wanted` and keep the rows in the CSV file `out`; what is there is not repeated.

    Args:
        wanted: From `cases`.
        out: CSV file; rows of other machines and settings in it are kept.
        sizes: `(height, width)`.
        threads: CPU threads.
        seconds: Time to spend on each figure, beyond the least number of runs.
        allocator: Keep large blocks of memory in the process, as the command line does.
        overwrite: Measure again what is there.
        peak_size: Rows and columns of the matrices of which the peak rate is measured.
        progress: Called with what is measured, how many cases are done, and of how many.

    Returns:
        All rows of this machine and these settings, and what failed.

    Raises:
        InputError: If `out` cannot be read or written, or a network is unknown.
    """
    kept, failed = (read_records(out, Row, _REFUSAL) if out.is_file() else []), []
    there = {row.key(): row for row in kept}
    setting = "glibc, large blocks kept" if allocator else "system default"
    common = {"threads": threads, "allocator": setting, "versions": versions()}
    rates: dict[str, dict[str, float]] = {}
    wanted_keys = []
    for done, case in enumerate(wanted):
        fixed = {**asdict(case), **common, "machine": device_name(case.device)}
        keys = {
            size: tuple({**fixed, "height": size[0], "width": size[1]}[name] for name in _KEY)
            for size in sizes
        }
        wanted_keys += list(keys.values())
        missing = [size for size, key in keys.items() if overwrite or key not in there]
        if progress is not None:
            progress(str(case), done, len(wanted))
        if not missing:
            continue
        wish = {
            **asdict(case), "threads": threads, "seconds": seconds, "keep_large_blocks": allocator,
        }  # fmt: skip
        if case.device not in rates:
            peak = run_worker({**wish, "what": "peak", "size": peak_size})
            rates[case.device] = peak.get("peak", {})
        answer = run_worker({**wish, "what": "speed", "sizes": missing})
        if "reason" in answer:
            failed.append(Skipped(str(case), answer["reason"]))
            continue
        rate = rates[case.device].get(case.precision, float("nan")) / 1e9
        for measured in answer["rows"]:
            row = Row(**fixed, **measured, peak_gflops=rate)
            there[row.key()] = row
        write_records(out, Row, there.values(), digits=5)
    if progress is not None:
        progress("done", len(wanted), len(wanted))
    return [there[key] for key in wanted_keys if key in there], failed


def run_worker(wish: dict[str, Any]) -> dict[str, Any]:
    """Measure in a fresh process.

    Args:
        wish: See `mma_unet.speed.worker.measure`; besides `what`, `"speed"` or `"peak"`.

    Returns:
        What it measured, or `{"reason": ...}`.
    """
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "wish.json", Path(folder) / "result.json"
        question.write_text(json.dumps(wish), encoding="utf-8")
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(wish["threads"]),
            "MMA_UNET_ALLOCATOR": "keep" if wish.get("keep_large_blocks", True) else "default",
        }
        worker = "mma_unet.speed.worker"
        command = [sys.executable, "-m", worker, str(question), str(answer)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if answer.is_file():
            result: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
            return result
        lines = done.stderr.strip().splitlines()
        last = lines[-1] if lines else f"exit code {done.returncode}"
        return {"reason": "killed, out of memory" if done.returncode == -9 else last}


def _packages(runtime: str) -> tuple[str, ...]:
    return () if runtime == "torch" else ("onnx", runtime)
