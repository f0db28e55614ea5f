"""CKA against closed forms, its invariances, and the minibatch estimate."""

from __future__ import annotations

from itertools import combinations, permutations

import pytest
import torch
from torch import Tensor

from mma_unet.analysis.cka import MinibatchCKA, cka, gram, hsic

DOUBLE = torch.float64


def _random(n: int, p: int, seed: int = 0) -> Tensor:
    return torch.randn(n, p, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


def _symmetric(n: int, seed: int) -> Tensor:
    x = _random(n, n, seed)
    return x + x.T


def _song(k: Tensor, l: Tensor) -> float:  # noqa: E741
    """Equation 5 of Song et al. 2012, letter by letter."""
    n = len(k)
    k, l = k - k.diag().diag(), l - l.diag().diag()  # noqa: E741
    one = torch.ones(n, dtype=DOUBLE)
    trace = (k @ l).trace()
    sums = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return float((trace + sums - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3)))


def _u_statistic(k: Tensor, l: Tensor) -> float:  # noqa: E741
    """The mean over all ordered quadruples of different examples (Song et al., theorem 2)."""
    terms = [
        k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in permutations(range(len(k)), 4)
    ]
    return float(sum(terms) / len(terms))


@pytest.mark.parametrize("n", [4, 5, 7])
def test_hsic_is_the_closed_form_and_the_u_statistic(n: int) -> None:
    k, l = _symmetric(n, 1), _symmetric(n, 2)  # noqa: E741
    value = float(hsic(k, l))
    assert value == pytest.approx(_song(k, l), rel=1e-10)
    assert value == pytest.approx(_u_statistic(k, l), rel=1e-10)


def test_hsic_is_that_of_pytorch_cka() -> None:
    other = pytest.importorskip("cka.hsic")
    k = torch.stack([_symmetric(9, seed) for seed in range(3)])
    l = torch.stack([_symmetric(9, seed) for seed in range(3, 5)])  # noqa: E741
    theirs = other.hsic_cross(k, l)
    ours = torch.stack([torch.stack([hsic(a, b) for b in l]) for a in k])
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_hsic_of_two_pairs_by_hand() -> None:
    """k and l link 1-2 and 3-4; the other links 1-3 and 2-4 and has nothing in common."""
    k, other = torch.zeros(4, 4), torch.zeros(4, 4)
    k[0, 1] = k[1, 0] = k[2, 3] = k[3, 2] = 1
    other[0, 2] = other[2, 0] = other[1, 3] = other[3, 1] = 1
    assert float(hsic(k, k)) == pytest.approx(2 / 3)
    assert float(hsic(k, other)) == pytest.approx(-1 / 3)


@pytest.mark.parametrize("unbiased", [True, False])
def test_invariances(unbiased: bool) -> None:
    x, y = _random(20, 6), _random(20, 4, 1) + _random(20, 6)[:, :4]
    value = float(cka(x, y, unbiased=unbiased))
    rotation = torch.linalg.qr(_random(6, 6, 2)).Q
    assert 0.1 < value < 0.9
    assert float(cka(x, x, unbiased=unbiased)) == pytest.approx(1, abs=1e-12)
    assert float(cka(x, 3 * x @ rotation + 7, unbiased=unbiased)) == pytest.approx(1, abs=1e-12)
    assert float(cka(y, x, unbiased=unbiased)) == pytest.approx(value, abs=1e-12)
    moved = 0.01 * x @ rotation + 100
    assert float(cka(moved, y, unbiased=unbiased)) == pytest.approx(value, abs=1e-10)
    squeezed = x * torch.tensor([9, 1, 1, 1, 1, 1], dtype=DOUBLE)
    assert abs(float(cka(squeezed, y, unbiased=unbiased)) - value) > 0.01


def test_biased_cka_is_that_of_kornblith() -> None:
    x, y = _random(12, 5), _random(12, 3, 1)
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    expected = (x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())
    assert float(cka(x, y, unbiased=False)) == pytest.approx(float(expected), rel=1e-10)


