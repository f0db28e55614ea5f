"""Scoring one folder of fused images against the folders of its sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from mma_unet.benchmark.pool import ScorePool, sensible_workers
from mma_unet.benchmark.scores import Scores
from mma_unet.benchmark.triples import Triple, match
from mma_unet.data import find_pairs
from mma_unet.data.infrared import first_note
from mma_unet.data.storage import as_place
from mma_unet.metrics.scoring import suite_specs

__all__ = ["Progress", "evaluate_folder", "score_triples", "suite_names"]

Progress = Callable[[str, int, int], None]
"""Called as `progress(what, done, total)` after each step."""


def suite_names(suite: str | Iterable[str]) -> tuple[str, ...]:
    """Names of the metrics of a suite; several suites or metrics are joined by commas.

    Raises:
        InputError: There is no such suite or metric.

    Example:
        >>> suite_names("psnr,ssim")
        ('psnr', 'ssim')
    """
    parts = suite.split(",") if isinstance(suite, str) else list(suite)
    names = [spec.name for part in parts for spec in suite_specs(part.strip())]
    return tuple(dict.fromkeys(names))


def evaluate_folder(
    ir: str | Path,
    vi: str | Path,
    fused: str | Path,
    *,
    suite: str | Iterable[str] = "paper",
    workers: int | None = 1,
    progress: Progress | None = None,
    recursive: bool = False,
    pattern: str | None = None,
) -> Scores:
    """Score every fused image of a folder that has both its sources.

    Files belong together by the rules of `mma_unet.data.find_pairs`. Color images are reduced
    to luminance, `round(0.299 R + 0.587 G + 0.114 B)`; 16-bit and float ones are rounded to 8
    bits first, infrared ones by the rule of `mma_unet.data.ranges`.

    Args:
        ir: Folder of the infrared images.
        vi: Folder of the visible images.
        fused: Folder of the fused images.
        suite: A suite, a metric, or several of them.
        workers: Processes; None chooses by the number of images.
        progress: Called after each image.
        recursive: See `mma_unet.data.find_pairs`; the fused folder is searched in the same way.
        pattern: See `mma_unet.data.find_pairs`.

    Returns:
        The scores in natural order of the names; files without partners, unreadable files and
        differing sizes are sentences in `problems` and do not stop the rest.

    Raises:
        InputError: A folder is missing or empty, no file has a partner, or there is no such suite.
    """
    names = suite_names(suite)
    pairing = find_pairs(ir, vi, recursive=recursive, pattern=pattern)
    triples, problems = match(pairing, as_place(fused), as_place(vi), recursive=recursive)
    workers = sensible_workers(len(triples)) if workers is None else workers
    with ScorePool(names, workers) as pool:
        return score_triples(pool, triples, problems=problems, progress=progress)


def score_triples(
    pool: ScorePool,
    triples: Sequence[Triple],
    *,
    problems: Sequence[str] = (),
    progress: Progress | None = None,
    what: str = "Scoring",
) -> Scores:
    """Score triples into one table.

    Args:
        pool: Does the work.
        triples: What to score.
        problems: Sentences to begin the table's `problems` with.
        progress: Called after each triple.
        what: What to call the work in `progress`.
    """
    labels = tuple(spec.label for spec in suite_specs(pool.suite))
    rows: dict[int, list[float]] = {}
    failed: dict[int, str] = {}
    for done, result in enumerate(pool.run(triples), 1):
        if result.scores is None:
            failed[result.index] = result.reason
        else:
            rows[result.index] = [result.scores[label] for label in labels]
        if progress is not None:
            progress(what, done, len(triples))
    order = sorted(rows)
    values = np.array([rows[i] for i in order], dtype=np.float64).reshape(len(order), len(labels))
    reasons = [failed[i] for i in sorted(failed)]
    note = first_note([triple.ir for triple in triples])
    return Scores(
        tuple(triples[i].name for i in order), labels, values, (*problems, *reasons),
        (note,) if note else (),
    )  # fmt: skip
