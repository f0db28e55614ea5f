"""Every golden value our conventions cover, on the synthetic cases and, if there, the real ones."""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter, defaultdict
from functools import cache, lru_cache
from pathlib import Path

import pytest

from mma_unet.metrics import METRICS
from tests.metrics.cases import HERE, SHARED, SYNTHETIC, load, read_golden, tensors
from tests.metrics.coverage import COVERED, EXCEPT, NOT_COVERED, allowed, reason_not_covered

GOLDEN = read_golden(HERE / "golden_synthetic.csv")


@cache
def ours(name: str, case: str) -> float:
    spec = METRICS[name]
    images = tensors(case)
    if min(images[0].shape[-2:]) < spec.min_size:
        return math.nan
    return float(spec.function(*images, data_range=255.0))


def misses(rows: list[tuple[str, str, float]], metric: str) -> list[str]:
    """Covered rows of one golden metric that we do not meet, and exceptions that we do."""
    found = []
    for case, name, value in rows:
        if name != metric:
            continue
        got = ours(COVERED[metric].name, case)
        same = got == value or (math.isnan(got) and math.isnan(value))
        met = same or abs(got - value) <= allowed(metric, case, value)
        excepted = reason_not_covered(metric, case) is not None
        if met == excepted:
            found.append(f"{case}: ours {got!r}, golden {value!r}, excepted {excepted}")
    return found


@pytest.mark.parametrize("case", SYNTHETIC)
def test_formulae_give_the_very_images_of_the_golden_values(case: str) -> None:
    with (HERE / "sha256.csv").open(newline="") as lines:
        hashes = {row["case"]: row for row in csv.DictReader(lines)}
    made = [hashlib.sha256(image.tobytes()).hexdigest() for image in load(case)]
    assert made == [hashes[case][key] for key in ("ir", "vi", "fused")]


@pytest.mark.parametrize("metric", COVERED)
def test_meets_the_golden_values_of_the_synthetic_cases(metric: str) -> None:
    rows = [row for row in GOLDEN if row[1] == metric]
    assert rows or metric in ("Qabf_unit_matlab", "VIF_sum_uint8saturated")
    assert misses(rows, metric) == []


@lru_cache(maxsize=1)
def real_rows() -> list[tuple[str, str, float]]:
    path = SHARED / "golden.csv"
    if not path.is_file():
        return []
    return [row for row in read_golden(path) if row[0] not in SYNTHETIC]


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "golden.csv").is_file(), reason=f"needs {SHARED}/golden.csv")
@pytest.mark.parametrize("metric", COVERED)
def test_meets_the_golden_values_of_the_real_cases(metric: str) -> None:
    assert misses(real_rows(), metric) == []


PAPER = {"Qcb", "Qabf_f64", "VIF_mean_f64", "SSIM_mean_gauss255_valid", "PSNR_L255_avgMSE"}


@pytest.mark.skipif(not (SHARED / "golden.csv").is_file(), reason=f"needs {SHARED}/golden.csv")
@pytest.mark.parametrize("metric", sorted(PAPER))
def test_the_papers_five_on_two_real_pairs(metric: str) -> None:
    rows = [row for row in real_rows() if row[0] in ("TNO05_DenseFuse", "MSRS00881N_PIAFusion")]
    assert misses(rows, metric) == []


def test_committed_golden_values_are_those_of_the_shared_file() -> None:
    path = SHARED / "golden.csv"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    whole = [row for row in read_golden(path) if row[0] in SYNTHETIC]
    assert [(c, m, repr(v)) for c, m, v in whole] == [(c, m, repr(v)) for c, m, v in GOLDEN]


def count_rows(path: Path) -> tuple[int, int, dict[str, Counter[str]]]:
    """Rows in all, rows covered, and for the others reason -> metric -> rows."""
    rows = read_golden(path)
    left: dict[str, Counter[str]] = defaultdict(Counter)
    for case, metric, _ in rows:
        reason = reason_not_covered(metric, case)
        if reason is not None:
            left[reason][metric] += 1
    return len(rows), len(rows) - sum(map(Counter.total, left.values())), left


def unknown_names(rows: list[tuple[str, str, float]]) -> set[str]:
    """Golden metrics of which coverage.py has never heard."""
    return {metric for _, metric, _ in rows} - set(COVERED) - set(NOT_COVERED)


def test_every_metric_of_the_shared_file_is_covered_or_has_a_reason() -> None:
    path = SHARED / "golden.csv"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    assert unknown_names(read_golden(path)) == set()
    assert unknown_names([("S01", "Qnew", 1.0)]) == {"Qnew"}


def test_every_golden_metric_is_covered_or_has_a_reason() -> None:
    assert unknown_names(GOLDEN) == set()
    assert not set(COVERED) & set(NOT_COVERED)
    assert set(EXCEPT) <= set(COVERED)
    assert {cover.name for cover in COVERED.values()} <= set(METRICS)


def test_counts_of_covered_rows() -> None:
    total, covered, _ = count_rows(HERE / "golden_synthetic.csv")
    assert (total, covered) == (1168, 1122)
    if (SHARED / "golden.csv").is_file():
        total, covered, _ = count_rows(SHARED / "golden.csv")
        assert (total, covered) == (3084, 2981)


if __name__ == "__main__":  # python -m tests.metrics.test_golden: the list for docs/metrics.md
    total, covered, left = count_rows(SHARED / "golden.csv")
    print(f"{covered} of {total} golden rows covered")  # noqa: T201
    for reason, counter in sorted(left.items(), key=lambda item: -item[1].total()):
        metrics = ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))
        print(f"| {counter.total()} | {metrics} | {reason} |")  # noqa: T201
