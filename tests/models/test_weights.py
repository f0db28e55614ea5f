"""Weights files describe themselves; what is not ours is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mma_unet.errors import InputError
from mma_unet.models import (
    DEFAULT_MODEL,
    PRESETS,
    MMAUNet,
    MMAUNetConfig,
    ablation,
    load_model,
    preset,
    read_card,
    round_to_half,
    save_model,
    shipped_models,
)


@pytest.mark.parametrize("name", ["E1", "E2", "E3", "E4", "E5"])
def test_a_file_needs_nothing_else(name: str, tmp_path: Path) -> None:
    model = MMAUNet(ablation(name, width=4, in_channels=3)).eval()
    path = save_model(
        model, tmp_path / "m.safetensors", recipe={"lr": 1}, scores={"x": {"VIF": 0.5}}, half=False
    )
    card = read_card(path)
    assert (card.config, card.recipe, card.scores) == (
        model.config, {"lr": 1}, {"x": {"VIF": 0.5}},
    )  # fmt: skip
    ir, vi = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(load_model(path)(ir, vi), model(ir, vi), rtol=0, atol=0)


def test_half_precision_halves_the_file_and_hardly_moves_the_result(tmp_path: Path) -> None:
    model = MMAUNet(preset("tiny")).eval()
    half = save_model(model, tmp_path / "h.safetensors")
    full = save_model(model, tmp_path / "f.safetensors", half=False)
    assert half.stat().st_size < 0.55 * full.stat().st_size
    ir, vi = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(load_model(half)(ir, vi), model(ir, vi), rtol=0, atol=1e-3)
    statistics = load_file(half)["vi_encoder.levels.0.1.running_var"]
    assert statistics.dtype == torch.float32


def test_rounding_to_half_gives_what_a_file_will_hold(tmp_path: Path) -> None:
    model = MMAUNet(preset("tiny")).eval()
    stored = load_model(save_model(model, tmp_path / "w.safetensors")).state_dict()
    assert any(not torch.equal(x, stored[key]) for key, x in model.state_dict().items())
    round_to_half(model)
    assert all(torch.equal(x, stored[key]) for key, x in model.state_dict().items())


def test_shipped_weights_load_by_name() -> None:
    names = shipped_models()
    assert {"small", "tiny"} <= set(names)
    assert DEFAULT_MODEL in names
    for name in names:
        card = read_card(name)
        assert card.recipe, name
        assert card.data, name
        assert {"VIF", "SSIM", "PSNR", "Qabf", "Qcb"} <= set(next(iter(card.scores.values())))
        assert load_model(name).config == card.config


@pytest.mark.parametrize("name", sorted(set(shipped_models()) & set(PRESETS)))
def test_preset_and_weights_of_one_name_are_one_network(name: str) -> None:
    assert preset(name) == read_card(name).config


def test_a_card_is_read_without_a_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    class Opened:
        def __init__(self, path: Path, framework: str) -> None:
            self.file = safe_open(path, framework=framework)

        def __enter__(self) -> Opened:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def metadata(self) -> dict[str, str]:
            return self.file.metadata()

    monkeypatch.setattr("mma_unet.models.tensors.safe_open", Opened)  # has no tensors
    assert read_card("tiny").config.width == 8


def test_unknown_names_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown model 'huge'.*tiny"):
        load_model("huge")
    with pytest.raises(InputError, match="no such weights file"):
        load_model(tmp_path / "missing.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(InputError, match="not an MMA-UNet weights file"):
        load_model(text)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(2)}, foreign)
    with pytest.raises(InputError, match="not an MMA-UNet weights file"):
        load_model(foreign)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    torch.save(MMAUNet(preset("tiny")).state_dict(), path)
    with pytest.raises(InputError, match="not an MMA-UNet weights file"):
        load_model(path)


def test_tensors_that_do_not_fit_the_config_are_refused(tmp_path: Path) -> None:
    model = MMAUNet(replace(preset("tiny"), guided=False))
    state = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    path = tmp_path / "damaged.safetensors"
    metadata = {"format": "mma-unet/1", "config": json.dumps(preset("tiny").to_dict())}
    save_file(state, path, metadata)
    with pytest.raises(InputError, match="do not fit"):
        load_model(path)
    wide = MMAUNet(ablation("E1", width=4)).state_dict()
    save_file({k: v for k, v in wide.items() if "num_batches" not in k}, path, metadata)
    with pytest.raises(InputError, match="do not fit"):
        load_model(path)


@pytest.mark.parametrize(
    "config",
    [
        '{"newkey": 1}', '{"width": 0}', "[1]", "[]", '{"pairing": 5}', "x", "[" * 10**5,
        '{"width": 1e3}', '{"width": true}', '{"width": 99999999}', '{"depth": 60}',
        '{"depth": "5"}', '{"pairing": [[1.5, 2]]}', '{"pairing": [[1, 2, 3]]}',
        '{"pairing": [[true, 2]]}', '{"guided": 1}', '{"guided": "no"}', '{"reduction": null}',
        '{"head": ["image"]}',
    ],
)  # fmt: skip
def test_a_config_from_elsewhere_is_refused(config: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path, {"format": "mma-unet/1", "config": config})
    with pytest.raises(InputError, match="not an MMA-UNet weights file") as caught:
        load_model(path)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("key", "text"),
    [("scores", "[1]"), ("scores", '{"msrs": {"VIF": "high"}}'), ("data", "5"), ("recipe", "{")],
)
def test_a_card_from_elsewhere_is_refused(key: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    metadata = {"format": "mma-unet/1", "config": json.dumps(preset("tiny").to_dict()), key: text}
    save_file({"a": torch.zeros(2)}, path, metadata)
    with pytest.raises(InputError, match=r"not an MMA-UNet weights file .*give one written by"):
        read_card(path)


def save_raw(path: Path, state: dict[str, torch.Tensor]) -> Path:
    """A file of the tiny network with other tensors than its own."""
    save_file(state, path, {"format": "mma-unet/1", "config": json.dumps(preset("tiny").to_dict())})
    return path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("decoder.to_image.weight", float("nan")),
        ("vi_encoder.levels.0.1.running_mean", float("-inf")),
        ("vi_encoder.levels.0.1.running_var", -1.0),
    ],
)
def test_values_that_no_training_leaves_are_refused(key: str, value: float, tmp_path: Path) -> None:
    state = dict(MMAUNet(preset("tiny")).state_dict())
    path = save_raw(tmp_path / "a.safetensors", state)
    load_model(path)
    state[key].view(-1)[-1] = value
    with pytest.raises(InputError, match=rf"a\.safetensors: {key} holds NaN.*copy the file again"):
        load_model(save_raw(path, state))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"decoder.to_image.bias": torch.zeros(2)}, r"has the shape \(2,\), not \(11,\)"),
        ({"decoder.to_image.bias": torch.zeros(11, dtype=torch.int32)}, "has the type I32"),
        ({"decoder.to_image.bias": None}, "decoder.to_image.bias is missing"),
        ({"more": torch.zeros(1)}, "more is not of this network"),
    ],
)
def test_a_misfit_is_named_before_the_network_is_built(
    change: dict[str, torch.Tensor | None],
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = {**MMAUNet(preset("tiny")).state_dict(), **change}
    path = save_raw(tmp_path / "a.safetensors", {k: v for k, v in state.items() if v is not None})
    built: list[torch.device] = []

    def build(config: MMAUNetConfig) -> MMAUNet:
        built.append(torch.empty(0).device)
        return MMAUNet(config)

    monkeypatch.setattr("mma_unet.models.weights.MMAUNet", build)
    with pytest.raises(InputError, match=fault):
        load_model(path)
    assert built == [torch.device("meta")]


def test_a_config_larger_than_its_file_costs_no_memory(tmp_path: Path) -> None:
    """The network that this file claims to be would take 9 TB."""
    config = {**preset("tiny").to_dict(), "width": 4096, "depth": 10}
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(2)}, path, {"format": "mma-unet/1", "config": json.dumps(config)})
    with pytest.raises(InputError, match="do not fit"):
        load_model(path)


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(tensors: object, path: Path, metadata: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("mma_unet.models.weights.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(MMAUNet(preset("tiny")), tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_hub_round_trip(tmp_path: Path) -> None:
    model = MMAUNet(ablation("E4", width=2)).eval()
    model.save_pretrained(tmp_path)
    assert type(model) is MMAUNet
    again = MMAUNet.from_pretrained(str(tmp_path)).eval()
    assert type(again) is MMAUNet
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads(
        json.dumps(model.config.to_dict())
    )
    assert "library_name: mma-unet" in (tmp_path / "README.md").read_text()
    ir, vi = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)
    assert again.config == model.config
    torch.testing.assert_close(again(ir, vi), model(ir, vi), rtol=0, atol=0)


def test_a_network_is_pushed_with_its_config(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(
        "huggingface_hub.PyTorchModelHubMixin.push_to_hub",
        lambda self, repo, *, config, **_: sent.append((repo, config)) or "url",
    )
    model = MMAUNet(preset("tiny"))
    assert model.push_to_hub("someone/fusion") == "url"
    assert sent == [("someone/fusion", model.config)]
    assert type(model) is MMAUNet


def test_style_is_a_way_between_two_ends(tmp_path: Path) -> None:
    config = MMAUNetConfig(width=2)
    ends = [MMAUNet(config).eval() for _ in range(2)]
    for end, name in zip(ends, ("a", "a-thermal"), strict=True):
        save_model(end, tmp_path / f"{name}.safetensors", half=False)
    path = tmp_path / "a.safetensors"
    key = "decoder.to_image.weight"
    first, last = (end.state_dict()[key] for end in ends)
    assert torch.equal(load_model(path).state_dict()[key], first)
    assert torch.allclose(load_model(path, style=1).state_dict()[key], last)
    middle = load_model(path, style=0.25).state_dict()[key]
    assert torch.allclose(middle, 0.75 * first + 0.25 * last)
    assert not torch.allclose(first, last)


@pytest.mark.parametrize(
    ("style", "sentence"), [(1.5, "from 0 .natural. to 1"), (0.5, "no thermal end .a-thermal")]
)
def test_a_style_that_cannot_be_is_refused(tmp_path: Path, style: float, sentence: str) -> None:
    save_model(MMAUNet(MMAUNetConfig(width=2)), tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=sentence):
        load_model(tmp_path / "a.safetensors", style=style)
