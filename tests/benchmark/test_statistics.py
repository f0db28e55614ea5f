"""Ranks and intervals on tables made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mma_unet.benchmark.statistics import bootstrap_means, mean_ranks, rank_table, summarize


def test_ranks_honour_direction_ties_and_what_is_undefined() -> None:
    means = np.array(
        [
            [0.9, 10.0, 1.0, 5.0, np.nan],
            [0.9, 30.0, np.nan, 5.0, np.nan],
            [0.1, 20.0, 2.0, 5.0, np.nan],
        ]
    )
    ranks = rank_table(means, [True, False, True, None, True])
    np.testing.assert_array_equal(ranks[:, 0], [1.5, 1.5, 3])
    np.testing.assert_array_equal(ranks[:, 1], [1, 3, 2])
    np.testing.assert_array_equal(ranks[:, 2], [2, np.nan, 1])
    assert np.isnan(ranks[:, 3:]).all()
    np.testing.assert_allclose(mean_ranks(ranks), [1.5, 2.25, 2.0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        sample = rng.normal(3.0, 2.0, size=(40, 1))
        low, high = np.quantile(bootstrap_means(sample, 400, trial), (0.025, 0.975))
        hits += low <= 3.0 <= high
    assert 180 <= hits <= 199  # 95 % of 200 is 190


def test_pairing_finds_a_small_steady_difference_between_scattered_images() -> None:
    rng = np.random.default_rng(2)
    images = rng.normal(0.5, 0.2, size=(30, 1))
    better = images + 0.01 + rng.normal(0, 0.002, size=(30, 1))
    noise = images + rng.normal(0, 0.05, size=(30, 1))
    summary = summarize(np.stack([images, better, noise]), [True])
    assert summary.high[0, 0] > summary.low[1, 0]  # the intervals of the means overlap widely
    assert summary.verdict == [[""], ["better"], ["unclear"]]
    assert 0.008 < summary.difference_low[1, 0] < 0.01 < summary.difference_high[1, 0] < 0.012
    flipped = summarize(np.stack([images, better, noise]), [False])
    assert flipped.verdict[1] == ["worse"]


def test_a_draw_is_the_same_for_the_same_seed_only() -> None:
    values = np.random.default_rng(0).normal(size=(12, 2, 3))
    first = bootstrap_means(values, 50, 4)
    assert first.shape == (50, 2, 3)
    np.testing.assert_array_equal(first, bootstrap_means(values, 50, 4))
    assert not np.array_equal(first, bootstrap_means(values, 50, 5))
    np.testing.assert_allclose(bootstrap_means(values + 1, 50, 4), first + 1, rtol=0, atol=1e-12)


def test_an_image_undefined_for_one_method_is_left_out_for_all_and_counted() -> None:
    values = np.array([[[1.0], [2.0], [np.nan]], [[1.0], [1.0], [4.0]], [[np.nan]] * 3])
    summary = summarize(values, [True])
    np.testing.assert_array_equal(summary.mean[:2, 0], [1.5, 1.0])  # without the third image
    assert summary.images == [2]
    assert np.isnan(summary.mean[2, 0])
    assert np.isnan(summary.low[2, 0])
    np.testing.assert_array_equal(summary.rank[:, 0], [1, 2, np.nan])
    np.testing.assert_array_equal(summary.undefined[:, 0], [1, 0, 3])
    assert summary.difference[1, 0] == -0.5
    assert summary.order == [0, 1, 2]


def test_failing_on_hard_images_gains_no_rank() -> None:
    rng = np.random.default_rng(5)
    ease = np.repeat([0.9, 0.1], 20)[:, None] + rng.normal(0, 0.01, (40, 1))
    shirker = np.where(np.arange(40)[:, None] < 20, ease - 0.05, np.nan)  # worse where it works
    summary = summarize(np.stack([ease, shirker]), [True])
    assert summary.images == [20]
    np.testing.assert_array_equal(summary.rank[:, 0], [1, 2])
    assert summary.verdict[1] == ["worse"]
    assert summary.near_best == [[True], [False]]


def test_nothing_in_common_is_not_ranked() -> None:
    summary = summarize(np.array([[[1.0], [np.nan]], [[np.nan], [2.0]]]), [True])
    assert summary.images == [0]
    assert np.isnan(summary.rank).all()
    assert summary.verdict == [[""], [""]]
    assert summary.best(0) == []


@pytest.mark.parametrize("seed", range(12))
def test_ranks_and_verdicts_never_disagree(seed: int) -> None:
    """On random tables with holes, ties, infinities and outliers."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(5, rng.integers(1, 9), 6)) ** 3
    values[1] = values[0]
    values[rng.random(values.shape) < 0.1] = np.nan
    values[rng.random(values.shape) < 0.03] = np.inf
    values[rng.random(values.shape) < 0.03] = -np.inf
    values[3, :, 2] = np.nan
    summary = summarize(values, [True, False, True, False, None, True], resamples=100)
    for metric in range(6):
        rank = summary.rank[:, metric]
        for method in range(5):
            word = summary.verdict[method][metric]
            assert word in ("", "unclear") or (word == "better") == (rank[method] < rank[0])
            low, high = summary.low[method, metric], summary.high[method, metric]
            assert np.isnan(low) == (not np.isfinite(summary.mean[method, metric]))
            assert np.isnan(low) or low <= summary.mean[method, metric] + 1e-12
            assert np.isnan(high) or high >= summary.mean[method, metric] - 1e-12
            assert np.isnan(rank[method]) or not np.isnan(summary.mean[method, metric])
            if method in summary.best(metric):
                assert rank[method] == np.nanmin(rank)
                assert summary.near_best[method][metric]
            if 0 in summary.best(metric):
                assert word != "better"
                assert summary.near_best[method][metric] == (word == "unclear" or method == 0 or (
                    rank[method] == rank[0]))  # fmt: skip


