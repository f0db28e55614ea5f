"""Shapes, sizes and the wiring of the networks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from mma_unet.models import (
    ABLATIONS,
    PRESETS,
    IRUNet,
    MMAUNet,
    MMAUNetConfig,
    VIUNet,
    ablation,
    count_macs,
    count_parameters,
    fold,
    preset,
    with_unshuffle,
)
from mma_unet.models.blocks import ChannelAttention
from mma_unet.models.config import PAPER_PAIRING
from mma_unet.models.fusion import AsymmetricFusion
from mma_unet.models.heads import BandsHead, make_head


def images(config: MMAUNetConfig, height: int = 64, width: int = 96) -> tuple[torch.Tensor, ...]:
    return tuple(torch.rand(2, config.in_channels, height, width) for _ in range(2))


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_level_k_has_its_shape_in_every_ablation(name: str) -> None:
    config = ablation(name, width=4, in_channels=3)
    model = MMAUNet(config).eval()
    ir_features, vi_features = model.features(*images(config))
    for features, depth in ((ir_features, config.ir_depth), (vi_features, config.vi_depth)):
        shapes = [tuple(f.shape) for f in features]
        assert shapes == [(2, 4 * 2**k, 64 // 2**k, 96 // 2**k) for k in range(depth)]
    fused = model.fusion(ir_features, vi_features)
    assert [tuple(f.shape[1:]) for f in fused] == [
        (4 * 2 ** (k - 1), 64 // 2 ** (k - 1), 96 // 2 ** (k - 1)) for k in config.fused_levels
    ]
    assert model(*images(config)).shape == (2, 3, 64, 96)


def test_ablations_are_those_of_table_4() -> None:
    assert ABLATIONS["E1"].pairing == ((1, 2), (2, 3), (3, 4), (4, 5))
    assert [ABLATIONS[e].guided for e in ("E1", "E2", "E3", "E4", "E5")] == [
        True, False, False, True, True,
    ]  # fmt: skip
    assert all(vi == ir for vi, ir in ABLATIONS["E2"].pairing)
    assert ABLATIONS["E3"].pairing == ABLATIONS["E1"].pairing
    assert ABLATIONS["E4"].pairing == ((1, 3), (2, 4), (3, 5))
    assert ABLATIONS["E5"].pairing == tuple((ir, vi) for vi, ir in ABLATIONS["E1"].pairing)


@pytest.mark.parametrize("offset", [-4, -3, -2, -1, 0, 1, 2, 3, 4])
def test_any_offset_works(offset: int) -> None:
    pairing = tuple((vi, vi + offset) for vi in range(1, 6) if 1 <= vi + offset <= 5)
    config = MMAUNetConfig(width=2, pairing=pairing)
    model = MMAUNet(config).eval()
    assert model(*images(config)).shape == (2, 1, 64, 96)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 33), (40, 23), (64, 64), (5, 100)])
def test_any_size_is_padded_and_cropped(height: int, width: int) -> None:
    config = MMAUNetConfig(width=2)
    model = MMAUNet(config).eval()
    ir, vi = images(config, height, width)
    assert model.forward_padded(ir, vi).shape == ir.shape


def test_padding_changes_nothing_where_none_is_needed() -> None:
    config = MMAUNetConfig(width=2)
    model = MMAUNet(config).eval()
    ir, vi = images(config)
    torch.testing.assert_close(model.forward_padded(ir, vi), model(ir, vi))


@pytest.mark.parametrize("guided", [True, False])
def test_gates_come_from_vi(guided: bool) -> None:
    config = MMAUNetConfig(width=4, guided=guided)
    model = MMAUNet(config).eval()
    ir, vi = images(config)
    before, _ = model.features(ir, vi)
    after, _ = model.features(ir, torch.rand_like(vi))
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [not guided] * 5


def test_ir_unet_needs_its_guide() -> None:
    config = MMAUNetConfig(width=2)
    ir, vi = images(config)
    with pytest.raises(ValueError, match="needs 5 levels of VI features"):
        IRUNet(config)(ir)
    assert IRUNet(config)(ir, VIUNet(config).encoder(vi)).shape == ir.shape
    assert IRUNet(replace(config, guided=False))(ir).shape == ir.shape


def test_fusion_network_takes_over_the_stage_one_encoders() -> None:
    config = MMAUNetConfig(width=2)
    vi_unet, ir_unet = VIUNet(config).eval(), IRUNet(config).eval()
    model = MMAUNet.from_stage_one(ir_unet, vi_unet).eval()
    ir, vi = images(config)
    ir_features, vi_features = model.features(ir, vi)
    guide = vi_unet.encoder(vi)
    torch.testing.assert_close(vi_features, guide)
    torch.testing.assert_close(ir_features, ir_unet.encoder(ir, guide))


def test_unused_levels_are_not_part_of_the_network() -> None:
    unguided = MMAUNet(replace(MMAUNetConfig(width=2), guided=False))
    assert len(unguided.vi_encoder.levels) == 4
    assert len(unguided.ir_encoder.levels) == 5
    swapped = MMAUNet(replace(preset("E5"), width=2))
    assert len(swapped.ir_encoder.levels) == 4


def test_channel_attention_is_cbams() -> None:
    attention = ChannelAttention(8)
    x = torch.rand(2, 8, 5, 7)
    mlp = torch.nn.Sequential(attention.squeeze, torch.nn.ReLU(), attention.excite)
    expected = torch.sigmoid(mlp(x.flatten(2).mean(2)) + mlp(x.flatten(2).max(2).values))
    torch.testing.assert_close(attention.weights(x).squeeze(), expected)


# Millions of parameters and GMACs at 480x640; the test below counts those of `paper` by hand.
SIZES = {
    "paper": (73.1, 354.7), "base": (18.3, 88.6), "small-paper": (4.57, 22.2),
    "small": (4.71, 22.71), "tiny": (1.18, 5.71), "nano": (0.0739, 1.08),
}  # fmt: skip


@pytest.mark.parametrize("name", list(PRESETS))
def test_size_of_every_preset(name: str) -> None:
    model = MMAUNet(preset(name))
    parameters, gmacs = SIZES[name]
    assert count_parameters(model) / 1e6 == pytest.approx(parameters, rel=0.005)
    assert count_macs(model, 480, 640) / 1e9 == pytest.approx(gmacs, rel=0.005)


def test_macs_of_the_paper_network_by_hand() -> None:
    pixels = [480 * 640 // 4**k for k in range(5)]
    c = [64 * 2**k for k in range(5)]
    inputs = [3, *c[:4]]
    encoder = sum(9 * (i + o) * o * p for i, o, p in zip(inputs, c, pixels, strict=True))
    down = sum(c[k] * c[k + 1] * pixels[k + 1] for k in range(4))
    up = sum(9 * c[k + 1] * 4 * c[k] * pixels[k + 1] for k in range(4))
    blocks = sum(9 * (2 * c[k] + c[k]) * c[k] * pixels[k] for k in (1, 2, 3))
    image = c[0] * 3 * pixels[0]
    total = 2 * encoder + down + up + blocks + image
    assert count_macs(MMAUNet(preset("paper")), 480, 640) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairing": ((1, 6),)}, "outside 1..5"),
        ({"pairing": ((1, 3), (3, 2))}, "same level"),
        ({"pairing": ()}, "at least one"),
        ({"in_channels": 2}, "1 or 3"),
        ({"attention": "spatial"}, "attention"),
        ({"width": 0}, "width"),
    ],
)
def test_bad_configs_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MMAUNetConfig(**change)  # type: ignore[arg-type]


def test_unknown_preset_and_key_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown preset 'huge'"):
        preset("huge")
    with pytest.raises(ValueError, match="unknown model config key"):
        MMAUNetConfig.from_dict({"widht": 8})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("head", ["image", "blend", "bands"])
@pytest.mark.parametrize("pairing", [PAPER_PAIRING, ((1, 1), (2, 2), (3, 3)), ((1, 1),)])
def test_a_folded_network_computes_the_same(pairing: tuple, head: str, channels: int) -> None:
    config = MMAUNetConfig(width=4, in_channels=channels, head=head, pairing=pairing)
    model = MMAUNet(config)
    with torch.no_grad():
        model.decoder.to_image.bias += 0.2 * torch.randn_like(model.decoder.to_image.bias)
    for _ in range(3):  # statistics that are not those of a new network
        model(*images(config))
    model.eval()
    folded = fold(model)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())
    ir, vi = images(config)
    torch.testing.assert_close(folded(ir, vi), model(ir, vi), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(fold(folded)(ir, vi), folded(ir, vi))


@pytest.mark.parametrize("pairing", [((1, 2), (2, 3), (3, 4), (4, 5)), ((3, 1), (2, 2), (1, 5))])
def test_unshuffled_network_computes_what_the_averaging_one_did(pairing: tuple) -> None:
    config = MMAUNetConfig(width=4, pairing=pairing)
    model = MMAUNet(config).eval()
    ir, vi = images(config)
    wider = with_unshuffle(model)
    assert wider.config == replace(config, downsampling="unshuffle")
    assert count_parameters(wider) > count_parameters(model)
    torch.testing.assert_close(wider(ir, vi), model(ir, vi), atol=1e-5, rtol=1e-5)


def test_unshuffling_keeps_what_averaging_loses() -> None:
    checkers = torch.ones(1, 1, 16, 16)
    checkers[..., ::2, 1::2] = checkers[..., 1::2, ::2] = 0
    for name, lost in (("average", True), ("unshuffle", False)):
        config = MMAUNetConfig(width=1, downsampling=name)
        down = AsymmetricFusion(config).pairs[0].vi_down
        both = torch.cat([down(checkers), down(1 - checkers)])
        assert bool((both[0] - both[1]).abs().max() < 1e-6) is lost


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("head", "blends"), [("blend", 1), ("bands", 5)])
def test_a_blend_starts_from_the_average_and_passes_detail_by(
    head: str, blends: int, channels: int
) -> None:
    config = MMAUNetConfig(width=4, in_channels=channels, head=head)
    model = MMAUNet(config).eval()
    ir, vi = images(config)
    torch.nn.init.zeros_(model.decoder.to_image.weight)
    torch.testing.assert_close(model(ir, vi), (ir + vi) / 2)
    with torch.no_grad():
        weights = torch.tensor([1.0, -0.5] * blends + [0.25])
        model.decoder.to_image.bias[:] = weights.repeat_interleave(channels)
    torch.testing.assert_close(model(ir, vi), ir - 0.5 * vi + 0.25)


@pytest.mark.parametrize("bands", [1, 2, 4])
def test_bands_are_those_of_a_laplacian_pyramid(bands: int) -> None:
    channels, height, width = 2, 48, 32
    ir, vi = torch.rand(2, 3, channels, height, width)
    maps = torch.rand(3, (2 * bands + 3) * channels, height, width)

    def upsampled(x: torch.Tensor) -> torch.Tensor:
        return interpolate(x, scale_factor=2, mode="bilinear")

    *weights, rest = maps.split(channels, dim=1)
    expected = 0
    for source, of_source in ((ir, weights[::2]), (vi, weights[1::2])):
        layers, level = [], source
        for _ in range(bands):
            coarser = avg_pool2d(level, 2)
            layers.append(level - upsampled(coarser))
            level = coarser
        blend = level * avg_pool2d(of_source[-1], 2**bands)
        for octave in reversed(range(bands)):
            blend = upsampled(blend) + layers[octave] * avg_pool2d(of_source[octave], 2**octave)
        expected = expected + blend
    torch.testing.assert_close(BandsHead(bands)(maps, ir, vi), expected + rest)


def test_each_band_can_come_from_another_source() -> None:
    columns = torch.arange(64.0).expand(1, 1, 64, 64)
    fine, coarse = 0.2 * torch.sin(columns * 2.5), 0.2 * torch.sin(columns * 0.1)
    ir, vi = 0.5 + fine, 0.5 + coarse
    head = make_head(MMAUNetConfig(head="bands"))
    assert isinstance(head, BandsHead)
    maps = torch.zeros(1, head.maps, 64, 64)
    maps[:, [0, 3, 5, 7, 9]] = 1  # the finest band of IR, all others of VI
    error = head(maps, ir, vi) - (0.5 + fine + coarse)
    # Bands overlap; the average of the sources is off by nearly half of each.
    assert error.abs().mean() < 0.3 * fine.abs().mean()


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_bands_fit_the_multiple_of_the_network(depth: int) -> None:
    pairing = tuple((level, level + 1) for level in range(1, depth))
    config = MMAUNetConfig(width=2, depth=depth, pairing=pairing, head="bands")
    side = 3 * config.size_multiple
    assert MMAUNet(config).eval()(*images(config, side, side)).shape == (2, 1, side, side)
