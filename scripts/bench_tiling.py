"""Time and peak memory of fusing one image against its size, each in a process of its own.

PYTHONPATH=src python scripts/bench_tiling.py --model small --max-memory 2GB > results/tiling.csv
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np

MEGAPIXELS = (0.1, 0.3, 1, 3, 10, 30, 100)


def images(pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """A gray and a color image of random blocks, 8 bit, about square."""
    side = max(round(pixels**0.5), 16)
    coarse = np.random.default_rng(0).integers(0, 256, (side // 8 + 1, side // 8 + 1), np.uint8)
    ir = coarse.repeat(8, 0).repeat(8, 1)[:side, :side]
    vi = np.empty((side, side, 3), np.uint8)
    for channel in range(3):
        vi[..., channel] = np.roll(ir, 3 * channel, axis=1).T
    return ir, vi


def one(arguments: argparse.Namespace) -> None:
    """Fuse one size in this process and print a line of the table."""
    from mma_unet import Fuser
    from mma_unet.machine import peak_memory

    ir, vi = images(round(arguments.one * 1e6))
    tiles = [0]
    fuser = Fuser(
        arguments.model, device=arguments.device, max_memory=arguments.max_memory,
        statistics=arguments.statistics,
    )  # fmt: skip
    fuser.on_tile = lambda _, total: tiles.append(total)
    fuser(ir[:64, :64], vi[:64, :64])
    start = time.perf_counter(), time.process_time()
    fuser(ir, vi)
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    peak = peak_memory() / 1e6
    megapixels = ir.size / 1e6
    print(f"{megapixels:.3f},{tiles[-1]},{wall:.2f},{cpu:.2f},{wall / megapixels:.2f},{peak:.0f}")


def main() -> None:
    """Run every size in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--max-memory", default="2GB")
    parser.add_argument("--statistics", default="exact")
    parser.add_argument("--megapixels", type=float, nargs="*", default=MEGAPIXELS)
    parser.add_argument("--one", type=float)
    arguments = parser.parse_args()
    if arguments.one is not None:
        one(arguments)
        return
    print("megapixels,tiles,seconds,cpu_seconds,seconds_per_megapixel,peak_mb", flush=True)
    for size in arguments.megapixels:
        options = ["--model", arguments.model, "--device", arguments.device]
        options += ["--max-memory", arguments.max_memory, "--statistics", arguments.statistics]
        subprocess.run([sys.executable, __file__, *options, "--one", str(size)], check=True)


if __name__ == "__main__":
    main()
