"""The report of a comparison: one self-contained HTML page, Markdown, and two CSV files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import mma_unet
from mma_unet.benchmark import wording
from mma_unet.benchmark.comparison import Comparison
from mma_unet.benchmark.evaluate import Progress
from mma_unet.benchmark.pictures import draw_scenes
from mma_unet.benchmark.plots import box_plot
from mma_unet.benchmark.statistics import Summary
from mma_unet.files import write_text
from mma_unet.tables import escaped, write_table

__all__ = ["write_report"]


def write_report(
    comparison: Comparison,
    out: str | Path,
    *,
    title: str = "Comparison of image fusion methods",
    limit_images: int = 6,
    progress: Progress | None = None,
) -> Path:
    """Write `report.html`, `report.md`, `scores.csv` and `summary.csv`, each atomically.

    Args:
        comparison: What `compare` returned.
        out: The folder.
        title: Heading of the report.
        limit_images: How many images the page shows, at even steps through the set, unless
            the comparison names those to show.
        progress: Called after each part.

    Returns:
        The path of the page.

    Raises:
        InputError: The folder cannot be written.
    """
    out = Path(out)
    summaries = {False: comparison.summary()}
    if comparison.stretched is not None:
        summaries[True] = comparison.summary(stretched=True)
    _write_scores(comparison, out / "scores.csv")
    _write_summary(comparison, summaries, out / "summary.csv")
    steps = 3
    if progress is not None:
        progress("Writing the report", 1, steps)
    context = _context(comparison, summaries, title, limit_images)
    if progress is not None:
        progress("Writing the report", 2, steps)
    write_text(out / "report.md", _render("report.md.j2", context))
    write_text(out / "report.html", _render("report.html.j2", context))
    if progress is not None:
        progress("Writing the report", 3, steps)
    return out / "report.html"


def _render(template: str, context: dict[str, Any]) -> str:
    from jinja2 import DictLoader, Environment, StrictUndefined

    source = (resources.files("mma_unet.benchmark") / "templates" / template).read_text("utf-8")
    environment = Environment(
        loader=DictLoader({template: source}),
        autoescape="html" in template,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=wording.number, signed=wording.signed, script=_script)
    environment.filters["escaped"] = escaped
    return environment.get_template(template).render(context)


def _script(value: float) -> str:
    """A number as JavaScript reads it.

    Example:
        >>> _script(0.5), _script(float("-inf")), _script(float("nan"))
        ('0.5', '-Infinity', 'NaN')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


def _context(
    comparison: Comparison, summaries: dict[bool, Summary], title: str, limit_images: int
) -> dict[str, Any]:
    """Everything the templates show; they hold no reckoning of their own."""
    summary = summaries[False]
    order = summary.order
    names = [comparison.methods[i].name for i in order]
    plots = [
        box_plot(
            comparison.values[order, :, column][:, summary.used[:, column]],
            names,
            f"{spec.label} {spec.arrow}".strip(),
            accent=comparison.methods[0].name,
            faint=[m.name for m in comparison.methods if m.is_baseline],
        )
        for column, spec in enumerate(comparison.specs)
    ]
    findings = wording.findings(comparison, summary)
    if True in summaries and findings:
        findings.insert(1, wording.stretched_finding(comparison, summaries[True]))
    sentences = [wording.comparison_sentence(comparison, summary, i) for i in order]
    return {
        "title": title,
        "version": mma_unet.__version__,
        "comparison": comparison,
        "count": len(comparison.names),
        "reference": comparison.methods[0].name,
        "specs": comparison.specs,
        "findings": [line for line in findings if line],
        "sentences": [sentence for sentence in sentences if sentence],
        "notices": wording.notices(comparison),
        "interval_note": wording.interval_note(comparison),
        "tables": [
            {
                "stretched": key,
                "images": value.images,
                "rows": _rows(comparison, value, summary),
            }
            for key, value in summaries.items()
        ],
        "plots": plots,
        "scenes": draw_scenes(comparison, limit_images, order),
    }


def _rows(comparison: Comparison, summary: Summary, plain: Summary) -> list[dict[str, Any]]:
    """Table rows, the best mean rank first, with one cell for each metric."""
    count = len(comparison.methods)

    def cell(row: int, column: int) -> dict[str, Any]:
        rank = float(summary.rank[row, column])
        gap = summary.difference[row, column]
        with np.errstate(invalid="ignore"):
            change = summary.mean[row, column] - plain.mean[row, column]
        return {
            "mean": float(summary.mean[row, column]),
            "low": float(summary.low[row, column]),
            "high": float(summary.high[row, column]),
            "rank": rank,
            "best": row in summary.best(column),
            "heat": 0.0 if math.isnan(rank) else round(1 - (rank - 1) / max(count - 1, 1), 3),
            "near_best": summary.near_best[row][column],
            "difference": float(gap),
            "difference_low": float(summary.difference_low[row, column]),
            "difference_high": float(summary.difference_high[row, column]),
            "verdict": summary.verdict[row][column],
            "change": float(change),
        }

    return [
        {
            "name": comparison.methods[row].name,
            "about": comparison.methods[row].about,
            "is_baseline": comparison.methods[row].is_baseline,
            "is_reference": row == 0,
            "place": place,
            "mean_rank": float(summary.mean_rank[row]),
            "cells": [cell(row, column) for column in range(len(comparison.specs))],
        }
        for place, row in enumerate(summary.order, 1)
    ]


def _variants(comparison: Comparison) -> list[tuple[int, Any]]:
    plain: list[tuple[int, Any]] = [(0, comparison.values)]
    return plain if comparison.stretched is None else [*plain, (1, comparison.stretched)]


def _write_scores(comparison: Comparison, path: Path) -> None:
    """Every score of every image: one line per method and image."""
    rows: list[Sequence[object]] = [
        [method.name, stretched, name, *values[i, j].tolist()]
        for stretched, values in _variants(comparison)
        for i, method in enumerate(comparison.methods)
        for j, name in enumerate(comparison.names)
    ]
    write_table(path, ["method", "stretched", "name", *comparison.labels], rows)


def _write_summary(comparison: Comparison, summaries: dict[bool, Summary], path: Path) -> None:
    """One line per method and metric; `images` is what the metric is reckoned over."""
    fields = ("mean", "low", "high", "median", "rank", "difference", "difference_low",
              "difference_high")  # fmt: skip
    rows: list[Sequence[object]] = []
    for stretched, summary in summaries.items():
        for i in summary.order:
            for j, spec in enumerate(comparison.specs):
                numbers = [float(np.asarray(getattr(summary, name))[i, j]) for name in fields]
                rows.append([
                    comparison.methods[i].name, int(stretched), spec.label,
                    spec.arrow, summary.images[j],
                    int(summary.undefined[i, j]), float(summary.mean_rank[i]), *numbers,
                ])  # fmt: skip
    header = ["method", "stretched", "metric", "better", "images", "undefined", "mean_rank"]
    header += [{"low": "mean_low", "high": "mean_high"}.get(name, name) for name in fields]
    write_table(path, header, rows)