def test_an_infinite_mean_has_a_rank_but_neither_interval_nor_verdict() -> None:
    values = np.array([[[np.inf], [50.0]], [[40.0], [40.0]], [[41.0], [41.0]]])
    summary = summarize(values, [True])
    assert summary.mean[0, 0] == np.inf
    assert summary.rank[:, 0].tolist() == [1.0, 3.0, 2.0]
    assert np.isnan(summary.low[0, 0])
    assert np.isnan(summary.high[0, 0])
    assert summary.difference[1, 0] == -np.inf
    assert np.isnan(summary.difference_low[1, 0])
    assert summary.verdict == [[""], [""], [""]]
    assert summary.near_best == [[True], [False], [False]]
    flipped = summarize(values, [True], reference=1)
    assert flipped.verdict == [[""], [""], ["better"]]


def test_a_metric_with_an_ideal_is_ranked_by_the_distance_from_it() -> None:
    values = np.array([[[1.4]], [[0.9]], [[0.5]]])  # three methods, one image, one metric
    ranked = summarize(values, [None], ideals=[1.0], resamples=10)
    assert ranked.rank[:, 0].tolist() == [2.0, 1.0, 3.0]
    assert ranked.mean[:, 0].tolist() == [1.4, 0.9, 0.5]
    assert np.isnan(summarize(values, [None], resamples=10).rank).all()


def test_a_metric_with_an_ideal_is_told_by_the_distance_from_it() -> None:
    spread = np.linspace(-0.02, 0.02, 20)
    # As far above 1 as below, give or take the images; nearer; farther.
    levels = [1.10 + spread, 0.9005 + spread, 1.05 + spread, 0.5 + spread]
    summary = summarize(np.array(levels)[:, :, None], [None], ideals=[1.0], resamples=200)
    assert [row[0] for row in summary.verdict] == ["", "unclear", "better", "worse"]
    assert [row[0] for row in summary.near_best] == [False, False, True, False]
    assert summary.difference_high[1, 0] < 0  # what is printed stays the difference of the means
    first_two = summarize(np.array(levels[:2])[:, :, None], [None], ideals=[1.0], resamples=200)
    assert first_two.near_best == [[True], [True]]
