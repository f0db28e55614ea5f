"""The runtimes behind `Fuser`: equal to PyTorch, or refused with a clear sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mma_unet import Fuser, InputError
from mma_unet.inference import quantize as quantizing
from mma_unet.inference.export import FORMATS, TOLERANCE, export_model, largest_difference
from mma_unet.inference.runtimes import base, choose, convert, make_runtime, read_exported
from mma_unet.inference.runtimes.with_openvino import OpenVINORuntime
from mma_unet.machine import has_native_bf16
from mma_unet.models import MMAUNet, MMAUNetConfig, ablation, load_model, save_model
from tests.conftest import make_pairs

CPU = torch.device("cpu")
NEEDS = {
    "torch": (),
    "onnxruntime": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "openvino"),
    "torchscript": (),
    "onnx": ("onnx", "onnxruntime"),
}


def need(name: str) -> None:
    for module in NEEDS[name]:
        pytest.importorskip(module, reason=f"needs {module} of the extra export")


def network(config: MMAUNetConfig) -> MMAUNet:
    """An untrained network whose batch norm has something to fold."""
    torch.manual_seed(1)
    model = MMAUNet(config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias, 0, 0.2)
            torch.nn.init.normal_(module.running_mean, 0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return model.eval()


@pytest.fixture(scope="module")
def narrow() -> MMAUNet:
    return network(MMAUNetConfig(width=4))


@pytest.mark.parametrize("name", ["torch", "onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "config",
    [
        MMAUNetConfig(width=4),
        ablation("E2", width=4, in_channels=3),
        ablation("E4", width=4),
        ablation("E5", width=4),
        MMAUNetConfig(width=4, depth=3, pairing=((1, 2), (2, 3)), attention="none"),
    ],
    ids=["paper", "E2", "E4", "E5", "depth3"],
)
def test_every_network_runs_alike(name: str, config: MMAUNetConfig) -> None:
    need(name)
    model = network(config)
    runtime = make_runtime(model, device=CPU, runtime=name, precision="fp32")
    assert (runtime.name, runtime.precision, runtime.config) == (name, "fp32", config)
    assert largest_difference(runtime.run, model, sizes=4) < TOLERANCE


@pytest.mark.parametrize("kind", FORMATS)
def test_exported_files_equal_torch_on_twenty_sizes(
    kind: str, narrow: MMAUNet, tmp_path: Path
) -> None:
    need(kind)
    target = tmp_path / "new" / f"model{FORMATS[kind]}"
    report = export_model(narrow, target)
    assert report.sizes == 20
    assert report.difference is not None
    assert report.difference < TOLERANCE
    beside = {p.name for p in target.parent.iterdir()}
    assert beside == {target.name} | ({"model.bin"} if kind == "openvino" else set())
    if kind == "torchscript":
        with pytest.raises(InputError, match="is a program and not safe to load; give the weights"):
            Fuser(target, device="cpu")
        return
    assert read_exported(target).config == narrow.config
    runtime = make_runtime(target, device=CPU, precision="fp32")
    assert largest_difference(runtime.run, narrow, sizes=3, seed=5) < TOLERANCE
    rng = np.random.default_rng(0)
    ir, vi = (rng.integers(0, 256, (37, 51), dtype=np.uint8) for _ in range(2))
    ours, theirs = (
        np.asarray(Fuser(m, device="cpu", precision="fp32")(ir, vi)).astype(int)
        for m in (narrow, target)
    )
    assert np.abs(ours - theirs).max() <= 1


def test_a_file_that_differs_is_not_written(narrow: MMAUNet, tmp_path: Path) -> None:
    broken = network(narrow.config)
    need("onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mma_unet.inference.export.to_onnx", lambda _: _shifted(broken))
        with pytest.raises(InputError, match="was not written: it differs from PyTorch"):
            export_model(narrow, tmp_path / "model.onnx", sizes=2)
    assert not list(tmp_path.iterdir())


def _shifted(model: MMAUNet) -> bytes:
    from mma_unet.inference.runtimes.convert import to_onnx

    with torch.no_grad():
        model.decoder.to_image.bias += 0.01
    return to_onnx(model)


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_bf16_is_close_to_fp32(name: str) -> None:
    need(name)
    if not has_native_bf16():
        pytest.skip("this CPU has no bf16")
    from mma_unet.metrics import score
    from mma_unet.scene import render_scene

    scene = render_scene(96, 128, seed=3)
    reference, half = (
        Fuser("tiny", device="cpu", gray=True, runtime=r, precision=p)
        for r, p in (("torch", "fp32"), (name, "bf16"))
    )
    assert half.runtime.precision == "bf16"
    ours, theirs = (np.asarray(f(scene.ir, scene.vi)) for f in (reference, half))
    assert 0 < np.abs(ours.astype(int) - theirs.astype(int)).max() <= 4
    before, after = (score(x, scene.ir, scene.vi) for x in (ours, theirs))
    for metric, value in before.items():
        assert after[metric] == pytest.approx(value, rel=0.02)


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_int8_keeps_within_its_bound(kind: str, tmp_path: Path) -> None:
    need(kind)
    if kind == "openvino":
        pytest.importorskip("nncf", reason="needs nncf of the extra quantize")
    from mma_unet.data import find_pairs, write_image
    from mma_unet.scene import render_scene

    for seed in range(4):
        scene = render_scene(64, 96, seed=seed, supersample=1)
        write_image(tmp_path / "ir" / f"{seed}.png", scene.ir)
        write_image(tmp_path / "vi" / f"{seed}.png", scene.vi)
    pairs = find_pairs(tmp_path / "ir", tmp_path / "vi").pairs
    target = tmp_path / f"int8{FORMATS[kind]}"
    report = export_model("tiny", target, precision="int8", pairs=pairs, max_loss=2.0)
    assert report.quality is not None
    assert report.quality.worst <= 2.0
    assert report.quality.before != report.quality.after
    about = read_exported(target).about
    assert about["quality"]["after"] == report.quality.after
    fuser = Fuser(target, device="cpu", gray=True)
    assert fuser.runtime.precision == "int8"
    again = quantizing.quality(fuser, pairs[3:])
    assert again == pytest.approx(report.quality.after, rel=1e-3)
    with pytest.raises(InputError, match="is an int8 model"):
        Fuser(target, device="cpu", precision="fp32")
    shallow = network(MMAUNetConfig(width=4, depth=2, pairing=((1, 2),)))
    with pytest.raises(InputError, match="raise --max-loss"):
        export_model(shallow, target, precision="int8", pairs=pairs, max_loss=0.0)
    assert read_exported(target).about == about


def test_fixed_and_free_sizes_give_the_same(narrow: MMAUNet) -> None:
    need("openvino")
    runtime = make_runtime(narrow, device=CPU, runtime="openvino", precision="fp32")
    assert isinstance(runtime, OpenVINORuntime)
    images = {side: torch.rand(1, 1, side, 48) for side in (16, 32, 48, 64, 80)}
    first = {side: runtime.run(x, x) for side, x in images.items()}
    assert len(runtime._fixed) == 1
    for _ in range(4):
        for side, x in images.items():
            torch.testing.assert_close(runtime.run(x, x), first[side], atol=1e-5, rtol=0)
    assert len(runtime._fixed) == 3


def test_results_outlive_the_next_run(narrow: MMAUNet) -> None:
    need("openvino")
    runtime = make_runtime(narrow, device=CPU, runtime="openvino", precision="fp32")
    x, y = torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32)
    first = runtime.run(x, x)
    kept = first.clone()
    runtime.run(y, y)
    assert torch.equal(first, kept)


def test_threads_of_the_process_are_put_back(narrow: MMAUNet) -> None:
    before = torch.get_num_threads()
    runtime = make_runtime(narrow, device=CPU, runtime="torch", threads=before + 1)
    seen = []
    first_level = runtime.network.vi_encoder  # type: ignore[attr-defined]
    first_level.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    runtime.run(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16))
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_auto_takes_what_is_there(narrow: MMAUNet, monkeypatch: pytest.MonkeyPatch) -> None:
    for there, native, expected in (
        ({"onnx", "openvino", "onnxruntime"}, True, ("openvino", "bf16")),
        ({"onnx", "openvino"}, False, ("openvino", "fp32")),
        ({"openvino"}, True, ("torch", "bf16")),
        ({"onnx", "onnxruntime"}, False, ("torch", "fp32")),
        (set(), True, ("torch", "bf16")),
    ):
        monkeypatch.setattr(choose, "installed", there.__contains__)
        monkeypatch.setattr(choose, "has_native_bf16", lambda native=native: native)
        assert choose.choose_runtime("auto", CPU, narrow, choose.PAYS_FROM - 1) == "torch"
        runtime = choose.choose_runtime("auto", CPU, narrow, choose.PAYS_FROM)
        assert (runtime, choose.choose_precision("auto", runtime, CPU, narrow)) == expected
    monkeypatch.setattr(choose, "has_native_bf16", lambda: False)
    with pytest.raises(InputError, match="this CPU has no bf16"):
        choose.choose_precision("bf16", "torch", CPU, narrow)
    cuda = torch.device("cuda")
    assert choose.choose_runtime("auto", cuda, narrow, 10**6) == "torch"
    assert choose.choose_precision("auto", "torch", cuda, narrow) == "fp32"
    with pytest.raises(InputError, match="runs on the CPU"):
        choose.choose_runtime("openvino", cuda, narrow)


def test_a_missing_extra_is_named(narrow: MMAUNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.importlib.util, "find_spec", lambda _: None)
    for runtime, extra in (("onnxruntime", "export"), ("openvino", "openvino")):
        with pytest.raises(InputError, match=rf"pip install 'mma-unet\[{extra}\]'"):
            Fuser(narrow, device="cpu", runtime=runtime)
    assert Fuser(narrow, device="cpu").runtime.name == "torch"


def test_bad_wishes_are_one_sentence(narrow: MMAUNet, tmp_path: Path) -> None:
    need("onnxruntime")
    need("openvino")
    (tmp_path / "foreign.onnx").write_bytes(b"nothing")
    (tmp_path / "foreign.xml").write_text("<net/>")
    (tmp_path / "foreign.bin").write_bytes(b"")
    (tmp_path / "lonely.xml").write_text("<net/>")
    export_model(narrow, tmp_path / "good.xml", sizes=1)
    wishes = [
        ({"runtime": "tensorrt"}, "unknown runtime 'tensorrt': use one of auto, torch"),
        ({"precision": "fp4"}, "unknown precision 'fp4'"),
        ({"precision": "int8"}, "int8 needs a calibrated model"),
        ({"runtime": "onnxruntime", "precision": "bf16"}, "onnxruntime has no bf16"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"model": tmp_path / "foreign.onnx"}, "foreign.onnx: not a model that"),
        ({"model": tmp_path / "foreign.xml"}, "foreign.xml: not a model that"),
        ({"model": tmp_path / "lonely.xml"}, "weights lonely.bin are missing"),
        ({"model": tmp_path / "none.onnx"}, "none.onnx does not exist"),
        ({"model": tmp_path / "good.xml", "runtime": "onnxruntime"}, "use --runtime openvino"),
        ({"model": tmp_path / "good.xml", "runtime": "torch"}, "use --runtime openvino"),
    ]
    for wish, message in wishes:
        with pytest.raises(InputError, match=message) as caught:
            Fuser(**{"model": narrow, "device": "cpu", **wish})
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="is an exported file"):
        _ = Fuser(tmp_path / "good.xml", device="cpu").model


def test_bad_exports_are_one_sentence(narrow: MMAUNet, tmp_path: Path) -> None:
    wishes = [
        ("m.onnx", {"format": "tflite"}, "unknown format 'tflite'"),
        ("m.onnx", {"format": "openvino"}, "end its name in .xml"),
        ("m.h5", {}, "end its name in .onnx or .xml or .pt"),
        ("m.onnx", {"precision": "bf16"}, "chosen when the model runs"),
        ("m.pt", {"precision": "int8"}, "not torchscript"),
        ("m.onnx", {"precision": "int8"}, "at least four pairs"),
    ]
    for name, wish, message in wishes:
        with pytest.raises(InputError, match=message):
            export_model(narrow, tmp_path / name, **wish)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        export_model(narrow, tmp_path / "file" / "m.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_weights_file_runs_everywhere(tmp_path: Path, narrow: MMAUNet) -> None:
    need("openvino")
    path = save_model(narrow, tmp_path / "w.safetensors")
    fuser = Fuser(path, device="cpu", runtime="openvino", precision="fp32")
    assert largest_difference(fuser.runtime.run, load_model(path), sizes=2) < TOLERANCE


def test_few_pairs_run_on_torch_and_import_nothing_else(weights: Path, tmp_path: Path) -> None:
    """OpenVINO's second of start is not worth one image; nor is anything else that is not used."""
    ir, vi = make_pairs(tmp_path, ["a"])
    code = f"""
import sys
from mma_unet.cli.main import app
app(["fuse", "{ir}/a.png", "{vi}/a.png", "-o", "{tmp_path}/f.png", "-m", "{weights}"],
    standalone_mode=False)
import mma_unet.benchmark.evaluate
unused = ("openvino", "onnx", "onnxruntime", "kornia", "torchmetrics", "av", "matplotlib", "PIL",
          "huggingface_hub")
print([name for name in unused if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "f.png").stat().st_size


def test_the_first_pair_settles_the_runtime(narrow: MMAUNet) -> None:
    need("openvino")
    image = np.zeros((16, 16), np.uint8)
    fuser = Fuser(narrow, device="cpu")
    fuser(image, image)
    fuser.fuse_batch([(image, image)] * choose.PAYS_FROM)
    assert fuser.runtime.name == "torch"
    assert "runtime='torch'" in repr(fuser)
    many = Fuser(narrow, device="cpu")
    many.expect(choose.PAYS_FROM)
    assert "runtime='openvino'" in repr(many)
    many(image, image)
    assert many.runtime.name == "openvino"


def test_a_network_is_converted_once(
    narrow: MMAUNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("onnx")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[bytes] = []

    def to_onnx(network: MMAUNet) -> bytes:
        made.append(bytes([len(made)]) * 100)
        return made[-1]

    monkeypatch.setattr(convert, "to_onnx", to_onnx)
    first = convert.cached_onnx(narrow)
    assert convert.cached_onnx(narrow) == first
    assert len(made) == 1
    (file,) = (tmp_path / "mma-unet").iterdir()
    other = network(narrow.config)
    with torch.no_grad():
        next(other.parameters()).add_(1e-3)
    assert convert.cached_onnx(other) != first
    file.write_bytes(file.read_bytes()[:-1])  # damaged: made anew
    assert convert.cached_onnx(narrow) == made[-1]
    assert len(made) == 3
    (tmp_path / "file").write_text("")  # a cache that cannot be written is done without
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert convert.cached_onnx(narrow) == made[-1]
    assert len(made) == 4


def test_openvino_reports_to_nobody(tmp_path: Path) -> None:
    """Its import alone writes an identity into the home folder and calls an analytics host."""
    need("openvino")
    code = """
import sys
from mma_unet.inference.runtimes.base import load
assert load("openvino").Core() is not None
print([name for name in sys.modules if name.startswith("openvino_telemetry")])
"""
    environment = {**os.environ, "HOME": str(tmp_path)}
    for mark in ("CI", "TF_BUILD", "GITHUB_ACTIONS"):
        environment.pop(mark, None)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[]"
    assert not list(tmp_path.iterdir())
