"""Where the measures of the suite `natural` begin and end: each bound from both sides."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.metrics.test_natural import SIZE, box, flat, value


def waves(level: float, height: float) -> Tensor:
    """Columns that alternate round a level; over an odd box they deviate by almost `height`."""
    return flat(level) + height * (1 - 2 * (torch.arange(SIZE) % 2))


def counts(name: str, fused: Tensor, ir: Tensor, vi: Tensor) -> bool:
    return not math.isnan(value(name, fused, ir, vi))


def test_what_a_sky_is() -> None:
    for vi, sky in ((flat(191), 1), (flat(189), 0), (waves(220, 5.5), 1), (waves(220, 8), 0)):
        assert counts("sky", vi, vi, vi) == sky
    for rows, sky in ((8, 1), (5, 0)):  # 4 rows and 1 row of 96 are flat over 9 pixels
        vi = flat(60)
        vi[..., :rows, :] = 220
        assert counts("sky", vi, vi, vi) == sky


def test_blotches_are_looked_at_through_15_pixels() -> None:
    step = np.pad(np.repeat([0.0, -40.0], SIZE // 2), 7, mode="edge")
    expected = np.convolve(step, np.full(15, 1 / 15), "valid").std()
    fused = flat(220)
    fused[..., SIZE // 2 :] -= 40
    assert value("blotch", fused, flat(0), flat(220)) == pytest.approx(expected)


def test_luminance_of_a_dark_picture() -> None:
    assert value("luminance", flat(60), flat(0), flat(50)) == pytest.approx(1.2)
    assert value("luminance", flat(2), flat(0), flat(0)) == 2


def test_what_is_hot() -> None:
    for ir, hot in (
        (box(flat(50), 85, side=12), 1),  # 33.6 above its mean over 61 pixels
        (box(flat(50), 80, side=12), 0),
        (box(flat(50), 200, side=16), 1),  # 2.8 % of the picture
        (box(flat(50), 200, side=24), 0),  # 6 %
        (box(flat(50), 200, side=2), 0),  # nothing is left when eroded
    ):
        assert counts("target", ir, ir, ir) == hot


def test_a_target_is_compared_with_the_ring_5_to_9_pixels_round_it() -> None:
    ir = box(flat(50), 200, top=40, left=40, side=12)
    fused = box(flat(0), 100, top=32, left=32, side=28)  # the ring; beyond it nothing counts
    fused = box(fused, 255, top=37, left=37, side=18)  # glow, and the rim that is eroded
    fused = box(fused, 250, top=41, left=41, side=10)
    assert value("target", fused, ir, flat(0)) == pytest.approx(1)


def test_where_v_is_blind() -> None:
    ir = box(flat(50), 200, side=12)
    for vi, blind in (
        (waves(235, 15), 1),  # white, though not flat
        (waves(215, 15), 0),
        (flat(95), 1),  # haze
        (flat(85), 0),
        (waves(150, 7.5), 1),
        (waves(150, 8.5), 0),
    ):
        assert counts("target_blind", ir, ir, vi) == blind
    small = flat(50)
    small[..., 40:45, 40:46] = 200
    for corner, enough in ((200, 1), (50, 0)):  # 12 and 11 pixels when eroded
        small[..., 40, 40] = corner
        assert counts("target_blind", small, small, flat(250)) == enough


def test_where_grain_is_looked_for_and_its_floor() -> None:
    for vi, looked_at in (
        (waves(100, 5.5), 1),
        (waves(100, 8), 0),
        (flat(189), 1),
        (flat(191), 0),
    ):
        assert counts("grain", vi, vi, vi) == looked_at
    # A mean over 5 leaves four fifths of the waves; flat V counts as half a gray level.
    assert value("grain", waves(100, 2), flat(0), flat(100)) == pytest.approx(1.6 / 0.5, rel=0.02)


@pytest.mark.parametrize("turned", [False, True])
def test_a_halo_is_beyond_both_sources_in_either_direction(turned: bool) -> None:
    vi, ir, dark, shifted = flat(100), flat(50), flat(100), flat(100)
    vi[..., 48:] = 180
    ir[..., 30:] = 200
    dark[..., 48:], dark[..., 46:48] = 180, 80
    shifted[..., 53:] = 180

    def halo(fused: Tensor, ir: Tensor, vi: Tensor) -> float:
        images = (fused, ir, vi)
        return value("halo", *(image.mT for image in images) if turned else images)

    assert halo(vi, ir, vi) == halo(ir, ir, vi) == 0
    assert halo(dark, vi, vi) == pytest.approx(20 * 2 / 14)
    assert halo(shifted, vi, vi) == 0  # within 6 pixels both sides of the edge are in range
    for step, edge in ((45, 1), (35, 0)):
        low = flat(100)
        low[..., 48:] += step
        assert math.isnan(halo(low, low, low)) != bool(edge)


def spot(rise: float, height: int = 3, width: int = 3, level: float = 50) -> Tensor:
    image = flat(level)
    image[..., 40 : 40 + height, 40 : 40 + width] += rise
    return image


def test_what_a_spot_is() -> None:
    for ir, there in ((spot(30), 1), (spot(20), 0), (spot(90, 1, 3), 1), (spot(90, 1, 2), 0),
                      (spot(90, 5, 5), 1)):  # fmt: skip
        assert counts("spots", ir, ir, ir) == there
    large = spot(90, 6, 6)
    large[..., 43, 43] += 20  # one top, of 36 pixels
    assert not counts("spots", large, large, large)


@pytest.mark.parametrize(("rise", "found"), [(45, 1), (30, 0)])
def test_a_spot_stands_out_by_a_quarter(rise: float, found: int) -> None:
    assert value("spots", spot(rise, level=120), spot(150), flat(120)) == found


@pytest.mark.parametrize(("rise", "found"), [(18, 1), (12, 0)])
def test_a_spot_stands_out_by_five_levels(rise: float, found: int) -> None:
    # Three pixels of nine: 40 levels in IR are 13, a quarter of which is less than 5.
    ir = spot(40, 1, 3)
    ir[..., 40, 41] += 1  # one top
    assert value("spots", spot(rise, 1, 3, level=120), ir, flat(120)) == found


def test_strokes_have_contrast_and_nothing_hot_near() -> None:
    for ink, drawn in ((30, 1), (20, 0)):  # four fifths of it are left
        vi = flat(110)
        vi[..., 46:49, :] += ink
        assert counts("strokes", vi, flat(50), vi) == drawn
    vi = flat(110)
    vi[..., 46:49, :] += 90
    ir = box(flat(50), 200, top=42, left=42, side=12)
    fused = box(vi, 110, top=40, left=40, side=16)  # lost before the warm body alone
    kept = value("strokes", fused, ir, vi)
    assert kept > 0.99
    assert value("strokes", fused, flat(50), vi) < 0.9
