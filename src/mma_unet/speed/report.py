"""The measured figures as Markdown, ready for docs/speed.md."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mma_unet.machine import cores
from mma_unet.speed.latency import Row, Skipped
from mma_unet.tables import escaped, markdown

__all__ = ["speed_markdown"]

_HEAD = (
    "model", "size", "runtime", "precision", "ms per pair", "pairs/s", "share of peak", "peak MB",
    "start s",
)  # fmt: skip


def speed_markdown(
    rows: Sequence[Row], skipped: Sequence[Skipped] = (), load: float | None = None
) -> str:
    """Tables for the CPU and, where there is one, the GPU, with all that the figures depend on.

    Args:
        rows: From `bench`.
        skipped: What is missing and why.
        load: Load average of the machine before the run.
    """
    blocks = []
    for device in dict.fromkeys(row.device for row in rows):
        own = [row for row in rows if row.device == device]
        blocks.append("\n".join([*_machine(own[0], load), "", *_table(own)]))
    if skipped:
        blocks.append(
            "\n".join(
                ["Not measured:", ""] + [f"- {escaped(f'{s.what}: {s.reason}')}." for s in skipped]
            )
        )
    return "\n\n".join(blocks) + "\n"


def _machine(row: Row, load: float | None) -> list[str]:
    busy = "" if load is None else f" Load average before the run: {load:.1f}."
    where = f"{row.machine}, {cores()} cores"
    return [
        f"Machine: {where}; {row.threads} thread(s); allocator: {row.allocator}; "
        f"{row.versions}.{busy}",
        "",
        "Median seconds for one pair, bytes in to bytes out (color visible image). Throughput is "
        "the better of one pair at a time and several together. Peak memory is that of the whole "
        "process (on a GPU, of the device). Start is the time from loaded weights to the first "
        "result.",
    ]


def _table(rows: Sequence[Row]) -> list[str]:
    peaks = {row.precision: row.peak_gflops for row in rows if not math.isnan(row.peak_gflops)}
    listed = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in peaks.items())
    table = []
    for row in sorted(rows, key=lambda r: (_first(rows, r), r.height * r.width, r.latency_s)):
        mode = "" if row.device == "cpu" else f" {row.mode}"
        share = "" if math.isnan(row.share) else f"{100 * row.share:.0f} %"
        cells = [
            escaped(row.preset),
            f"{row.width}x{row.height}",
            row.runtime + mode,
            row.precision,
            f"{1000 * row.latency_s:.1f}",
            f"{row.throughput:.1f}" if row.throughput < 100 else f"{row.throughput:.0f}",
            share,
            f"{row.peak_mb:.0f}",
            f"{row.start_s:.2f}",
        ]
        table.append(cells)
    lead = f"Matrix products (4096 x 4096) in the same run: {listed}."
    return [lead, "", markdown(_HEAD, table, left=4)]


def _first(rows: Sequence[Row], row: Row) -> int:
    """Where the network of `row` comes first."""
    return next(index for index, other in enumerate(rows) if other.preset == row.preset)
