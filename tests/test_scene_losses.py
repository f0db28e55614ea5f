"""What makes a fused picture natural: each term on pictures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import grey_opening, maximum_filter, uniform_filter

from mma_unet.losses import FusionLoss, FusionLossConfig, SceneTerms, blindness


def flat(value: float, side: int = 96) -> torch.Tensor:
    return torch.full((1, 1, side, side), value)


def person(value: float, around: float) -> torch.Tensor:
    """A box of 16 rows and 8 columns in the middle."""
    image = flat(around)
    image[..., 40:56, 44:52] = value
    return image


def checks(size: float, side: int = 96) -> torch.Tensor:
    """The finest texture there is: plus and minus `size` in turn."""
    return size * (2.0 * ((torch.arange(side)[:, None] + torch.arange(side)) % 2) - 1)[None, None]


# The formulas once more, in NumPy, on one picture (H, W).
def box(x: np.ndarray, side: int) -> np.ndarray:
    return uniform_filter(x, side, mode="nearest")


def ramp(x: np.ndarray, start: float, width: float) -> np.ndarray:
    return np.clip((x - start) / width, 0, 1)


def deviation(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(box(x * x, 9) - box(x, 9) ** 2, 0))


def slope(x: np.ndarray) -> np.ndarray:
    smooth = np.pad(box(x, 3), 1, mode="edge")
    across = smooth[1:-1, 2:] - smooth[1:-1, :-2]
    down = smooth[2:, 1:-1] - smooth[:-2, 1:-1]
    return np.hypot(across, down) / 2


def hot_by_hand(ir: np.ndarray) -> np.ndarray:
    fine = box(ir, 3)
    spots = ramp(fine - grey_opening(fine, 7, mode="nearest"), 0.06, 0.08)
    return np.maximum(ramp(ir - box(ir, 63), 0, 0.15), spots)


def blind_by_hand(ir: np.ndarray, vi: np.ndarray) -> np.ndarray:
    hot = ramp(maximum_filter(box(ir, 5), 9, mode="nearest") - box(ir, 63), 0.12, 0.2)
    unseen = slope(ir) - 2 * maximum_filter(slope(vi), 9, mode="nearest") - 0.015
    unseen = ramp(box(hot * np.maximum(unseen, 0), 31), 0, 0.012)
    clear = (1 - ramp(deviation(vi), 0.015, 0.04)) * ramp(box(vi, 15), 0.4, 0.3)
    return box(unseen * clear, 15)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Half smoke, half texture, with something hot in both halves and something cold."""
    ir = person(0.9, 0.3) + 0.02 * torch.rand(1, 1, 96, 96)
    ir[..., 10:40, 5:20], ir[..., 20:60, 66:76], ir[..., 70:90, 70:90] = 0.8, 0.95, 0.05
    ir[..., 74:90, 52:62] += 0.2  # barely hot
    vi = flat(0.75) + 0.01 * torch.rand(1, 1, 96, 96)
    vi[..., :48] = 0.3 + 0.5 * torch.rand(1, 1, 96, 48)
    return ir.double(), vi.double()


