"""Both images of a pair get the same crop and the same flips."""

import pytest
import torch

from mma_unet.data.transforms import CenterCrop, PairedAugment
from mma_unet.errors import InputError


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _coordinates(height: int, width: int) -> torch.Tensor:
    """An image whose two channels are the row and the column, each in [0, 1]."""
    rows = torch.linspace(0, 1, height)[:, None].expand(height, width)
    columns = torch.linspace(0, 1, width)[None].expand(height, width)
    return torch.stack([rows, columns])


@pytest.mark.parametrize("seed", range(8))
def test_the_same_window_and_flips(seed: int) -> None:
    image = _coordinates(50, 70)
    ir, vi = PairedAugment(32)(image, image.clone(), _generator(seed))
    assert ir.shape == vi.shape == (2, 32, 32)
    assert torch.equal(ir, vi)


def test_windows_differ_and_cover_the_range_of_scales() -> None:
    image = _coordinates(60, 80)
    augment = PairedAugment(16, scale=(0.2, 1.0), flip=False)
    shares, flipped = [], 0
    for seed in range(200):
        crop, _ = augment(image, image, _generator(seed))
        spans = crop.amax((1, 2)) - crop.amin((1, 2))
        shares.append(float(spans[0] * spans[1]))
        flipped += int(crop[0, 0, 0] > crop[0, -1, 0])
    assert flipped == 0
    assert min(shares) < 0.25
    assert max(shares) > 0.75


def test_flips_happen_half_of_the_time_each() -> None:
    image = _coordinates(40, 40)
    crops = [PairedAugment(16)(image, image, _generator(seed))[0] for seed in range(200)]
    vertical = sum(bool(c[0, 0, 0] > c[0, -1, 0]) for c in crops)
    horizontal = sum(bool(c[1, 0, 0] > c[1, 0, -1]) for c in crops)
    assert 70 < vertical < 130
    assert 70 < horizontal < 130


def test_the_generator_decides() -> None:
    image = torch.rand(1, 40, 50, generator=_generator(1))
    augment = PairedAugment(16)
    first = augment(image, image, _generator(5))[0]
    assert torch.equal(first, augment(image, image, _generator(5))[0])
    assert not torch.equal(first, augment(image, image, _generator(6))[0])


@pytest.mark.parametrize("transform", [PairedAugment(20), CenterCrop(20)])
def test_bytes_and_floats_agree(transform: PairedAugment | CenterCrop) -> None:
    image = torch.randint(0, 256, (3, 30, 40), dtype=torch.uint8, generator=_generator(0))
    from_bytes = transform(image[:1], image, _generator(3))
    from_floats = transform(image[:1] / 255, image / 255, _generator(3))
    for a, b in zip(from_bytes, from_floats, strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


@pytest.mark.parametrize("transform", [PairedAugment(64), CenterCrop(64)])
@pytest.mark.parametrize("size", [(20, 90), (90, 20), (63, 63), (1, 1)])
def test_images_smaller_than_the_crop(
    transform: PairedAugment | CenterCrop, size: tuple[int, int]
) -> None:
    image = torch.rand(1, *size)
    ir, vi = transform(image, image.repeat(3, 1, 1), _generator(0))
    assert ir.shape == (1, 64, 64)
    assert vi.shape == (3, 64, 64)
    assert 0 <= ir.min() <= ir.max() <= 1


def test_shrinking_is_antialiased() -> None:
    checks = ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float()[None]
    crop, _ = PairedAugment(8, scale=(1, 1), ratio=(1, 1), flip=False)(checks, checks)
    assert (crop - 0.5).abs().max() < 0.1


def test_center_crop_takes_the_center() -> None:
    image = _coordinates(51, 71)
    crop, _ = CenterCrop(11)(image, image)
    assert torch.equal(crop, image[:, 20:31, 30:41])


@pytest.mark.parametrize("transform", [PairedAugment(8), CenterCrop(8)])
def test_sizes_that_differ(transform: PairedAugment | CenterCrop) -> None:
    with pytest.raises(InputError, match="one size"):
        transform(torch.rand(1, 10, 10), torch.rand(1, 10, 11))


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="crop size"):
        PairedAugment(0)
    with pytest.raises(InputError, match="crop scale"):
        PairedAugment(8, scale=(0.5, 0.2))
    with pytest.raises(InputError, match="crop ratio"):
        PairedAugment(8, ratio=(0, 1))
    with pytest.raises(InputError, match="zoom"):
        PairedAugment(8, zoom=-1)
    with pytest.raises(InputError, match="degrade"):
        PairedAugment(8, degrade=1.5)
    with pytest.raises(InputError, match="crop size"):
        CenterCrop(0)


def test_zoom_cuts_larger_and_smaller_windows_of_one_shape() -> None:
    image = _coordinates(80, 80)
    augment = PairedAugment(32, scale=None, flip=False, zoom=0.5)
    sides = []
    for seed in range(200):
        ir, vi = augment(image, image, _generator(seed))
        assert torch.equal(ir, vi)
        down, across = (79 * (ir.amax((1, 2)) - ir.amin((1, 2))) * 32 / 31).tolist()
        assert down == pytest.approx(across, abs=1)
        sides.append(down)
    assert 32 * 0.55 < min(sides) < 32 * 0.75
    assert 32 * 1.4 < max(sides) < 32 * 1.75


def test_degrading_treats_each_image_by_itself_and_stays_in_range() -> None:
    image = torch.rand(1, 48, 48, generator=_generator(0))
    fate: dict[str, int] = {"left alone": 0, "flatter": 0, "out of range": 0, "alike": 0}
    for seed in range(200):
        plain = PairedAugment(32, scale=None)(image, image, _generator(seed))[0]
        ir, vi = PairedAugment(32, scale=None, degrade=1)(image, image, _generator(seed))
        fate["left alone"] += torch.equal(ir, plain)
        fate["flatter"] += bool(ir.std() < 0.98 * plain.std())
        fate["out of range"] += bool(ir.min() < 0 or ir.max() > 1)
        fate["alike"] += torch.equal(ir, vi)
    assert 10 < fate["left alone"] < 40  # one in eight
    assert fate["flatter"] > 100
    assert fate["out of range"] == 0
    assert fate["alike"] < 15  # both left alone: one in 64