def test_unbiased_cka_finds_the_value_of_the_population() -> None:
    """White features and the first 4 of their 16 directions: the square root of 4 / 16."""
    x = _random(2000, 16)
    assert float(cka(x, x[:, :4])) == pytest.approx(0.5, abs=0.02)
    assert float(cka(x, _random(2000, 16, 1))) == pytest.approx(0, abs=0.01)


def test_few_examples_of_wide_features_mislead_the_biased_estimate_only() -> None:
    x, y = _random(16, 4000), _random(16, 4000, 1)
    assert float(cka(x, y, unbiased=False)) > 0.9
    assert abs(float(cka(x, y))) < 0.3


def test_the_mean_over_all_batches_is_the_value_of_the_whole() -> None:
    """As of every U-statistic, so that the minibatch estimate has no bias at all in HSIC."""
    x, y = _random(7, 3), _random(7, 2, 1) + _random(7, 3)[:, :2]
    total = MinibatchCKA()
    for rows in combinations(range(7), 4):
        total.update([gram(x[list(rows)])], [gram(y[list(rows)])])
    assert total.batches == 35
    assert float(total.cross / 35) == pytest.approx(float(hsic(gram(x), gram(y))), rel=1e-10)
    assert float(total.compute()) == pytest.approx(float(cka(x, y)), rel=1e-10)


def test_the_minibatch_estimate_converges_to_the_full_one() -> None:
    x = _random(256, 12)
    y = x[:, :6] + 0.5 * _random(256, 6, 1)
    full = float(cka(x, y))
    order = torch.Generator().manual_seed(3)

    def error(rounds: int) -> float:
        total = MinibatchCKA()
        for _ in range(rounds):
            for rows in torch.randperm(256, generator=order).split(16):
                total.update([gram(x[rows])], [gram(y[rows])])
        return abs(float(total.compute()) - full)

    few = sum(error(1) for _ in range(8)) / 8
    many = sum(error(16) for _ in range(8)) / 8
    assert many < few / 2
    assert many < 0.01


def test_all_pairs_at_once_are_the_single_ones() -> None:
    a = [_random(8, p, p) for p in (3, 5)]
    b = [_random(8, p, p) + a[0][:, :1] for p in (2, 4, 6)]
    total = MinibatchCKA()
    total.update([gram(x) for x in a], [gram(y) for y in b])
    expected = torch.stack([torch.stack([cka(x, y) for y in b]) for x in a])
    torch.testing.assert_close(total.compute(), expected)


def test_what_does_not_vary_is_like_nothing() -> None:
    x, dead = torch.rand(8, 3), torch.full((8, 3), 0.1)
    assert float(cka(x, dead)) == 0
    assert float(cka(dead, dead)) == 0
    total = MinibatchCKA()
    total.update([gram(x), gram(dead)], [gram(x), gram(dead)])
    assert total.compute().tolist() == [[pytest.approx(1), 0], [0, 0]]


def test_the_gram_matrix_keeps_its_digits_in_single_precision() -> None:
    x = torch.randn(8, 3, 40, 40)
    expected = float(cka(x, x[:, :1]))
    assert float(cka(x.double() + 1e4, x[:, :1])) == pytest.approx(expected, abs=1e-9)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        hsic(torch.eye(3), torch.eye(3))
    with pytest.raises(ValueError, match="shapes"):
        hsic(torch.eye(4), torch.eye(5))
    with pytest.raises(ValueError, match="beside"):
        cka(torch.rand(5, 2), torch.rand(6, 2))
    total = MinibatchCKA()
    with pytest.raises(ValueError, match="no batch"):
        total.compute()
    total.update([gram(torch.rand(4, 2))], [gram(torch.rand(4, 2))])
    with pytest.raises(ValueError, match="after"):
        total.update([gram(torch.rand(4, 2))] * 2, [gram(torch.rand(4, 2))])
