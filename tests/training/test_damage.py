"""Run folders that were damaged: the file is named, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mma_unet.errors import InputError
from mma_unet.models import IRUNet, MMAUNet, MMAUNetConfig, VIUNet

pytest.importorskip("lightning")
from mma_unet.training import Recipe
from mma_unet.training.callbacks import read_curve
from mma_unet.training.pairing import PairingChoice, read_choice, write_choice
from mma_unet.training.recipe import StageSettings
from mma_unet.training.stages import FusionStage, IRStage, Networks, VIStage
from mma_unet.training.tasks import ReconstructionTask
from mma_unet.training.trainer import check_checkpoint

CONFIG = MMAUNetConfig(width=2)
RECIPE = Recipe("toy", CONFIG, precision="32-true")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path: Path, key: str, value: torch.Tensor | None) -> None:
    state = {**load_file(path), key: value}
    save_file({k: v.clone() for k, v in state.items() if v is not None}, path)


def loaded(out: Path) -> MMAUNet:
    """What the finished stages of a run leave, as `train` takes it."""
    networks = Networks()
    for stage in (VIStage, IRStage, FusionStage):
        stage(RECIPE, out, networks).load()
    return networks.model


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name, network in (("vi", VIUNet), ("ir", IRUNet), ("fusion", MMAUNet)):
        (tmp_path / name).mkdir()
        save_file(network(CONFIG).state_dict(), tmp_path / name / "weights.safetensors")
    loaded(tmp_path)
    return tmp_path


@pytest.mark.parametrize("stage", ["vi", "ir", "fusion"])
def test_weights_of_a_stage(run: Path, stage: str) -> None:
    path = run / stage / "weights.safetensors"
    key = next(key for key in load_file(path) if key.endswith("weight"))
    whole = path.read_bytes()
    for value in (torch.zeros(1), torch.tensor(float("nan")).expand(load_file(path)[key].shape)):
        spoil(path, key, value)
        with pytest.raises(InputError, match=rf"{path}: .*{key}.*delete it, and .*'{stage}' is tr"):
            loaded(run)
        path.write_bytes(whole)
    spoil(path, key, None)
    with pytest.raises(InputError, match=rf"{path}: .*{key} is missing.*delete it"):
        loaded(run)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"{path}: not an MMA-UNet weights file"):
        loaded(run)


def test_values_of_the_weights_are_taken_as_they_were(run: Path) -> None:
    state = load_file(run / "fusion" / "weights.safetensors")
    for key, value in loaded(run).state_dict().items():
        assert torch.equal(value, state[key])


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[" * 10**5, '{"method": "cka"}',
        '{"pairing": 5, "method": "", "evidence": {}}',
        '{"pairing": [[1, 9]], "method": "cka", "evidence": {}}',
        '{"pairing": [[1, 2.5]], "method": "cka", "evidence": {}}',
        '{"pairing": [[1, 2]], "method": "cka", "evidence": []}',
    ],
)  # fmt: skip
def test_the_chosen_pairing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pairing.json"
    write_choice(PairingChoice("cka", ((1, 2), (2, 3)), {"ridge": 1.0}), path)
    assert read_choice(path, CONFIG).pairing == ((1, 2), (2, 3))
    path.write_text(text)
    with pytest.raises(InputError, match=rf"{path} holds no pairing of this network .*: delete it"):
        read_choice(path, CONFIG)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="holds no pairing"):
        read_choice(path, CONFIG)


@pytest.mark.parametrize(
    "text", ["", "loss\n1\n", "epoch,loss\n1.5,2\n", "epoch,loss\n1\n", "\0\n\0\n"]
)
def test_the_learning_curve(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"{path} "):
        read_curve(path)


def checkpoint(task: ReconstructionTask, **change: Any) -> dict[str, Any]:
    whole = {"optimizer_states": [], "lr_schedulers": [], "loops": {}, "epoch": 1, "global_step": 2}
    whole |= {"state_dict": task.state_dict(), **change}
    return {key: value for key, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state_dict": None}, "is damaged .no state_dict."),
        ({"loops": None}, "is damaged .no loops."),
        ({"state_dict": {}}, "of another network, or damaged"),
        ({"state_dict": [1]}, "of another network, or damaged"),
        ({"state_dict": {"a": torch.zeros(2)}}, "of another network, or damaged"),
    ],
)
def test_a_checkpoint_of_something_else(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    task, path = ReconstructionTask(VIUNet(CONFIG), StageSettings()), tmp_path / "last.ckpt"
    torch.save(checkpoint(task), path)
    check_checkpoint(path, task)
    torch.save(checkpoint(task, **change), path)
    with pytest.raises(
        InputError, match=rf"{path}: the checkpoint .*{message}: delete it, and this"
    ):
        check_checkpoint(path, task)


@pytest.mark.parametrize("how", ["cut", "empty", "text", "pickle", "json"])
def test_a_checkpoint_that_cannot_be_read(tmp_path: Path, how: str) -> None:
    task, path = ReconstructionTask(VIUNet(CONFIG), StageSettings()), tmp_path / "last.ckpt"
    torch.save(checkpoint(task), path)
    if how == "cut":
        cut(path)
    elif how == "pickle":
        torch.save({"state_dict": Path("x")}, path)  # an object that may run code as it is read
    else:
        path.write_text({"empty": "", "text": "hello", "json": json.dumps({"epoch": 1})}[how])
    with pytest.raises(
        InputError, match=rf"{path}: the checkpoint is damaged and cannot .* delete"
    ):
        check_checkpoint(path, task)
