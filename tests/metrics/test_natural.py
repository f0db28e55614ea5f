"""What the eye complains of, on pictures whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mma_unet.metrics import METRICS, SUITES, natural

SIZE = 96


def flat(value: float) -> Tensor:
    return torch.full((1, 1, SIZE, SIZE), value, dtype=torch.float64)


def box(image: Tensor, value: float, top: int = 40, left: int = 40, side: int = 14) -> Tensor:
    image = image.clone()
    image[..., top : top + side, left : left + side] = value
    return image


def value(name: str, fused: Tensor, ir: Tensor, vi: Tensor) -> float:
    return METRICS[name].function(fused, ir, vi, data_range=255.0).item()


def test_the_suite_knows_its_directions() -> None:
    assert SUITES["natural"] == (
        "sky", "blotch", "luminance", "target", "target_blind", "grain", "halo", "spots", "strokes",
    )  # fmt: skip
    assert METRICS["sky"].ideal == METRICS["luminance"].ideal == 1
    assert METRICS["blotch"].higher_is_better is METRICS["halo"].higher_is_better is False
    assert METRICS["target"].higher_is_better is METRICS["strokes"].higher_is_better is True


def test_a_sky_that_turns_dark() -> None:
    vi = flat(220)
    vi[..., SIZE // 2 :, :] = 60  # ground: not looked at
    fused = vi.clone()
    fused[..., : SIZE // 2, :] = 110
    assert value("sky", fused, vi, vi) == pytest.approx(0.5)
    assert value("sky", vi, vi, vi) == pytest.approx(1)
    assert math.isnan(value("sky", fused, vi, flat(100)))


def test_islands_in_the_sky_are_blotches() -> None:
    vi = flat(220)
    assert value("blotch", vi - 30, vi, vi) == pytest.approx(0)  # darker, but even
    half = vi.clone()
    half[..., SIZE // 2 :] -= 40  # two halves 40 apart deviate by 20, less at the soft seam
    assert 17 < value("blotch", half, vi, vi) < 20


def test_luminance_is_a_ratio_of_means() -> None:
    assert value("luminance", flat(120), flat(0), flat(100)) == pytest.approx(1.2)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_contrast_of_a_target_that_is_kept(share: float) -> None:
    ir = box(flat(50), 200, side=12)
    fused = box(flat(100), 100 + 150 * share, side=12)
    assert value("target", fused, ir, flat(100)) == pytest.approx(share)


def test_without_anything_hot_there_is_no_target() -> None:
    assert math.isnan(value("target", flat(0), flat(50), flat(0)))


def test_only_what_lies_in_blindness_counts_there() -> None:
    ir = box(box(flat(50), 200, top=20, left=12, side=10), 200, top=60, left=66, side=10)
    vi = flat(100) + 40 * (torch.arange(SIZE) % 2)  # texture: it sees
    vi[..., 48:] = 250  # smoke on the right
    fused = box(flat(250), 100, top=46, left=50, side=40)
    fused = box(fused, 175, top=60, left=66, side=10)  # half the contrast, on the right alone
    assert value("target_blind", fused, ir, vi) == pytest.approx(0.5, abs=0.02)
    vi[..., 48:] = vi[..., :48]
    assert math.isnan(value("target_blind", fused, ir, vi))


def test_grain_is_a_ratio_of_noise() -> None:
    noise = torch.randn(1, 1, SIZE, SIZE, dtype=torch.float64, generator=torch.manual_seed(0))
    vi = flat(100) + noise
    assert value("grain", vi, vi, vi) == pytest.approx(1)
    assert value("grain", flat(100) + 3 * noise, vi, vi) == pytest.approx(3, rel=1e-6)


def test_noise_of_ir_is_grain_and_an_edge_of_ir_is_none() -> None:
    noise = torch.randn(1, 1, SIZE, SIZE, dtype=torch.float64, generator=torch.manual_seed(0))
    vi = flat(100) + noise
    assert value("grain", vi + 4 * noise, flat(50) + 4 * noise, vi) == pytest.approx(5, rel=1e-6)
    ir = flat(50)
    ir[..., SIZE // 2 :] = 90
    shown = vi + (ir - 50)
    assert value("grain", shown, ir, vi) == pytest.approx(1, rel=1e-6)
    assert value("grain", shown, flat(50), vi) > 2


def test_a_rim_beyond_both_sources_is_a_halo() -> None:
    vi = flat(100)
    vi[..., SIZE // 2 :] = 180
    assert value("halo", vi, vi, vi) == 0
    fused = vi.clone()
    fused[..., SIZE // 2 : SIZE // 2 + 2] = 200  # two columns of the 14 near the edge, by 20
    assert value("halo", fused, vi, vi) == pytest.approx(20 * 2 / 14)


def test_spots_that_are_seen() -> None:
    ir, fused = flat(50), flat(120)
    for index, left in enumerate((16, 40, 64, 80)):
        ir = box(ir, 200, top=30, left=left, side=3)
        if index < 3:
            fused = box(fused, 180, top=30, left=left, side=3)
    assert value("spots", fused, ir, flat(120)) == pytest.approx(0.75)
    assert math.isnan(value("spots", fused, flat(50), flat(120)))
    one = box(flat(50), 200, top=30, left=16, side=3)
    one[..., 31, 17] += 20  # one top beside one of nine equal pixels: two spots
    both = box(one, 200, top=30, left=60, side=3)
    seen = box(flat(120), 180, top=30, left=16, side=3)
    assert value("spots", seen, both, flat(120)) == pytest.approx(0.5)


@pytest.mark.parametrize("ink", [200.0, 20.0])  # bright paint, dark wires
def test_strokes_that_fade(ink: float) -> None:
    vi = flat(110)
    vi[..., 46:49, :] = ink
    assert value("strokes", vi, flat(50), vi) == pytest.approx(1)
    assert value("strokes", 110 + (vi - 110) / 4, flat(50), vi) == pytest.approx(0.25, abs=0.01)
    assert value("strokes", 220 - vi, flat(50), vi) == 0


def test_images_of_a_batch_do_not_mix_and_ranges_agree() -> None:
    rng = torch.manual_seed(3)
    fused, ir, vi = (torch.randint(0, 256, (2, 1, 64, 64), generator=rng) for _ in range(3))
    for name in SUITES["natural"]:
        function = METRICS[name].function
        both = function(fused, ir, vi, data_range=255.0)
        one = function(fused[1:], ir[1:], vi[1:], data_range=255.0)
        torch.testing.assert_close(both[1:], one, equal_nan=True)
        unit = function(fused / 255.0, ir / 255.0, vi / 255.0, data_range=1.0)
        torch.testing.assert_close(both.float(), unit.float(), equal_nan=True)
    assert natural.sky is METRICS["sky"].function
