"""Items, reproducible randomness, the cache."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mma_unet.data import datasets
from mma_unet.data.datasets import PairedImages, gray_image
from mma_unet.data.images import read_image, write_image
from mma_unet.data.pairs import Pair, find_pairs
from mma_unet.data.transforms import CenterCrop, PairedAugment
from mma_unet.errors import InputError

MakePairs = Callable[..., tuple[Path, Path]]


def _stack(items: Sequence[datasets.Item]) -> torch.Tensor:
    return torch.stack([torch.cat([item["ir"], item["vi"]]) for item in items])


def test_an_item(make_pairs: MakePairs) -> None:
    pairing = find_pairs(*make_pairs())
    gray, color = PairedImages(pairing), PairedImages(pairing.pairs, channels=3)
    rgb = read_image(pairing.pairs[1].vi)
    assert gray[1]["name"] == "1"
    assert gray[1]["ir"].shape == gray[1]["vi"].shape == (1, 24, 32)
    assert gray[1]["ir"].dtype == gray[1]["vi"].dtype == torch.float32
    np.testing.assert_array_equal(
        gray[1]["ir"][0].numpy(), read_image(pairing.pairs[1].ir).astype(np.float32) / 255
    )
    np.testing.assert_array_equal(
        color[1]["vi"].numpy(), rgb.transpose(2, 0, 1).astype(np.float32) / 255
    )
    expected = rgb.astype(np.float64) @ [0.299, 0.587, 0.114] / 255
    assert np.abs(gray[1]["vi"][0].numpy() - expected).max() < 0.6 / 255


def test_sixteen_bits_keep_their_depth(make_pairs: MakePairs) -> None:
    pairing = find_pairs(*make_pairs(count=1, dtype="uint16"))
    stored = read_image(pairing.pairs[0].ir)
    for transform in (None, CenterCrop(24)):
        ir = PairedImages(pairing, transform=transform)[0]["ir"][0].numpy()
        assert len(np.unique(ir)) > 300, "more levels than eight bits have"
        assert np.isin(np.floor(ir * 65535 + 0.5).astype(np.uint16), stored).all()


def test_color_ir_and_gray_vi(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_image(tmp_path / "ir.png", rng.integers(0, 255, (8, 9, 3), dtype=np.uint8))
    write_image(tmp_path / "vi.png", rng.integers(0, 255, (8, 9), dtype=np.uint8))
    item = PairedImages(find_pairs(tmp_path / "ir.png", tmp_path / "vi.png"), channels=3)[0]
    assert item["ir"].shape == (1, 8, 9)
    assert item["vi"].shape == (3, 8, 9)
    assert torch.equal(item["vi"][0], item["vi"][2])


def test_randomness_comes_from_seed_epoch_and_index(make_pairs: MakePairs) -> None:
    pairing = find_pairs(*make_pairs())

    def epoch(number: int, seed: int = 0) -> torch.Tensor:
        dataset = PairedImages(pairing, transform=PairedAugment(16), seed=seed)
        return _stack([dataset[number, k] for k in range(len(dataset))])

    assert torch.equal(epoch(0), epoch(0))
    assert not torch.equal(epoch(0), epoch(1))
    assert not torch.equal(epoch(0), epoch(0, seed=1))


def test_items_of_one_file_differ_by_index(make_pairs: MakePairs) -> None:
    pair = find_pairs(*make_pairs(count=1)).pairs[0]
    dataset = PairedImages([pair, pair], transform=PairedAugment(16))
    assert not torch.equal(dataset[0]["ir"], dataset[1]["ir"])


def test_items_are_those_of_the_first_version(make_pairs: MakePairs) -> None:
    """The generator of (seed, epoch, index) stays as it was: a recipe gives the same weights."""
    dataset = PairedImages(find_pairs(*make_pairs()), transform=_draw, seed=7)
    assert float(dataset[2, 1]["ir"]) == pytest.approx(0.23606801, abs=1e-7)
    assert torch.equal(dataset[2, -2]["ir"], dataset[2, 1]["ir"])
    assert torch.equal(dataset[0, 1]["ir"], dataset[1]["ir"])


def _draw(
    ir: torch.Tensor, vi: torch.Tensor, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    value = torch.rand(1, 1, 1, generator=generator)
    return value, value


def test_an_item_depends_on_its_key_alone(make_pairs: MakePairs) -> None:
    """Epochs may be mixed in one batch, in one loader process or in two that stay."""
    dataset = PairedImages(find_pairs(*make_pairs(count=4)), transform=PairedAugment(16))
    keys = [(epoch, index) for index in range(4) for epoch in (1, 0)]
    expected = _stack([dataset[key] for key in keys])
    assert not torch.equal(expected[0], expected[1])
    loader = DataLoader(dataset, 2, sampler=keys, num_workers=2, persistent_workers=True)
    for _ in range(2):
        got = torch.cat([torch.cat([b["ir"], b["vi"]], dim=1) for b in loader])
        assert torch.equal(got, expected)


def test_the_cache_reads_once_and_changes_nothing(
    make_pairs: MakePairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairing = find_pairs(*make_pairs(count=2))
    plain = _stack(list(PairedImages(pairing, transform=PairedAugment(16))))
    reads: list[Path] = []

    def counted(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
        return lambda path: (reads.append(path), read(path))[1]

    for name in ("read_image", "read_infrared"):
        monkeypatch.setattr(datasets, name, counted(getattr(datasets, name)))
    dataset = PairedImages(pairing, transform=PairedAugment(16), cache=True)
    dataset.preload()
    assert len(reads) == 4
    for _ in range(2):
        assert torch.equal(_stack(list(dataset)), plain)
    assert len(reads) == 4


def test_a_cached_item_is_not_changed_by_its_user(make_pairs: MakePairs) -> None:
    for dtype in ("uint8", "uint16"):
        dataset = PairedImages(find_pairs(*make_pairs(count=1, dtype=dtype)), cache=True)
        before = dataset[0]["ir"].clone()
        dataset[0]["ir"].zero_()
        assert torch.equal(dataset[0]["ir"], before), dtype


def test_sizes_that_differ(tmp_path: Path) -> None:
    write_image(tmp_path / "ir.png", np.zeros((8, 9), np.uint8))
    write_image(tmp_path / "vi.png", np.zeros((8, 10), np.uint8))
    dataset = PairedImages([Pair("a", tmp_path / "ir.png", tmp_path / "vi.png")])
    with pytest.raises(InputError, match=r"ir\.png is 9x8 and .*vi\.png is 10x8"):
        dataset[0]


def test_bad_settings(make_pairs: MakePairs) -> None:
    with pytest.raises(InputError, match="without pairs"):
        PairedImages([])
    pairing = find_pairs(*make_pairs())
    with pytest.raises(InputError, match="channels is 2"):
        PairedImages(pairing, channels=2)  # type: ignore[arg-type]
    with pytest.raises(IndexError):
        PairedImages(pairing)[3]
    assert PairedImages(pairing)[-1]["name"] == "2"


def test_a_tensor_as_the_gray_image_it_was_read_from(make_pairs: MakePairs) -> None:
    pairing = find_pairs(*make_pairs())
    item, stored = PairedImages(pairing)[0], read_image(pairing.pairs[0].ir)
    assert stored.ndim == 2
    for tensor in (item["ir"], item["ir"][None], item["ir"][0]):
        np.testing.assert_array_equal(gray_image(tensor), stored)
    assert gray_image(item["ir"][:, :, :1]).shape == (24, 1)
    with pytest.raises(RuntimeError):  # not one plane
        gray_image(item["ir"].expand(3, -1, -1))
