"""Ranks, and intervals from a paired bootstrap over images.

Every resample draws images, not scores: all methods and metrics see the same images each time,
so differences between methods are those of pairs, and the spread between easy and hard images
does not hide them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mma_unet.benchmark.scores import FloatArray, column_means

__all__ = ["LEVEL", "Summary", "bootstrap_means", "mean_ranks", "rank_table", "summarise"]

LEVEL = 0.95
"""Coverage of every interval."""


def bootstrap_means(values: FloatArray, resamples: int = 2000, seed: int = 0) -> FloatArray:
    """Means of images drawn with replacement.

    Args:
        values: `(N, ...)`, one row per image; values that are not finite are left out.
        resamples: How often to draw N images.
        seed: Seed of the draws; the same seed draws the same images whatever `values` holds.

    Returns:
        `(resamples, ...)`; NaN where a draw has no finite value.
    """
    n = len(values)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    weights = counts.astype(np.float64)
    flat = values.reshape(n, -1)
    known = np.isfinite(flat)
    with np.errstate(invalid="ignore"):
        means = (weights @ np.where(known, flat, 0.0)) / (weights @ known)
    return np.asarray(means.reshape(resamples, *values.shape[1:]), dtype=np.float64)


def _interval(samples: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Percentile interval over the first axis, NaN left out."""
    tail = (1 - LEVEL) / 2
    known = np.isfinite(samples).any(axis=0)
    safe = np.where(known, samples, 0.0)
    low, high = np.nanquantile(safe, (tail, 1 - tail), axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def rank_table(means: FloatArray, higher_is_better: Sequence[bool | None]) -> FloatArray:
    """Rank of each method in each metric, 1 for the best.

    Methods with equal means share the average of their ranks; one whose mean is undefined comes
    last. A metric without a direction, or defined for no method, gives NaN.

    Args:
        means: `(methods, metrics)`.
        higher_is_better: For each metric; None where neither direction is better.

    Returns:
        `(methods, metrics)`.

    Example:
        >>> rank_table(np.array([[3.0, 1.0], [2.0, 1.0], [1.0, 5.0]]), [True, False]).tolist()
        [[1.0, 1.5], [2.0, 1.5], [3.0, 3.0]]
    """
    ranks = np.full(means.shape, np.nan)
    for column, better in enumerate(higher_is_better):
        values = means[:, column]
        if better is None or np.isnan(values).all():
            continue
        keys = np.where(np.isnan(values), np.inf, -values if better else values)
        ahead = (keys[None, :] < keys[:, None]).sum(axis=1)
        equal = (keys[None, :] == keys[:, None]).sum(axis=1)
        ranks[:, column] = ahead + (equal + 1) / 2
    return ranks


def mean_ranks(ranks: FloatArray) -> FloatArray:
    """Mean rank `(methods,)` over the metrics that are ranked; NaN where none is."""
    return column_means(ranks.T)


@dataclass(frozen=True, eq=False)
class Summary:
    """What a comparison comes to; arrays are `(methods, metrics)` unless said.

    Attributes:
        mean: Means over the images each metric is defined for.
        median: Medians, likewise.
        low: Lower ends of the intervals of the means.
        high: Upper ends.
        undefined: Numbers of images left out because the metric is not defined for them.
        rank: Ranks by mean.
        mean_rank: `(methods,)`.
        difference: Mean minus that of the reference method, over images defined for both.
        difference_low: Lower ends of the intervals of the differences.
        difference_high: Upper ends.
        verdict: `"better"`, `"worse"` or `"unclear"` than the reference; `""` where there is no
            direction or nothing to compare.
        near_best: Whether the mean is that of the best method or cannot be told from it.
    """

    mean: FloatArray
    median: FloatArray
    low: FloatArray
    high: FloatArray
    undefined: FloatArray
    rank: FloatArray
    mean_rank: FloatArray
    difference: FloatArray
    difference_low: FloatArray
    difference_high: FloatArray
    verdict: list[list[str]]
    near_best: list[list[bool]]

    @property
    def order(self) -> list[int]:
        """Methods by mean rank, the best first; in their own order where there is none."""
        keys = np.where(np.isnan(self.mean_rank), np.inf, self.mean_rank)
        return [int(i) for i in np.argsort(keys, kind="stable")]


def summarise(
    values: FloatArray,
    higher_is_better: Sequence[bool | None],
    *,
    reference: int = 0,
    resamples: int = 2000,
    seed: int = 0,
) -> Summary:
    """Means, ranks and intervals of several methods on the same images.

    Args:
        values: `(methods, images, metrics)`; NaN where undefined.
        higher_is_better: For each metric.
        reference: The method that differences are taken to.
        resamples: Resamples of the bootstrap.
        seed: Its seed.
    """
    by_image = np.swapaxes(values, 0, 1)  # (images, methods, metrics)
    mean = column_means(by_image)
    low, high = _interval(bootstrap_means(by_image, resamples, seed))
    rank = rank_table(mean, higher_is_better)
    with np.errstate(invalid="ignore"):
        gaps = by_image - by_image[:, reference : reference + 1]
    difference = column_means(np.where(np.isfinite(gaps), gaps, np.nan))
    gap_low, gap_high = _interval(bootstrap_means(gaps, resamples, seed))
    signs = [0 if better is None else 1 if better else -1 for better in higher_is_better]
    return Summary(
        mean=mean,
        median=_median(by_image),
        low=low,
        high=high,
        undefined=np.isnan(by_image).sum(axis=0).astype(np.float64),
        rank=rank,
        mean_rank=mean_ranks(rank),
        difference=difference,
        difference_low=gap_low,
        difference_high=gap_high,
        verdict=_verdicts(gap_low, gap_high, signs, reference),
        near_best=_near_best(by_image, rank, resamples, seed),
    )


def _median(by_image: FloatArray) -> FloatArray:
    known = ~np.isnan(by_image).all(axis=0)
    middle = np.nanmedian(np.where(known, by_image, 0.0), axis=0)
    return np.where(known, middle, np.nan)


def _verdicts(
    low: FloatArray, high: FloatArray, signs: Sequence[int], reference: int
) -> list[list[str]]:
    def word(method: int, metric: int) -> str:
        a, b = low[method, metric], high[method, metric]
        if method == reference or not signs[metric] or np.isnan(a):
            return ""
        if a <= 0 <= b:
            return "unclear"
        return "better" if a * signs[metric] > 0 else "worse"

    return [[word(i, j) for j in range(low.shape[1])] for i in range(low.shape[0])]


def _near_best(
    by_image: FloatArray, rank: FloatArray, resamples: int, seed: int
) -> list[list[bool]]:
    near = np.zeros(rank.shape, dtype=bool)
    for metric in range(rank.shape[1]):
        if np.isnan(rank[:, metric]).all():
            continue
        best = int(np.argmin(rank[:, metric]))
        with np.errstate(invalid="ignore"):
            gaps = by_image[:, :, metric] - by_image[:, best : best + 1, metric]
        low, high = _interval(bootstrap_means(gaps, resamples, seed))
        near[:, metric] = (low <= 0) & (high >= 0)
        near[best, metric] = True
    return [[bool(x) for x in row] for row in near]
