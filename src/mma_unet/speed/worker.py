"""What is measured, in a process of its own: time and peak memory of `Fuser` on bytes.

`python -m mma_unet.speed.worker WISH RESULT` reads a wish (JSON) and writes what it measured. A
fresh process for each network, runtime and precision is what makes the peak memory theirs alone and
keeps one runtime's threads out of another's way. See also `mma_unet.speed.latency`, which asks.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mma_unet.allocator import keep_large_blocks
from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.inference.quantize import quantize
from mma_unet.machine import peak_memory
from mma_unet.models import MMAUNet, count_macs, load_model, preset, shipped_models
from mma_unet.speed.peak import peak_rates

__all__ = ["measure", "peak_megabytes", "synthetic_pair"]

INT8_FLOAT_LEVELS = 2
"""What `mma-unet export --precision int8` settles on for the shipped weights."""

_BATCH = 4
_LARGE = 50e9
"""Multiply-accumulates per pair above which a batch gains nothing and only takes memory."""


def main() -> None:
    """Read the wish, measure, write the result."""
    wish = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if wish.get("keep_large_blocks", True):
        keep_large_blocks()
    _restrain(wish.get("memory"))
    torch.set_num_threads(wish["threads"])
    result: dict[str, Any]
    try:
        if wish["what"] == "peak":
            result = {"peak": peak_rates(wish["device"], size=wish.get("size", 4096))}
        else:
            result = {"rows": measure(wish)}
    except InputError as error:
        result = {"reason": str(error)}
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        result = {"reason": "out of memory"}
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


def _restrain(memory: int | None) -> None:
    """Be the first to go when memory ends, and take no more address space than allowed."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def measure(wish: dict[str, Any]) -> list[dict[str, float]]:
    """One row for each size, from the smallest up, so that the peak memory is that size's.

    Args:
        wish: `preset` (a preset, shipped weights or a file), `runtime`, `precision`, `device`,
            `mode` (of a GPU), `sizes` as `[height, width]`, `seconds` to spend on each.

    Returns:
        For each size: `height`, `width`, median `latency_s`, `best_s`, `batch` and
        `throughput` in pairs per second, `start_s` from the network to the first result,
        `peak_mb`, `gmacs`.
    """
    network, int8_file = _network(wish["preset"]), None
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if wish["precision"] == "int8" and isinstance(network, MMAUNet):
            int8_file = _quantized(network, wish["runtime"], Path(folder))
        for height, width in sorted(wish["sizes"]):
            pair = synthetic_pair(height, width)
            start = time.perf_counter()
            fuser = Fuser(
                int8_file or network,
                device=wish["device"],
                runtime=wish["runtime"],
                precision=wish["precision"],
                threads=wish["threads"],
            )
            if wish.get("mode", "eager") != "eager":
                from mma_unet.speed.gpu import speed_up

                speed_up(fuser, wish["mode"])
            fuser(*pair)
            started = time.perf_counter() - start
            times = _times(fuser, [pair], wish["seconds"], quick=bool(wish.get("single")))
            latency = statistics.median(times)
            counted = network if isinstance(network, MMAUNet) else MMAUNet(fuser.config)
            macs = count_macs(counted, height, width)
            batch = 1 if macs > _LARGE or wish.get("single") else _BATCH
            throughput = 1 / latency
            if batch > 1:
                many = _times(fuser, [pair] * batch, wish["seconds"] / 2)
                throughput = max(throughput, batch / statistics.median(many))
            rows.append(
                {
                    "height": height,
                    "width": width,
                    "latency_s": latency,
                    "best_s": min(times),
                    "batch": batch,
                    "throughput": throughput,
                    "start_s": started,
                    "peak_mb": peak_megabytes(wish["device"]),
                    "gmacs": macs / 1e9,
                }
            )
            del fuser
    return rows


def synthetic_pair(height: int, width: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A pair of bytes with structure at every scale: infrared `(H, W)`, visible `(H, W, 3)`."""
    y = np.arange(height, dtype=np.uint16)[:, None]
    x = np.arange(width, dtype=np.uint16)[None, :]
    ir = ((y // 3) ^ (x // 5)).astype(np.uint8)
    vi = np.empty((height, width, 3), np.uint8)
    for channel in range(3):
        vi[..., channel] = ((x + 40 * channel) ^ (y // 2)).astype(np.uint8)
    return ir, vi


def peak_megabytes(device: str) -> float:
    """Peak memory: of the device on CUDA, else of this whole process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    return peak_memory() / 1e6


def _network(name: str) -> MMAUNet | str:
    """Shipped weights, a file, or a preset with the weights it is born with."""
    if name in shipped_models() or Path(name).suffix == ".safetensors":
        return load_model(name)
    if Path(name).suffix in (".onnx", ".xml"):
        return name
    try:
        return MMAUNet(preset(name)).eval()
    except ValueError as error:
        raise InputError(f"{error}, or a weights file") from error


def _quantized(network: MMAUNet, runtime: str, folder: Path) -> Path:
    """An int8 file, calibrated on noise: its speed is that of a well calibrated one."""
    side = 4 * network.config.size_multiple
    rng = np.random.default_rng(0)
    shape = (1, network.config.in_channels, side, side)
    samples = [{k: rng.random(shape, np.float32) for k in ("ir", "vi")} for _ in range(2)]
    kind = "onnx" if runtime == "onnxruntime" else "openvino"
    target = folder / ("int8.onnx" if kind == "onnx" else "int8.xml")
    quantize(network, target, kind, samples, float_levels=INT8_FLOAT_LEVELS)
    return target


def _times(fuser: Fuser, pairs: list[Any], seconds: float, *, quick: bool = False) -> list[float]:
    """Seconds of each run: at least three after one that does not count, or one if `quick`."""
    if not quick:
        fuser.fuse_batch(pairs)
    end = time.monotonic() + seconds
    times: list[float] = []
    while len(times) < (1 if quick else 3) or (time.monotonic() < end and len(times) < 200):
        start = time.perf_counter()
        fuser.fuse_batch(pairs)
        times.append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
