"""Blindness and wear: what each does is read back from pictures of which the rest is known."""

import math

import pytest
import torch

from mma_unet.data import disturb
from mma_unet.data.transforms import PairedAugment

SEEDS = range(40)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _transmission(name: str, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """How much of the picture is left, `(H, W)`, and the light that takes its place."""
    way = disturb.BLINDNESS[name]
    low, high = (way(torch.full((1, 48, 64), x), _generator(seed))[0] for x in (0.2, 0.6))
    left = (high - low) / 0.4
    return left, (low - 0.2 * left) / (1 - left)


def test_ways_to_go_blind_have_names() -> None:
    assert list(disturb.BLINDNESS) == ["smoke", "haze", "overexposure"]


@pytest.mark.parametrize("name", disturb.BLINDNESS)
def test_blindness_is_seeded_in_range_and_the_same_for_all_channels(name: str) -> None:
    way, image = disturb.BLINDNESS[name], torch.rand(1, 40, 56)
    first = way(image, _generator(1))
    assert first.shape == image.shape
    assert torch.equal(first, way(image, _generator(1)))
    assert not torch.equal(first, way(image, _generator(2)))
    assert torch.equal(way(image.expand(3, -1, -1), _generator(1)), first.expand(3, -1, -1))
    for seed in SEEDS:
        assert way(image, _generator(seed)).min() >= 0
        assert way(image, _generator(seed)).max() <= 1


def test_smoke_is_white_thick_in_places_and_soft() -> None:
    cover = []
    for seed in SEEDS:
        left, light = _transmission("smoke", seed)
        assert left.min() > -1e-3
        assert left.max() < 1 + 1e-3
        thick = left < 0.5
        if thick.any():
            assert light[thick].min() > 0.8
        assert (left[:, 1:] - left[:, :-1]).abs().max() < 0.35
        cover.append(float(thick.float().mean()))
    assert min(cover) < 0.2
    assert max(cover) > 0.6


def test_haze_lets_little_through_and_is_gray_elsewhere() -> None:
    lefts, lights = [], []
    for seed in SEEDS:
        left, light = _transmission("haze", seed)
        assert left.min() >= 0.02 - 1e-3
        assert left.max() <= 0.4 * 1.5
        assert light.std() < 1e-3  # one airlight for the whole picture
        lefts.append(float(left.mean()))
        lights.append(float(light.mean()))
    assert 0.04 < min(lefts) < 0.12
    assert 0.3 < max(lefts) < 0.45
    assert 0.5 <= min(lights) < 0.6
    assert 0.85 < max(lights) <= 0.95


def test_overexposure_is_a_gain_and_an_offset_clipped_at_white() -> None:
    gains, offsets = [], []
    for seed in SEEDS:
        image = torch.tensor([[[0.0, 0.05, 0.1, 0.9]]])
        dark, twilight, dim, white = disturb.overexpose(image, _generator(seed))[0, 0].tolist()
        assert white == 1
        assert dim - twilight == pytest.approx(twilight - dark, abs=1e-6)
        gains.append((twilight - dark) / 0.05)
        offsets.append(dark)
    assert math.exp(0.7) - 0.01 <= min(gains) < 2.4
    assert 5 < max(gains) <= math.exp(1.8) + 0.01
    assert 0 <= min(offsets) < 0.05
    assert 0.25 < max(offsets) <= 0.3


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_loses_more_at_a_lower_quality(channels: int) -> None:
    image = torch.rand(1, channels, 10, 14)
    image = torch.nn.functional.interpolate(image, scale_factor=4, mode="bilinear")[0]
    errors = [(disturb.compress(image, q) - image).abs().mean() for q in (10, 50, 95)]
    assert errors[0] > 1.3 * errors[1] > 2 * errors[2] > 0
    for level in (0.0, 100 / 255, 1.0):
        even = torch.full((channels, 16, 16), level)
        torch.testing.assert_close(disturb.compress(even, 80), even, atol=1.5 / 255, rtol=0)


def test_jpeg_keeps_the_order_of_the_channels() -> None:
    orange = torch.tensor([1.0, 0.5, 0.0])[:, None, None].expand(3, 16, 16)
    torch.testing.assert_close(disturb.compress(orange, 90), orange, atol=0.02, rtol=0)


def test_shift_moves_down_and_right_and_repeats_the_border() -> None:
    image = torch.arange(6.0).reshape(1, 2, 3)
    assert disturb.shift(image, 1, 0).tolist() == [[[0, 1, 2], [0, 1, 2]]]
    assert disturb.shift(image, 0, 1).tolist() == [[[0, 0, 1], [3, 3, 4]]]
    assert disturb.shift(image, -1, -2).tolist() == [[[5, 5, 5], [5, 5, 5]]]
    assert torch.equal(disturb.shift(image, 0, 0), image)


def _augmented(seed: int, **settings: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A crop that is the whole picture, so that only what `settings` ask for happens to it."""
    image = 0.1 + 0.5 * torch.rand(2, 1, 32, 32, generator=_generator(99))
    return PairedAugment(32, scale=None, flip=False, **settings)(*image, _generator(seed))


def test_without_blindness_and_wear_nothing_happens() -> None:
    image = 0.1 + 0.5 * torch.rand(2, 1, 32, 32, generator=_generator(99))
    ir, vi = _augmented(0)
    assert torch.equal(ir, image[0])
    assert torch.equal(vi, image[1])


def test_vi_goes_blind_in_each_way_and_ir_never() -> None:
    plain_ir, plain_vi = _augmented(0)
    seen = set()
    for seed in SEEDS:
        ir, vi = _augmented(seed, blind=1)
        assert torch.equal(ir, plain_ir)
        generator = _generator(seed)
        torch.rand(6, generator=generator, dtype=torch.float64)  # the window
        torch.rand(8, generator=generator)  # the odds
        state = generator.get_state()
        for name, way in disturb.BLINDNESS.items():
            generator.set_state(state)
            if torch.equal(vi, way(plain_vi, generator)):
                seen.add(name)
                break
        else:
            pytest.fail(f"seed {seed}: blind in no known way")
    assert seen == set(disturb.BLINDNESS)


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_blindness_comes_as_often_as_asked(share: float) -> None:
    plain = _augmented(0)[1]
    hit = sum(not torch.equal(_augmented(seed, blind=share)[1], plain) for seed in range(200))
    assert hit / 200 == pytest.approx(share, abs=0.09)


def test_wear_moves_ir_by_up_to_two_pixels_and_compresses_vi() -> None:
    plain_ir, plain_vi = _augmented(0)
    moves = {
        (rows, columns): disturb.shift(plain_ir, rows, columns)
        for rows in range(-3, 4)
        for columns in range(-3, 4)
    }
    found, compressed = [], []
    for seed in range(80):
        ir, vi = _augmented(seed, wear=1)
        found += [move for move, image in moves.items() if torch.equal(ir, image)]
        compressed.append(float((vi - plain_vi).abs().mean()))
    assert len(found) == 80
    for axis in (0, 1):
        assert {move[axis] for move in found} == {-2, -1, 0, 1, 2}
    assert any(rows != columns for rows, columns in found)
    assert min(compressed) > 0.005
    assert max(compressed) > 2 * min(compressed)  # qualities differ


def test_wear_comes_as_often_as_asked_to_each_source_by_itself() -> None:
    plain_vi = _augmented(0)[1]
    hit = [not torch.equal(_augmented(seed, wear=0.4)[1], plain_vi) for seed in range(200)]
    assert sum(hit) / 200 == pytest.approx(0.4, abs=0.09)
    plain_ir = _augmented(0)[0]
    moved = [not torch.equal(_augmented(seed, wear=0.4)[0], plain_ir) for seed in range(200)]
    both = list(zip(moved, hit, strict=True))
    assert {(True, False), (False, True), (True, True)} <= set(both)
    assert 0.2 < sum(moved) / 200 < 0.5


@pytest.mark.parametrize("name", ["blind", "wear"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_shares_are_shares(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is"):
        PairedAugment(8, **{name: value})
