"""Time and peak memory against the number of pixels, one fresh process for each size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mma_unet.figures import save_figure
from mma_unet.machine import available_memory
from mma_unet.speed.latency import run_worker
from mma_unet.tables import markdown, read_records, write_records

__all__ = ["MEGAPIXELS", "Point", "plot", "scaling", "scaling_markdown"]

MEGAPIXELS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
Progress = Callable[[str, int, int], None]

_SLACK = 6 << 30
"""Address space beyond the free memory: libraries that are mapped but not touched."""


@dataclass(frozen=True)
class Point:
    """One size; `seconds` and `peak_mb` are `nan` where it did not work, for `reason`."""

    model: str
    runtime: str
    precision: str
    threads: int
    height: int
    width: int
    seconds: float
    peak_mb: float
    reason: str = ""

    @property
    def megapixels(self) -> float:
        """Pixels in 10^6."""
        return self.height * self.width / 1e6


def scaling(
    model: str,
    out: Path,
    *,
    runtime: str = "auto",
    precision: str = "auto",
    threads: int,
    megapixels: Sequence[float] = MEGAPIXELS,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Point]:
    """Fuse synthetic 4:3 pairs of growing size with `Fuser` as it is; points are kept in `out`.

    Args:
        model: Preset, shipped weights or a file.
        out: CSV file; points with the same wishes in it are not measured again.
        runtime: As for `Fuser`.
        precision: As for `Fuser`.
        threads: CPU threads.
        megapixels: Sizes.
        overwrite: Measure again what is there.
        progress: Called with what is measured, how many are done, and of how many.

    Raises:
        InputError: If `out` is another file or cannot be written.
    """
    refusal = "holds no points of `mma-unet bench --scaling`: move it"
    kept = read_records(out, Point, refusal) if out.is_file() else []
    wishes = (model, runtime, precision, threads)
    points = []
    for done, size in enumerate(megapixels):
        height, width = _sides(size)
        if progress is not None:
            progress(f"{model} {width}x{height}", done, len(megapixels))
        found = [
            p
            for p in kept
            if (p.model, p.runtime, p.precision, p.threads, p.height, p.width)
            == (*wishes, height, width)
        ]
        if found and not overwrite:
            points.append(found[0])
            continue
        answer = run_worker(
            {
                "what": "speed", "preset": model, "runtime": runtime, "precision": precision,
                "device": "cpu", "threads": threads, "sizes": [(height, width)], "seconds": 0.5,
                "single": True, "memory": available_memory() + _SLACK,
            }
        )  # fmt: skip
        row = answer["rows"][0] if "rows" in answer else {}
        point = Point(
            *wishes,
            height,
            width,
            row.get("latency_s", math.nan),
            row.get("peak_mb", math.nan),
            answer.get("reason", ""),
        )
        points.append(point)
        kept = [p for p in kept if p not in found] + [point]
        write_records(out, Point, kept, digits=17)
    return points


def scaling_markdown(points: Sequence[Point]) -> str:
    """The points as a Markdown table."""
    rows = []
    for p in points:
        pace = f"{1000 * p.seconds / p.megapixels:.0f}"
        found = [p.reason, "", ""] if p.reason else [f"{p.seconds:.3g}", pace, f"{p.peak_mb:.0f}"]
        rows.append([f"{p.megapixels:.3g}", f"{p.width}x{p.height}", *found])
    header = ["megapixels", "size", "seconds", "ms per megapixel", "peak MB"]
    return markdown(header, rows, left=0) + "\n"


def plot(points: Sequence[Point], path: Path) -> None:
    """Draw seconds and peak memory against megapixels, both axes logarithmic, as SVG or PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    done = [p for p in points if not p.reason]
    pixels = [p.megapixels for p in done]
    panels = (
        ("seconds per pair", [p.seconds for p in done]),
        ("peak memory of the process, MB", [p.peak_mb for p in done]),
    )
    for axes, (label, values) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.loglog(pixels, values, "o-", color="#1f6f8b")
        axes.set_xlabel("megapixels")
        axes.set_title(label, fontsize="medium")
        axes.grid(True, which="major", linewidth=0.4)
    save_figure(figure, path)


def _sides(megapixels: float) -> tuple[int, int]:
    """Height and width in the proportion 3:4."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    return height, round(megapixels * 1e6 / height)
