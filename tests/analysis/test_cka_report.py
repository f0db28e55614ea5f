"""The verdict: what each number is on matrices made for it."""

from __future__ import annotations

import numpy as np
import pytest

from mma_unet.analysis.cka_report import (
    Finding,
    findings,
    last_shallow,
    ridge_lag,
)
from mma_unet.analysis.layers import operations, paper_layers
from mma_unet.analysis.plots import figures
from mma_unet.analysis.stacks import Sample, stack

VI = operations(5, guided=False)


def _paper_to_operations(cut: int, guided: bool) -> int:
    """How many operations stand before layer `cut + 1` of the paper's count."""
    return paper_layers(operations(5, guided=guided))[cut]


def _two_blocks(cut: int, size: int) -> np.ndarray:
    part = np.arange(size) < cut
    return np.where(part[:, None] == part[None, :], 1.0, 0.2)


def _sample(name: str, guided: bool, ir_cut: int, vi_cut: int, shift: int = 0) -> Sample:
    """Cuts as operations; the ridge of `cross` lies `shift` operations further on in IR."""
    ir_layers = operations(5, guided=guided)
    places = [i for i, layer in enumerate(ir_layers) if layer.name != "gate"]
    cross = np.zeros((len(ir_layers), 34))
    for column in range(34):
        cross[places[min(column + shift, 33)], column] = 0.5
    ir, vi = _two_blocks(ir_cut, len(ir_layers)), _two_blocks(vi_cut, 34)
    matrices = {"ir": ir, "vi": vi, "cross": cross, "images": np.array([[0.25]])}
    return Sample(name, guided, name[-1], VI, ir_layers, matrices)


def _by_key(found: list[Finding]) -> dict[str, Finding]:
    return {finding.key: finding for finding in found}


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_last_shallow_finds_the_cut(cut: int) -> None:
    assert last_shallow(_two_blocks(cut, 21)) == (cut, pytest.approx(1.6))


def test_last_shallow_ends_the_bright_block_before_layers_that_all_differ() -> None:
    matrix = np.eye(51)
    matrix[:22, :22] = 0.9 + 0.1 * np.eye(22)
    assert last_shallow(matrix)[0] == 22


def test_last_shallow_is_the_least_scatter() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 3)).cumsum(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def scatter(d: int) -> float:
        return sum(float(((p - p.mean(axis=0)) ** 2).sum()) for p in (vectors[:d], vectors[d:]))

    best = min(range(1, 12), key=scatter)
    assert last_shallow(vectors @ vectors.T)[0] == best


def test_ridge_lag() -> None:
    identity = _sample("a0", True, 10, 10)
    assert ridge_lag(identity.matrices["cross"], identity.ir_layers, VI) == 0
    # One level further on is 8 of the paper's layers from level 1 and 11 from levels 2 to 4; the
    # last level meets the last layer, 6 to 0 away.
    late = _sample("a0", True, 10, 10, shift=7)
    lag = ridge_lag(late.matrices["cross"], late.ir_layers, VI)
    assert lag == pytest.approx((6 * 8 + 21 * 11 + 21) / 34)
    assert ridge_lag(np.eye(34)[::-1], VI, VI) == pytest.approx(0)


def test_the_verdict_of_trainings_that_are_as_the_paper_says() -> None:
    vi_cut = _paper_to_operations(12, False)
    samples = [
        *(_sample(f"g{k}", True, _paper_to_operations(22, True), vi_cut, 7) for k in range(2)),
        *(_sample(f"p{k}", False, _paper_to_operations(30, False), vi_cut, 7) for k in range(2)),
    ]
    found = _by_key(findings(samples))
    assert found["images"].mean == 0.25
    assert found["distinct_vi"].values == (12, 12)
    assert found["distinct_ir_guided"].values == (22, 22)
    assert found["distinct_ir_plain"].values == (30, 30)
    assert found["lag_guided"].values == (10, 10)
    assert found["guidance_distinct"].mean == -8
    claims = [finding.agrees for finding in found.values() if finding.paper is not None]
    assert claims == ["yes"] * 6
    assert found["ridge_lag_guided"].agrees == "yes"
    assert found["block_asymmetry_guided"].agrees == "yes"


def test_the_verdict_of_trainings_that_are_not() -> None:
    cuts = [(30, 5), (10, 30)]
    samples = [_sample(f"g{k}", True, ir, vi) for k, (ir, vi) in enumerate(cuts)]
    found = _by_key(findings(samples))
    assert found["distinct_vi"].agrees == "open"
    assert found["lag_guided"].agrees == "open"
    assert found["ridge_lag_guided"].mean == 0
    assert found["ridge_lag_guided"].agrees == "no"
    assert found["lag_guided"].spread == pytest.approx(np.std(found["lag_guided"].values, ddof=1))
    opposite = _by_key(findings([_sample("g0", True, 5, 30)]))
    assert opposite["lag_guided"].agrees == "no"
    assert opposite["lag_guided"].to_dict()["spread"] is None
    assert "guidance_distinct" not in opposite


def test_a_vi_encoder_that_trainings_share_counts_once() -> None:
    samples = [_sample("g0", True, 5, 9), _sample("p0", False, 5, 9), _sample("p1", False, 5, 9)]
    stacks = stack(samples)
    assert [len(stacks[key].values) for key in ("vi", "ir_guided", "ir_plain")] == [2, 1, 2]
    assert stacks["cross_guided"].indexed("paper").shape == (1, 51, 51)
    assert stacks["cross_guided"].mean("operations").shape == (39, 34)
    assert np.isnan(stacks["ir_guided"].spread("paper")).all()
    assert (stacks["ir_plain"].spread("paper") == 0).all()


def test_the_figures_there_are() -> None:
    samples = [_sample("g0", True, 5, 9), _sample("p0", False, 5, 9)]
    both = figures(stack(samples), "paper")
    assert list(both) == ["figure1-guided-paper", "figure1-plain-paper", "figure4-paper"]
    axes = both["figure1-guided-paper"].axes
    assert [a.get_xlabel() for a in axes[:3]] == [
        "layer of guided IR-UNet", "layer of VI-UNet", "layer of VI-UNet",
    ]  # fmt: skip
    assert axes[0].get_xticks().tolist() == [1, 7, 18, 29, 40, 51]
    assert list(figures(stack(samples[1:]), "operations")) == ["figure1-plain-operations"]
