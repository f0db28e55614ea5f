"""Ranks, and intervals from a paired bootstrap over images.

Every resample draws images, not scores: all methods and metrics see the same images each time,
so differences between methods are those of pairs, and the spread between easy and hard images
does not hide them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mma_unet.benchmark.scores import FloatArray, column_means, column_medians

__all__ = ["LEVEL", "Summary", "bootstrap_means", "mean_ranks", "rank_table", "summarize"]

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

    Methods with equal means share the average of their ranks. One whose mean is undefined has no
    rank (NaN), nor has any method in a metric without a direction.

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
        keys = -values if better else values  # comparisons with NaN are false
        ahead = (keys[None, :] < keys[:, None]).sum(axis=1)
        equal = (keys[None, :] == keys[:, None]).sum(axis=1)
        ranks[:, column] = np.where(np.isnan(values), np.nan, ahead + (equal + 1) / 2)
    return ranks


def mean_ranks(ranks: FloatArray) -> FloatArray:
    """Mean rank `(methods,)` over the metrics that are ranked; NaN where none is."""
    return column_means(ranks.T)


@dataclass(frozen=True, eq=False)
class Summary:
    """What a comparison comes to; arrays are `(methods, metrics)` unless said.

    Everything but `undefined` is reckoned, metric by metric, over the same images for every
    method: those of `used`.

    Attributes:
        used: `(images, metrics)`, whether the metric is defined for every method on that image;
            methods for which it is defined on none are left out of the question.
        mean: Means over `used`; NaN where the method is not defined there.
        median: Medians, likewise.
        low: Lower ends of the intervals of the means; NaN where the mean is not finite.
        high: Upper ends.
        undefined: On how many images the metric is not defined for the method.
        rank: Ranks by mean; NaN where there is no mean.
        mean_rank: `(methods,)`, over the metrics in which the method has a rank.
        difference: Mean minus that of the reference method.
        difference_low: Lower ends of the intervals of the differences; NaN where one of the two
            means is not finite.
        difference_high: Upper ends.
        verdict: `"better"`, `"worse"` or `"unclear"` than the reference; `""` where there is no
            direction or no interval. It never contradicts the ranks.
        near_best: Whether the mean is the best one or cannot be told from it.
    """

    used: npt.NDArray[np.bool_]
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
    def images(self) -> list[int]:
        """How many images each metric is reckoned over."""
        return [int(count) for count in self.used.sum(axis=0)]

    @property
    def order(self) -> list[int]:
        """Methods by mean rank, the best first; in their own order where there is none."""
        keys = np.where(np.isnan(self.mean_rank), np.inf, self.mean_rank)
        return [int(i) for i in np.argsort(keys, kind="stable")]

    def best(self, metric: int) -> list[int]:
        """The methods of the best mean of a metric, all of them where some are equal."""
        ranks = self.rank[:, metric]
        return [] if np.isnan(ranks).all() else [int(i) for i in _where_least(ranks)]


def summarize(
    values: FloatArray,
    higher_is_better: Sequence[bool | None],
    *,
    ideals: Sequence[float | None] = (),
    reference: int = 0,
    resamples: int = 2000,
    seed: int = 0,
) -> Summary:
    """Means, ranks and intervals of several methods on the same images.

    A metric that is not defined for some method on an image is reckoned without that image for
    all methods, so that nobody gains by failing on the hard ones. A method for which it is
    defined on no image at all takes no part in that metric.

    Args:
        values: `(methods, images, metrics)`; NaN where undefined.
        higher_is_better: For each metric.
        ideals: For each metric the best value, if it is neither the highest nor the lowest; such
            a metric is ranked and told by the distance of the mean from it. None by default.
        reference: The method that differences are taken to.
        resamples: Resamples of the bootstrap.
        seed: Its seed.
    """
    missing = np.isnan(values)
    absent = np.logical_and.reduce(missing, axis=1)  # (methods, metrics)
    lacking = np.logical_and(missing, ~absent[:, None]).any(axis=0)
    used = np.logical_not(np.logical_or(lacking, absent.all(axis=0)))
    by_image = np.where(used[:, None], np.swapaxes(values, 0, 1), np.nan)
    mean, median = column_means(by_image), column_medians(by_image)
    keys, directions = mean.copy(), list(higher_is_better)
    for column, ideal in enumerate(ideals):
        if ideal is not None:
            keys[:, column], directions[column] = np.abs(mean[:, column] - ideal), False
    rank = rank_table(keys, directions)
    best = [int(_where_least(r)[0]) if not np.isnan(r).all() else reference for r in rank.T]
    columns = np.arange(len(best))
    with np.errstate(invalid="ignore"):
        difference = mean - mean[reference]
        gaps = by_image - by_image[:, reference : reference + 1]
        behind = by_image - by_image[:, best, columns][:, None]
        behind_best = mean - mean[best, columns]
    low, high = _intervals(by_image, mean, used, resamples, seed)
    gap_low, gap_high = _intervals(gaps, difference, used, resamples, seed)
    near_low, near_high = _intervals(behind, behind_best, used, resamples, seed)
    told_low, told_high = gap_low.copy(), gap_high.copy()
    for column, ideal in enumerate(ideals):
        if ideal is not None and used[:, column].any():
            values_here = by_image[used[:, column], :, column]
            distance = np.abs(bootstrap_means(values_here, resamples, seed) - ideal)
            for bounds, other in (
                ((told_low, told_high), reference),
                ((near_low, near_high), best[column]),
            ):
                ends = _interval(distance - distance[:, [other]])
                bounds[0][:, column], bounds[1][:, column] = ends
    near = ((near_low <= 0) & (near_high >= 0) & ~np.isnan(rank)) | (rank == rank[best, columns])
    return Summary(
        used=used,
        mean=mean,
        median=median,
        low=low,
        high=high,
        undefined=missing.sum(axis=1).astype(np.float64),
        rank=rank,
        mean_rank=mean_ranks(rank),
        difference=difference,
        difference_low=gap_low,
        difference_high=gap_high,
        verdict=_verdicts(told_low, told_high, rank, reference),
        near_best=near.tolist(),
    )


def _where_least(ranks: FloatArray) -> npt.NDArray[np.intp]:
    return np.flatnonzero(ranks == np.nanmin(ranks))


def _intervals(
    by_image: FloatArray,
    means: FloatArray,
    used: npt.NDArray[np.bool_],
    resamples: int,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Intervals of means over the images used, for `(images, methods, metrics)`.

    Metrics that use the same images share the draws; where a mean is not finite there is none.
    """
    low, high = np.full(means.shape, np.nan), np.full(means.shape, np.nan)
    patterns, which = np.unique(used, axis=1, return_inverse=True)
    for index, rows in enumerate(patterns.T):
        columns = np.flatnonzero(which.reshape(-1) == index)
        if rows.any():
            samples = bootstrap_means(by_image[rows][:, :, columns], resamples, seed)
            low[:, columns], high[:, columns] = _interval(samples)
    finite = np.isfinite(means)
    return np.where(finite, low, np.nan), np.where(finite, high, np.nan)


def _verdicts(
    low: FloatArray, high: FloatArray, rank: FloatArray, reference: int
) -> list[list[str]]:
    """A verdict needs an interval on one side of zero, and a rank on the same side."""

    def word(method: int, metric: int) -> str:
        a, b = low[method, metric], high[method, metric]
        ahead = rank[reference, metric] - rank[method, metric]
        if method == reference or np.isnan(a) or np.isnan(ahead):
            return ""
        if a <= 0 <= b or ahead == 0:
            return "unclear"
        return "better" if ahead > 0 else "worse"

    return [[word(i, j) for j in range(low.shape[1])] for i in range(low.shape[0])]
