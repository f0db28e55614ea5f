"""Training from a recipe: what it leaves, that it learns, and that it can be interrupted."""

from __future__ import annotations

import copy
import csv
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from mma_unet.configs import config_names
from mma_unet.errors import InputError
from mma_unet.models import IRUNet, MMAUNetConfig, VIUNet, load_model, read_card
from tests.conftest import make_pairs

L = pytest.importorskip("lightning")
from mma_unet.training import Recipe, load_recipe, train  # noqa: E402
from mma_unet.training.pairs_data import PairsData, open_splits  # noqa: E402
from mma_unet.training.recipe import StageSettings  # noqa: E402
from mma_unet.training.tasks import ReconstructionTask  # noqa: E402

OPTIONS = {"accelerator": "cpu", "progress": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pairs to train on and two to choose on, in the layout of MSRS."""
    root = tmp_path_factory.mktemp("data")
    for split, count in (("train", 6), ("val", 3)):
        make_pairs(root / "msrs" / split, [f"{i:02d}" for i in range(count)], (48, 64))
    return root


def write_recipe(
    path: Path, data: Path, epochs: int = 2, val_every: int = 1, **more: object
) -> Path:
    stage = {"epochs": epochs, "lr": 1e-3, "val_every": val_every}
    values = {
        "name": "toy",
        "model": {"preset": "tiny", "width": 2},
        "data": {
            "root": str(data), "train": ["msrs/train"], "val": ["msrs/val"],
            "crop": 32, "val_crop": 48, "batch_size": 2,
        },
        "vi": stage, "ir": stage, "fusion": stage, "precision": "32-true", **more,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(values))
    return path


def curve(path: Path) -> dict[str, list[float]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {key: [float(row[key]) for row in rows if row[key]] for key in rows[0]}


def same_weights(a: Path, b: Path, **tolerance: float) -> None:
    first, second = load_file(a), load_file(b)
    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(value, second[key], msg=key, **tolerance)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """One whole run, all three stages."""
    root = tmp_path_factory.mktemp("run")
    recipe = load_recipe(write_recipe(root / "toy.yaml", data))
    train(recipe, root / "run", **OPTIONS)
    return recipe, root / "run"


def test_a_run_leaves_curves_samples_logs_and_weights(finished: tuple[Recipe, Path]) -> None:
    recipe, out = finished
    for stage in ("vi", "ir", "fusion"):
        values = curve(out / stage / "curve.csv")
        assert values["epoch"] == [0, 1]
        assert all(np.isfinite(values["train_loss"]))
        assert len(values["val_loss"]) == 2
        assert values["lr"][-1] == pytest.approx(0, abs=1e-9)
        assert len(list((out / stage / "samples").glob("*.png"))) == 2
        assert any((out / stage / "tensorboard").glob("events*"))
    card = read_card(out / "toy.safetensors")
    assert card.config == recipe.model
    assert card.recipe["fusion"]["loss"]["alpha"] == 10
    assert card.data == {"msrs/train": 6}
    assert card.scores["msrs/val"]["pairs"] == 3


def test_stage_one_is_frozen_in_stage_two(finished: tuple[Recipe, Path]) -> None:
    _, out = finished
    model = load_file(out / "fusion" / "weights.safetensors")
    for stage in ("vi", "ir"):
        for key, value in load_file(out / stage / "weights.safetensors").items():
            if key.startswith("encoder."):
                kept = model[f"{stage}_{key}"]
                torch.testing.assert_close(kept, value, rtol=0, atol=0, msg=key)


def test_vi_unet_is_frozen_while_ir_unet_trains(data: Path, tmp_path: Path) -> None:
    """Neither its weights nor its batch-norm statistics move, and those of IR-UNet do."""
    config = MMAUNetConfig(width=2)
    guide, unet = VIUNet(config), IRUNet(config)
    before = [copy.deepcopy(net.state_dict()) for net in (guide, unet)]
    task = ReconstructionTask(unet, StageSettings(epochs=2, lr=1e-2), guide)
    pairs = PairsData(
        load_recipe(write_recipe(tmp_path / "toy.yaml", data)).data, channels=1, seed=0
    )
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(task, datamodule=pairs)
    for key, value in guide.state_dict().items():
        torch.testing.assert_close(value, before[0][key], rtol=0, atol=0, msg=key)
    moved = {k for k, v in unet.state_dict().items() if not torch.equal(v, before[1][k])}
    assert "encoder.levels.0.1.running_mean" in moved
    assert "encoder.gates.0.squeeze.weight" in moved


def test_reconstruction_is_learned(data: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        write_recipe(tmp_path / "toy.yaml", data, vi={"epochs": 25, "lr": 0.03, "val_every": 25})
    )
    train(recipe, tmp_path / "run", stages=["vi"], **OPTIONS)
    losses = curve(tmp_path / "run/vi/curve.csv")["train_loss"]
    assert losses[-1] < 0.2 * losses[0]


def test_a_finished_run_is_not_run_again(finished: tuple[Recipe, Path]) -> None:
    recipe, out = finished
    stamp = (out / "toy.safetensors").stat().st_mtime_ns
    assert train(recipe, out, **OPTIONS) == out / "toy.safetensors"
    assert (out / "toy.safetensors").stat().st_mtime_ns == stamp


class Stop(L.Callback):
    """Ends a run in its second epoch, once for each kind of task."""

    def __init__(self) -> None:
        self.met: set[tuple[type, type]] = set()

    def on_train_batch_end(self, trainer: L.Trainer, task: L.LightningModule, *_: object) -> None:
        kind = type(task), type(task.network)
        if trainer.current_epoch == 1 and kind not in self.met:
            self.met.add(kind)
            raise RuntimeError("stopped")


def test_every_stage_resumes_to_the_same_bits(
    finished: tuple[Recipe, Path], tmp_path: Path
) -> None:
    recipe, whole = finished
    stop = Stop()
    for _ in range(3):
        with pytest.raises(RuntimeError, match="stopped"):
            train(recipe, tmp_path / "run", callbacks=[stop], **OPTIONS)
    train(recipe, tmp_path / "run", callbacks=[stop], **OPTIONS)
    for stage in ("vi", "ir", "fusion"):
        file = f"{stage}/weights.safetensors"
        same_weights(whole / file, tmp_path / "run" / file, rtol=0, atol=0)


def test_seeds_decide_the_weights(data: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        recipe = load_recipe(write_recipe(tmp_path / "toy.yaml", data, epochs=1, seed=seed))
        train(recipe, tmp_path / name, stages=["vi"], **OPTIONS)
    same_weights(*(tmp_path / n / "vi/weights.safetensors" for n in "ab"), rtol=0, atol=0)
    with pytest.raises(AssertionError):
        same_weights(*(tmp_path / n / "vi/weights.safetensors" for n in "ac"), rtol=0, atol=0)


def test_encoders_train_too_and_metrics_rise_when_asked(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    """The recipe of the shipped weights, from other weights."""
    fusion = {
        "epochs": 12, "lr": 5e-3, "val_every": 12, "freeze_encoders": False,
        "loss": {"alpha": 0, "beta": 0, "saliency": 1}, "metrics": {"vif": 5, "ssim": 1},
    }  # fmt: skip
    config = write_recipe(
        tmp_path / "toy.yaml", data, model="tiny", fusion=fusion, start=str(weights)
    )
    recipe = load_recipe(config, {"data.crop": 48})
    result = train(recipe, tmp_path / "run", **OPTIONS)
    before, after = load_file(weights), load_file(result)
    for encoder in ("vi_encoder", "ir_encoder"):
        key = f"{encoder}.levels.0.0.weight"
        assert not torch.equal(before[key], after[key])
    values = curve(tmp_path / "run" / "fusion" / "curve.csv")
    assert values["train_VIF"][-1] > values["train_VIF"][0] + 0.05
    assert np.mean(values["train_loss"][-3:]) < np.mean(values["train_loss"][:3])
    assert {"train_VIF", "train_saliency", "val_VIF"} <= set(values)
    assert not (tmp_path / "run" / "vi").exists()
    mean = "decoder.blocks.0.1.running_mean"
    assert not torch.equal(before[mean], after[mean])


def test_a_student_comes_to_fuse_as_its_teacher_does(
    weights: Path, finished: tuple[Recipe, Path], data: Path, tmp_path: Path
) -> None:
    """Distillation alone: every other term has no weight."""
    fusion = {
        "epochs": 12, "lr": 1e-2, "val_every": 12, "freeze_encoders": False,
        "teacher": str(weights),
        "loss": {"mse": 0, "alpha": 0, "beta": 0},
    }  # fmt: skip
    student = str(finished[1] / "toy.safetensors")
    config = write_recipe(tmp_path / "toy.yaml", data, fusion=fusion, start=student)
    train(load_recipe(config), tmp_path / "run", **OPTIONS)
    values = curve(tmp_path / "run" / "fusion" / "curve.csv")
    assert values["train_distance"][-1] < 0.5 * values["train_distance"][0]
    assert values["train_loss"][0] == pytest.approx(4 * values["train_distance"][0], rel=1e-4)


def test_batch_norm_can_be_kept_as_at_inference(weights: Path, data: Path, tmp_path: Path) -> None:
    fusion = {"epochs": 1, "lr": 1e-3, "freeze_encoders": False, "freeze_norm": True}
    config = write_recipe(
        tmp_path / "toy.yaml", data, model="tiny", fusion=fusion, start=str(weights)
    )
    result = train(load_recipe(config), tmp_path / "run", **OPTIONS)
    before, after = load_file(weights), load_file(result)
    statistics = [key for key in before if "running" in key]
    assert len(statistics) > 20
    for key in statistics:
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=0, msg=key)
    key = "vi_encoder.levels.0.0.weight"
    assert not torch.equal(before[key], after[key])


def command(config: Path, out: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "mma_unet.cli.main", "train", "--config", str(config), "--out",
        str(out), "--accelerator", "cpu", "--no-progress", *more,
    ]  # fmt: skip


@pytest.mark.slow
def test_sigkill_mid_epoch_then_resume_ends_at_the_same_weights(data: Path, tmp_path: Path) -> None:
    config = write_recipe(tmp_path / "toy.yaml", data, epochs=30, val_every=3)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(load_recipe(config), whole, stages=["vi"], **OPTIONS)
    process = subprocess.Popen(command(config, broken, "--stage", "vi"))
    rows = broken / "vi" / "curve.csv"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not (
        rows.is_file() and len(rows.read_text().splitlines()) > 8
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (broken / "vi" / "weights.safetensors").exists()
    train(load_recipe(config), broken, stages=["vi"], **OPTIONS)
    same_weights(
        whole / "vi/weights.safetensors", broken / "vi/weights.safetensors", rtol=0, atol=0
    )
    a, b = (curve(run / "vi" / "curve.csv") for run in (whole, broken))
    assert a["train_loss"] == b["train_loss"]
    assert a["val_loss"] == b["val_loss"]


@pytest.mark.slow
def test_two_processes_follow_the_curve_of_one(data: Path, tmp_path: Path) -> None:
    config = write_recipe(tmp_path / "toy.yaml", data, epochs=2)
    one, two = tmp_path / "one", tmp_path / "two"
    train(load_recipe(config), one, **OPTIONS)
    several = command(config, two, "--devices", "2", "--strategy", "ddp")
    subprocess.run(several, check=True, timeout=300)
    for stage in ("vi", "ir", "fusion"):
        a, b = (curve(run / stage / "curve.csv") for run in (one, two))
        np.testing.assert_allclose(a["train_loss"], b["train_loss"], rtol=2e-3)
        np.testing.assert_allclose(a["val_loss"], b["val_loss"], rtol=2e-3)
    assert load_model(two / "toy.safetensors").config.width == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modle": "tiny"}, "unknown key.*modle"),
        ({"data": {"crops": 3}}, "data: unknown key.*crops"),
        ({"data": {"crop": 40}}, "multiples of 16"),
        ({"data": 5}, "data: give a mapping"),
        ({"vi": {"lr": "fast"}}, "vi: lr: give a number, not 'fast'"),
        ({"vi": {"epochs": 0}}, "epochs must be at least 1"),
        ({"vi": {"metrics": {"vif": 1}}}, "belong to the fusion stage"),
        ({"fusion": {"metrics": {"vfi": 1}}}, "metric 'vfi' cannot be optimized"),
        ({"precision": "8-bit"}, "precision must be one of"),
        ({"start": "nowhere.safetensors"}, "fusion stage only|no such weights"),
        ({"model": "huge"}, "unknown preset 'huge'"),
        ({"fusion": {"loss": {"ssim": "x"}}}, "fusion: loss: ssim must be"),
        ({"data": {"train": ["msrs/train[x]"]}}, "not a data split"),
    ],
)
def test_bad_recipes_are_one_sentence(
    change: dict[str, object], message: str, data: Path, tmp_path: Path
) -> None:
    path = write_recipe(tmp_path / "toy.yaml", data)
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        train(load_recipe(path), tmp_path / "run", stages=["vi"], **OPTIONS)
    assert not (tmp_path / "run").exists()


def test_a_failed_start_leaves_the_folder_free(data: Path, tmp_path: Path) -> None:
    for split in ("val", "test"):
        config = write_recipe(tmp_path / "toy.yaml", data)
        recipe = load_recipe(config, {f"data.{split}": ["tno/test"]})
        with pytest.raises(InputError, match="TNO"):
            train(recipe, tmp_path / "run", **OPTIONS)
    assert not (tmp_path / "run").exists()


def test_settings_can_be_set_from_outside(data: Path, tmp_path: Path) -> None:
    config = write_recipe(tmp_path / "toy.yaml", data, model="tiny")
    recipe = load_recipe(config, {"model.width": 4, "vi.lr": "1E-3", "fusion.loss.alpha": 2})
    assert (recipe.model.width, recipe.vi.lr, recipe.fusion.loss.alpha) == (4, 1e-3, 2.0)
    assert recipe.fusion.lr == 1e-3
    with pytest.raises(InputError, match="name has no settings"):
        load_recipe(config, {"name.x": 1})


def test_splits_by_path_slices_and_lonely_files(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_pairs(tmp_path / "mine", ["a", "b", "c"], (48, 64))
    (tmp_path / "mine" / "ir" / "b.png").unlink()
    pairs = open_splits((str(tmp_path / "mine"), "msrs/train[1:3]", "msrs/train[-1:]"), data)
    assert [pair.name for pair in pairs] == ["a", "c", "01", "02", "05"]
    assert "b.png has no partner" in caplog.text


def test_interruption_is_not_a_crash(data: Path, tmp_path: Path) -> None:
    config = write_recipe(tmp_path / "toy.yaml", data, epochs=2000)
    process = subprocess.Popen(
        command(config, tmp_path / "run", "--stage", "vi"), stderr=subprocess.PIPE, text=True
    )
    rows = tmp_path / "run" / "vi" / "curve.csv"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not rows.is_file():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr is not None
    assert "run the same command again" in process.stderr.read()


def test_another_recipe_does_not_resume_a_run(finished: tuple[Recipe, Path], data: Path) -> None:
    recipe, out = finished
    other = load_recipe(write_recipe(out.parent / "other.yaml", data, epochs=3))
    with pytest.raises(InputError, match="another recipe"):
        train(other, out, **OPTIONS)
    with pytest.raises(InputError, match="stage 'vi' has not been trained"):
        train(recipe, out.parent / "fresh", stages=["fusion"], **OPTIONS)


def test_shipped_recipes_are_found_by_name(tmp_path: Path) -> None:
    names = config_names()
    assert {"small", "tiny", "small-paper", "paper", "ablation"} <= set(names)
    for name in names:
        assert load_recipe(name).name == name
    for name in ("small", "tiny"):
        assert load_recipe(name).start == f"{name}-metric"
    (tmp_path / "mine.yaml").write_text("model: tiny")
    assert load_recipe(tmp_path / "mine.yaml").name == "mine"
    with pytest.raises(InputError, match=r"smal: no such file; .* one of ablation, .*, tiny"):
        load_recipe("smal")


@pytest.mark.parametrize(
    ("name", "width"),
    [("small-paper", 16), ("ablation", 8), ("mri-ct", 8), ("mri-pet", 8), ("mri-spect", 8)],
)
def test_recipes_of_the_paper_s_network_keep_it(name: str, width: int) -> None:
    assert load_recipe(name).model == MMAUNetConfig(width=width)


def test_a_partial_search_inherits_the_fusion(tmp_path: Path) -> None:
    """What is searched under another loss than the fusion's is another pairing."""
    path = tmp_path / "toy.yaml"
    path.write_text(
        "model: tiny\nsearch: {epochs: 3}\n"
        "fusion: {lr: 2e-3, loss: {alpha: 0, saliency: 1}, metrics: {vif: 2}, val_every: 7}\n"
    )
    recipe = load_recipe(path)
    assert recipe.search == replace(recipe.fusion, epochs=3)
    assert (recipe.fusion.lr, recipe.fusion.loss.saliency) == (2e-3, 1)
    saved = tmp_path / "saved.yaml"
    saved.write_text(yaml.safe_dump(recipe.to_dict()))
    assert load_recipe(saved) == recipe
    assert load_recipe(path, {"search": None}).settings("search") == recipe.fusion


def test_checkpoints_hold_every_weight_once(finished: tuple[Recipe, Path]) -> None:
    """Frozen encoders and the guide are among the network's, not registered again."""
    _, out = finished
    for stage, parts in (("vi", ("unet",)), ("ir", ("unet", "guide")), ("fusion", ("model",))):
        state = torch.load(out / stage / "last.ckpt", weights_only=True)["state_dict"]
        wanted = {
            f"{part}.{key}"
            for part in parts
            for key in load_file(out / ("vi" if part == "guide" else stage) / "weights.safetensors")
        }
        assert set(state) == wanted
