"""The layers of an encoder, their Gram matrices, and the sums over batches."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mma_unet.analysis.cka import cka, gram
from mma_unet.analysis.encoders import Encoders, digest, load_encoders
from mma_unet.analysis.layers import encode_with_grams, level_ends, operations, paper_layers
from mma_unet.analysis.similarity import Batches, CenterSquare, accumulate, load_sums, matrices
from mma_unet.data import find_pairs
from mma_unet.errors import InputError
from mma_unet.models import MMAUNetConfig
from mma_unet.models.unet import Encoder
from tests.conftest import make_pairs


def _encoders(guided: bool, seed: int = 0) -> Encoders:
    torch.manual_seed(seed)
    config = MMAUNetConfig(width=4, guided=guided)
    vi, ir = Encoder(config).eval(), Encoder(config, guided=guided).eval()
    return Encoders("random", config, vi, ir)


def _naive(encoder: Encoder, image: Tensor, guide: list[Tensor]) -> list[Tensor]:
    """Every operation by hand, kept as a copy."""
    maps: list[Tensor] = []
    x = image
    for level, block in enumerate(encoder.levels):
        if level:
            x = encoder.pool(x)
            maps.append(x.clone())
        for operation in block:
            x = operation(x)
            maps.append(x.clone())
        if len(encoder.gates):
            x = x * encoder.gates[level](guide[level])
            maps.append(x.clone())
    return maps


@pytest.mark.parametrize("guided", [False, True])
def test_the_grams_are_those_of_each_operation(guided: bool) -> None:
    encoders = _encoders(guided)
    ir, vi = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
    with torch.inference_mode():
        guide = encoders.vi(vi)
        expected = [gram(x) for x in _naive(encoders.ir, ir, guide)]
        plain = encoders.ir(ir, guide)
    features, grams = encode_with_grams(encoders.ir, ir, guide)
    assert len(grams) == len(operations(5, guided=guided)) == (39 if guided else 34)
    torch.testing.assert_close(grams, expected)
    torch.testing.assert_close(features, plain)
    assert not any(module._forward_hooks for module in encoders.ir.modules())


def test_the_relu_in_place_does_not_reach_the_batch_norm_before_it() -> None:
    encoders = _encoders(False)
    _, grams = encode_with_grams(encoders.vi, torch.rand(4, 1, 32, 32))
    names = [layer.name for layer in operations(5, guided=False)]
    assert not torch.allclose(grams[names.index("bn1")], grams[names.index("relu1")])


@pytest.mark.parametrize("guided", [False, True])
def test_the_paper_counts_seven_and_four_times_eleven(guided: bool) -> None:
    layers = operations(5, guided=guided)
    counted = [layers[place] for place in paper_layers(layers)]
    assert [sum(layer.level == k for layer in counted) for k in range(1, 6)] == [7, 11, 11, 11, 11]
    assert [layer.name for layer in counted[:7]] == [
        "conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "relu2",
    ]  # fmt: skip
    assert [layer.name for layer in counted[7:18]] == [
        "pool", "conv1", "bn1", "relu1", "conv2", "bn2", *["relu2"] * 5,
    ]  # fmt: skip
    last = "gate" if guided else "relu2"
    assert [layers[end] for end in level_ends(layers)] == [(k, last) for k in range(1, 6)]


def test_the_paper_count_is_what_hooks_on_nested_modules_see() -> None:
    """The usual U-Net code: Down(Sequential(MaxPool, DoubleConv(Sequential(...))))."""
    from torch import nn

    class Holder(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.inner(x)
            return out

    encoder = _encoders(False).vi
    first, *others = encoder.levels
    blocks = [first, *(Holder(nn.Sequential(nn.MaxPool2d(2), Holder(b))) for b in others)]
    network = nn.Sequential(*blocks).eval()
    seen: list[Tensor] = []
    for module in network.modules():
        if module is not network:
            module.register_forward_hook(lambda _m, _i, out: seen.append(gram(out)))
    image = torch.rand(4, 1, 32, 32)
    with torch.inference_mode():
        network(image)
    by_hooks = list(seen)
    assert len(by_hooks) == 51
    _, grams = encode_with_grams(encoder, image)
    layers = operations(5, guided=False)
    torch.testing.assert_close(by_hooks, [grams[place] for place in paper_layers(layers)])


def _pairs(tmp_path: Path, count: int = 10) -> Batches:
    ir, vi = make_pairs(tmp_path / "data", [f"{k}" for k in range(count)], (48, 64))
    return Batches(find_pairs(ir, vi).pairs, size=32, batch=5)


@pytest.mark.parametrize("guided", [False, True])
def test_the_matrices_of_one_batch_are_cka(tmp_path: Path, guided: bool) -> None:
    ir, vi = make_pairs(tmp_path / "data", list("abcdef"), (48, 64))
    encoders = _encoders(guided)
    batches = Batches(find_pairs(ir, vi).pairs, size=32, batch=8)
    assert list(accumulate(encoders, batches, tmp_path / "c.npz")) == [0, 1]
    found = matrices(encoders, tmp_path / "c.npz")
    x, y = batches.read(0, 1)
    with torch.inference_mode():
        guide = encoders.vi(y)
        vi_maps, ir_maps = _naive(encoders.vi, y, []), _naive(encoders.ir, x, guide)
    assert float(found["images"][0, 0]) == pytest.approx(float(cka(x, y)), abs=1e-9)
    assert found["cross"].shape == (len(ir_maps), len(vi_maps))
    for i, j in ((0, 0), (12, 30), (33, 5)):
        assert found["cross"][i, j] == pytest.approx(float(cka(ir_maps[i], vi_maps[j])), abs=1e-9)
        assert found["vi"][i, j] == pytest.approx(float(cka(vi_maps[i], vi_maps[j])), abs=1e-9)
        assert found["ir"][i, j] == pytest.approx(float(cka(ir_maps[i], ir_maps[j])), abs=1e-9)


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    encoders, batches = _encoders(True), _pairs(tmp_path)
    whole, halves = tmp_path / "whole.npz", tmp_path / "cache" / "halves.npz"
    assert list(accumulate(encoders, batches, whole)) == [0, 1, 2]
    run = accumulate(encoders, batches, halves)
    assert [next(run), next(run)] == [0, 1]
    run.close()
    assert load_sums(halves)["vi"].batches == 1
    assert list(accumulate(encoders, batches, halves)) == [1, 2]
    assert list(accumulate(encoders, batches, halves)) == [2]
    for name, matrix in matrices(encoders, halves).items():
        assert (matrix == matrices(encoders, whole)[name]).all()


def test_a_damaged_cache_is_begun_anew(tmp_path: Path) -> None:
    cache = tmp_path / "c.npz"
    cache.write_bytes(b"PK\x03\x04 cut")
    assert next(accumulate(_encoders(False), _pairs(tmp_path), cache)) == 0


def test_batches_are_even_and_fixed(tmp_path: Path) -> None:
    batches = _pairs(tmp_path, 11)
    assert sorted(len(part) for part in batches.parts) == [5, 6]
    assert sorted(place for part in batches.parts for place in part) == list(range(11))
    assert batches.parts == _pairs(tmp_path, 11).parts
    ir, vi = batches.read(0, 3)
    assert ir.shape == vi.shape == (len(batches.parts[0]), 3, 32, 32)
    with pytest.raises(InputError, match="at least 4"):
        _pairs(tmp_path / "few", 3)


def test_center_square() -> None:
    image = torch.zeros(1, 4, 8, dtype=torch.uint8)
    image[:, :, 2:6] = 255
    ir, vi = CenterSquare(2)(image, image.float() / 255)
    assert ir.tolist() == vi.tolist() == [[[1, 1], [1, 1]]]


def test_encoders_of_weights_and_what_is_none(tmp_path: Path, weights: Path) -> None:
    encoders = load_encoders(weights)
    assert encoders.model is not None
    assert digest(encoders.vi) == digest(load_encoders(str(weights)).vi)
    assert digest(encoders.vi) != digest(encoders.ir)
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        load_encoders(tmp_path)
    with pytest.raises(InputError, match="no such weights"):
        load_encoders(tmp_path / "none.safetensors")