def test_blindness_is_its_formula(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    ours = blindness(*pair)[0, 0].numpy()
    expected = blind_by_hand(*(x[0, 0].numpy() for x in pair))
    assert 0.3 < expected.max() < 1 + 1e-9
    assert expected.min() < 1e-12
    np.testing.assert_allclose(ours, expected, atol=1e-9)


def test_vi_is_blind_where_bright_smoke_hides_something_hot_and_nowhere_else() -> None:
    ir, smoke = person(0.9, 0.2), flat(0.95)
    blind = blindness(ir, smoke)
    assert blind[0, 0, 48, 44] > 0.95
    assert blind[0, 0, :8].max() == 0  # far from what is hidden
    for what, vi in (
        ("VI shows it too", 0.5 + 0.4 * person(1, 0)),
        ("night: VI is dark", flat(0.3)),
        ("VI has texture", (0.8 + checks(0.1)).clamp(0, 1)),
    ):
        assert blindness(ir, vi).max() < 1e-6, what
    for what, other in (("cold sky", flat(0.1)), ("something cold", person(0.1, 0.8))):
        assert blindness(other, smoke)[0, 0, 48, 44] < 1e-6, what
    half = blindness(ir, flat(0.55))[0, 0, 48, 44]  # halfway up the ramp of brightness
    assert half == pytest.approx(0.5 * blind[0, 0, 48, 44].item(), rel=1e-4)
    half = blindness(ir, 0.95 + checks(0.035))[0, 0, 48, 44]  # halfway down that of flatness
    assert half == pytest.approx(0.5 * blind[0, 0, 48, 44].item(), rel=0.01)


def test_the_base_follows_vi_and_rises_with_heat() -> None:
    def scene(ir: torch.Tensor, vi: torch.Tensor, **style: float) -> float:
        return SceneTerms(ir, vi, **style).scene[0, 0, 48, 48].item()

    warm, cold = (flat(0.7), flat(0.3)), (flat(0.1), flat(0.8))
    assert scene(*warm) == pytest.approx(0.5)  # half of the way
    assert scene(*warm, lift=1) == pytest.approx(0.7)
    assert scene(*warm, lift=0) == pytest.approx(0.3)
    assert scene(*cold) == pytest.approx(0.8)  # a cold sky stays bright
    assert scene(*cold, sink=0.6) == pytest.approx(0.8 - 0.6 * 0.7)
    assert scene(person(0.9, 0.1), flat(0.3)) == pytest.approx(0.9)  # hot: in full
    smoke = SceneTerms(person(0.9, 0.2), flat(0.95))
    beside = smoke.scene[0, 0, 48, 42].item()  # blind: what is cold beside the person sinks
    blind = smoke.blind[0, 0, 48, 42].item()
    assert blind > 0.9
    assert beside == pytest.approx(0.95 - 0.6 * blind * 0.75, abs=1e-6)


def test_base_measures_what_is_coarse() -> None:
    terms = SceneTerms(person(0.9, 0.1), flat(0.3))
    assert terms.base(terms.scene).item() == pytest.approx(0, abs=1e-7)
    assert terms.base(terms.scene + 0.1).item() == pytest.approx(0.1, rel=1e-5)
    assert terms.base(terms.scene - 0.1).item() == pytest.approx(0.1, rel=1e-5)
    assert terms.base(terms.scene + checks(0.1)).item() < 0.002
    wave = 0.1 * torch.sin(torch.arange(96) * (2 * np.pi / 9)).expand(1, 1, 96, 96)
    mean_of_15 = terms.base(terms.scene + wave).item()  # a period of 9 is gone in the mean over 9
    columns = wave[0, 0].numpy()
    expected = (abs(box(columns, 9)).mean() + abs(box(columns, 15)).mean()) / 2
    assert mean_of_15 == pytest.approx(expected, rel=1e-3)


def test_target_asks_for_the_brighter_source_where_ir_is_hot() -> None:
    ir, vi = person(0.9, 0.1), flat(0.3)
    terms = SceneTerms(ir, vi)
    assert terms.target(torch.maximum(ir, vi)).item() == pytest.approx(0, abs=1e-6)
    assert terms.target(vi).item() == pytest.approx(0.6 * 128 / (128 + 0.01 * 96**2), rel=0.03)
    assert terms.target(ir).item() < 0.005  # what is cold is not asked for
    lamp = SceneTerms(ir, person(1.0, 0.3))
    assert lamp.target(ir).item() == pytest.approx(lamp.target(vi).item() / 7, rel=0.1)
    small = flat(0.1)
    small[..., 47:50, 47:50] = 0.9  # few pixels weigh nearly as much as many
    assert SceneTerms(small, vi).target(vi).item() > 0.1 * terms.target(vi).item()


def test_a_small_spot_is_hot_on_a_warm_wall() -> None:
    def hottest(rise: float, side: int) -> float:
        wall = flat(0.7)
        wall[..., 48 : 48 + side, 48 : 48 + side] += rise
        return SceneTerms(wall, flat(0.5)).hot[..., 48 : 48 + side, 48 : 48 + side].max().item()

    assert hottest(0.14, 3) == pytest.approx(1, abs=0.01)
    assert hottest(0.06, 3) < 0.4  # by its mean over 63 pixels alone
    assert hottest(0.10, 3) == pytest.approx((0.10 - 0.06) / 0.08, abs=0.2)


def test_hot_targets_stand_out_of_the_base_as_far_as_asked() -> None:
    ir, vi = person(0.5, 0.1), flat(0.38)
    middle = (..., 48, 48)
    assert SceneTerms(ir, vi).bright[middle].item() == pytest.approx(0.5)
    for stand, bright in ((0.5, 0.58), (1.0, 0.78)):
        terms = SceneTerms(ir, vi, stand=stand)
        assert terms.bright[middle].item() == pytest.approx(bright, abs=1e-3)
        assert terms.scene[middle].item() == pytest.approx(bright, abs=1e-3)
        assert terms.scene[..., 48, 60].item() == pytest.approx(0.38, abs=1e-6)
    bright = SceneTerms(ir, 0.85 + checks(0.1), stand=1.0).bright
    assert bright.max().item() == 1  # no brighter than white
    dark = person(0.2, 0.8)  # dark clothes before a bright wall
    for stand, bright in ((0.0, 0.5), (0.5, 1.0)):
        assert SceneTerms(ir, dark, stand=stand).bright[middle].item() == pytest.approx(bright)


def test_strokes_of_vi_count_bright_or_dark_but_not_in_hot_places() -> None:
    cold = flat(0.3)
    bar = torch.zeros_like(cold)
    bar[..., 46:49, 20:76] = 0.2
    bright, dark = 0.4 + bar, 0.4 - bar
    for vi in (bright, dark):
        terms = SceneTerms(cold, vi)
        assert terms.strokes(vi).item() == 0
        assert terms.strokes(vi + 0.2).item() == pytest.approx(0, abs=1e-6)  # contrast alone
        wiped, half = terms.strokes(flat(0.4)).item(), terms.strokes(0.2 + vi / 2).item()
        assert 0.05 < wiped < 0.2
        assert half == pytest.approx(wiped / 2, rel=1e-3)
        assert terms.strokes(0.8 - vi).item() == pytest.approx(2 * wiped, rel=1e-3)  # reversed
    same = [SceneTerms(cold, vi).strokes(flat(0.4)).item() for vi in (bright, dark)]
    assert same[0] == pytest.approx(same[1], rel=1e-4)
    hot = torch.where(bar > 0, 0.9, 0.3)
    assert SceneTerms(hot, bright).strokes(flat(0.4)).item() < 0.2 * same[0]
    faint = 0.4 + bar / 8
    assert SceneTerms(cold, faint).strokes(flat(0.4)).item() == 0


def test_strokes_are_their_formula(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    ir, vi = (x[0, 0].numpy() for x in pair)
    fused = (ir + vi) / 2
    wanted = np.clip(box(vi, 3) - box(vi, 15), -0.3, 0.3)
    kept = (box(fused, 3) - box(fused, 15)) * np.sign(wanted)
    weight = ramp(abs(wanted), 0.05, 0.15) * (1 - hot_by_hand(ir))
    lost = (weight * np.maximum(abs(wanted) - kept, 0)).sum()
    ours = SceneTerms(*pair).strokes(torch.from_numpy(fused)[None, None]).item()
    assert ours == pytest.approx(lost / (weight.sum() + 0.01 * weight.size), rel=1e-9)


def test_bright_is_its_formula(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    ir, vi = (x[0, 0].numpy() for x in pair)
    hot = hot_by_hand(ir)
    base = vi + 0.3 * np.maximum(ir - vi, 0)
    base -= 0.6 * blind_by_hand(ir, vi) * np.maximum(vi - ir, 0)

    def around(x: np.ndarray) -> np.ndarray:
        return box(x * (1 - hot), 31) / np.maximum(box(1 - hot, 31), 1e-3)

    above = 0.6 * (ir - around(ir)) + around(base)
    terms = SceneTerms(*pair, lift=0.3, stand=0.6)
    bright = np.clip(np.maximum(np.maximum(ir, vi), above), None, 1)
    scene = base + hot * np.maximum(np.minimum(np.maximum(ir, above), 1) - base, 0)
    np.testing.assert_allclose(terms.hot[0, 0].numpy(), hot, atol=1e-9)
    np.testing.assert_allclose(terms.bright[0, 0].numpy(), bright, atol=1e-9)
    np.testing.assert_allclose(terms.scene[0, 0].numpy(), scene, atol=1e-9)


def test_grain_is_what_neither_vi_nor_an_edge_of_ir_explains() -> None:
    ir, vi = flat(0.3), flat(0.5)
    terms = SceneTerms(ir, vi)
    assert terms.grain(vi).item() == 0
    one = terms.grain(vi + checks(0.05)).item()  # less its mean over 25 pixels, and a gray level
    assert one == pytest.approx(0.05 * 24 / 25 - 1 / 255, rel=0.02)
    assert terms.grain(vi + checks(1 / 255)).item() == pytest.approx(0, abs=1e-6)
    wave = 0.2 * torch.sin(torch.arange(96) * 0.1).expand(1, 1, 96, 96)
    assert terms.grain(vi + wave).item() < 2e-4  # coarse
    grainy = vi + checks(0.009)
    own = SceneTerms(ir, grainy)
    assert own.grain(vi + checks(0.009 * 1.4)).item() == 0  # half as much again is free
    assert own.grain(vi + checks(0.03)).item() == pytest.approx(
        (0.03 - 1.5 * 0.009) * 24 / 25 - 1 / 255, rel=0.03
    )
    assert SceneTerms(ir, vi + checks(0.05)).grain(vi + checks(0.2)).item() == 0  # VI is not flat
    steep = torch.linspace(0, 1, 96).mul(6).remainder(1).expand(1, 1, 96, 96)
    assert SceneTerms(steep, vi).grain(vi + checks(0.05)).item() < 0.02 * one


def test_the_loss_adds_the_terms_with_their_weights(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    ir, vi = pair
    fused = (ir + vi) / 2 + checks(0.03)
    weights = {"base": 2.0, "target": 3.0, "strokes": 5.0, "grain": 7.0}
    style = {"lift": 0.3, "sink": 0.2, "stand": 0.7}
    terms = FusionLoss(FusionLossConfig(mse=0, alpha=0, beta=0, **style, **weights))(fused, ir, vi)
    scene = SceneTerms(ir, vi, **style)
    assert set(terms) == {"loss", *weights}
    for name in weights:
        assert terms[name].item() == getattr(scene, name)(fused).item() > 0
    expected = sum(weight * terms[name].item() for name, weight in weights.items())
    assert terms["loss"].item() == pytest.approx(expected)
    alone = FusionLoss(FusionLossConfig(mse=0, alpha=0, beta=0, grain=1))(fused, ir, vi)
    assert set(alone) == {"loss", "grain"}


@pytest.mark.parametrize(
    "change", [{"lift": 1.1}, {"lift": -0.1}, {"sink": 0.7}, {"sink": -0.1}, {"stand": 2}]
)
def test_styles_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be in 0\.\."):
        FusionLossConfig(**change)
