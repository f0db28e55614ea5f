"""Optimizing pixels, and the objective that does it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mma_unet.analysis.frontier import JOINT, climb
from mma_unet.cli.main import app
from mma_unet.errors import InputError
from mma_unet.metrics import METRICS, psnr, score_batch
from mma_unet.metrics.objective import MetricObjective
from mma_unet.pyramid import pyramid_fusion
from tests.conftest import make_pairs


def smooth(*shape: int) -> torch.Tensor:
    return torch.nn.functional.interpolate(torch.rand(shape[0], 1, 8, 8), shape[1:])


def test_psnr_is_highest_for_the_average() -> None:
    """Known optimum: no image has a higher PSNR than the mean of the sources."""
    ir, vi = smooth(1, 48, 48), smooth(1, 48, 48)
    start = (ir * 0.9).requires_grad_()
    objective = MetricObjective({"psnr": 1.0})
    optimizer = torch.optim.Adam([start], lr=0.05)
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 - step / 200)
        optimizer.zero_grad()
        objective(start, ir, vi)["loss"].backward()
        optimizer.step()
    best = psnr((ir + vi) / 2, ir, vi).item()
    assert best - 0.05 < psnr(start.detach().clamp(0, 1), ir, vi).item() <= best + 1e-6


def test_climbing_improves_each_metric_and_their_sum() -> None:
    ir, vi = smooth(1, 64, 64), smooth(1, 64, 64)
    before = score_batch((ir + vi) / 2, ir, vi)
    for name in ("vif", "qabf", "qcb"):
        label = METRICS[name].label
        after = score_batch(climb(ir, vi, {name: 1.0}, steps=30), ir, vi)
        assert after[label] > before[label] + 0.02, name

    def total(scores: dict[str, torch.Tensor]) -> float:
        return sum(w * scores[METRICS[name].label].item() for name, w in JOINT.items())

    assert total(score_batch(climb(ir, vi, JOINT, steps=30), ir, vi)) > total(before) + 0.02


def test_a_pixel_outside_the_range_is_scored_as_written_and_can_return() -> None:
    ir, vi = smooth(2, 48, 48), smooth(2, 48, 48)
    fused = (smooth(2, 48, 48) * 3 - 1).requires_grad_()
    values = MetricObjective({"psnr": 1.0})(fused, ir, vi)
    expected = psnr(fused.detach().clamp(0, 1), ir, vi).mean()
    torch.testing.assert_close(values["psnr"], expected)
    values["loss"].backward()
    outside = (fused < 0) | (fused > 1)
    assert outside.any()
    pulled = fused.grad[outside] * torch.where(fused[outside] < 0, -1.0, 1.0)  # > 0 is inwards
    assert (pulled >= 0).all()
    assert (pulled > 0).float().mean() > 0.9


def test_no_pixel_pulls_harder_than_ten_times_its_share() -> None:
    ir = smooth(1, 48, 48).clamp(0.1, 0.9)
    fused = ir.clone()
    fused[..., 5, 7] += 0.05  # the only error, so the whole gradient is here
    fused.requires_grad_()
    MetricObjective({"psnr": 2.0})(fused, ir, ir)["loss"].backward()
    expected = torch.zeros_like(ir)
    expected[..., 5, 7] = 10 * 2.0 / 48**2
    torch.testing.assert_close(fused.grad, expected)


def test_flat_and_black_crops_do_no_harm() -> None:
    ir, vi = torch.zeros(2, 1, 48, 48), torch.zeros(2, 1, 48, 48)
    ir[1, :, 10:20, 10:20] = 1.0
    vi[1] = smooth(1, 48, 48)
    fused = (0.01 * smooth(2, 48, 48)).requires_grad_()
    values = MetricObjective(JOINT)(fused, ir, vi)
    values["loss"].backward()
    assert torch.isfinite(values["loss"])
    assert torch.isfinite(fused.grad).all()
    assert (fused.grad[0] == 0).all()


def test_a_batch_of_which_nothing_is_left_has_a_zero_gradient() -> None:
    ir, vi, black = smooth(2, 48, 48), smooth(2, 48, 48), torch.zeros(2, 1, 48, 48)
    dark = smooth(2, 48, 48) - 2  # constant once clipped
    for fused, first, second in (
        (smooth(2, 48, 48), black, vi),
        (smooth(2, 48, 48), ir, black),
        (smooth(2, 48, 48), black, black),
        (torch.full_like(vi, 0.5), ir, vi),
        (dark, ir, vi),
        (1e4 * torch.ones(2, 1, 48, 48, dtype=torch.float16), ir, vi),  # its sum is infinite
    ):
        fused.requires_grad_()
        values = MetricObjective(JOINT)(fused, first, second)
        assert values.keys() == {"loss"}
        assert values["loss"] == 0
        values["loss"].backward()
        assert (fused.grad == 0).all()


def test_climbing_on_a_constant_source_ends_where_it_began() -> None:
    ir, vi = torch.full((1, 1, 48, 48), 0.5), smooth(1, 48, 48)
    torch.testing.assert_close(climb(ir, vi, JOINT, steps=2), pyramid_fusion(ir, vi))


def test_what_cannot_be_optimized_is_refused() -> None:
    with pytest.raises(InputError, match="'en' cannot be optimized"):
        MetricObjective({"en": 1.0})
    with pytest.raises(InputError, match="'beauty' cannot"):
        MetricObjective({"beauty": 1.0})
    with pytest.raises(InputError, match="'nabf_misordered' cannot"):  # better in neither direction
        MetricObjective({"nabf_misordered": 1.0})


def test_the_command_writes_a_csv_and_goes_on(tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"], (48, 48))
    args = ["analyze", "frontier", str(ir), str(vi), "--steps", "2", "-o", str(tmp_path / "f.csv")]
    first = CliRunner().invoke(app, [*args, "--limit", "1"])
    assert first.exit_code == 0, first.output
    with (tmp_path / "f.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["objective"] for row in rows] == [*JOINT, "joint"]
    assert all(np.isfinite(float(row["PSNR"])) for row in rows)
    second = CliRunner().invoke(app, args)
    assert second.exit_code == 0, second.output
    with (tmp_path / "f.csv").open() as file:
        again = list(csv.DictReader(file))
    assert again[: len(rows)] == rows
    assert len(again) == 2 * len(rows)
