"""Nothing of this package calls anybody unless it is asked to: see tests/offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.conftest import make_pairs

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]

_RUN = """
import json, sys
from mma_unet.cli.main import app
for words in json.loads(sys.argv[1]):
    try:
        app(words, standalone_mode=False)
    except SystemExit as stop:
        assert not stop.code, (words, stop.code)
"""


def calls(code: str, tmp_path: Path, *words: str) -> tuple[str, list[str]]:
    """Who was called, and what was written into the home folder, while `code` ran."""
    home, log = tmp_path / "home", tmp_path / "calls"
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": str(home), "MMA_UNET_CALLS": str(log)}
    for mark in ("CI", "TF_BUILD", "GITHUB_ACTIONS"):  # telemetry is silent where these are set
        environment.pop(mark, None)
    paths = (ROOT / "tests" / "offline", ROOT / "src")
    environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    written = [str(p.relative_to(home)) for p in home.rglob("*")]
    return log.read_text() if log.exists() else "", written


def commands(tmp_path: Path, words: list[str]) -> tuple[str, list[str]]:
    """The same for commands, a line each, run in `tmp_path` one after the other."""
    lines = [line.format(t=tmp_path).split() for line in words]
    return calls(_RUN, tmp_path, json.dumps(lines))


def need(*modules: str) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


@pytest.fixture
def here(tmp_path: Path, weights: Path) -> Path:
    make_pairs(tmp_path, list("abcdef"), (48, 64))
    (tmp_path / "w.safetensors").write_bytes(weights.read_bytes())
    return tmp_path


def test_this_would_be_seen(tmp_path: Path) -> None:
    """The import of OpenVINO by itself is what these tests are about: it must show here."""
    need("openvino", "openvino_telemetry")
    called, written = calls("import openvino, time; time.sleep(1)", tmp_path)
    assert "analytics" in called
    assert written


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
def test_fusing(runtime: str, here: Path) -> None:
    need(*{"torch": [], "onnxruntime": ["onnx", "onnxruntime"], "openvino": ["openvino"]}[runtime])
    fuse = "fuse {t}/ir {t}/vi -o {t}/out -m {t}/w.safetensors --no-progress --overwrite --runtime "
    assert commands(here, [fuse + runtime]) == ("", [])


def test_exporting_and_fusing_with_the_files(here: Path) -> None:
    need("onnx", "onnxruntime", "openvino")
    assert commands(here, [
        "export -m {t}/w.safetensors -o {t}/w.onnx",
        "export -m {t}/w.safetensors -o {t}/w.xml",
        "export -m {t}/w.safetensors -o {t}/w.pt",
        "fuse {t}/ir {t}/vi -o {t}/o1 -m {t}/w.onnx --no-progress",
        "fuse {t}/ir {t}/vi -o {t}/o2 -m {t}/w.xml --no-progress",
    ]) == ("", [])  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["onnx", "xml"])
def test_quantizing(ending: str, here: Path) -> None:
    need("onnx", "onnxruntime", "openvino", *(["nncf"] if ending == "xml" else []))
    assert commands(here, [
        "export -m {t}/w.safetensors -o {t}/q." + ending + " --precision int8 --ir {t}/ir --vi "
        "{t}/vi --max-loss 1e9",
        "fuse {t}/ir {t}/vi -o {t}/out -m {t}/q." + ending + " --no-progress",
    ]) == ("", [])  # fmt: skip


def test_what_needs_no_extra(here: Path) -> None:
    assert commands(here, [
        "models", "data list", "data render -o {t}/scene -n 1",
        "fuse {t}/ir {t}/vi -o {t}/o.mp4 -m {t}/w.safetensors --no-progress",
        "evaluate {t}/ir {t}/vi {t}/vi --suite psnr --no-progress --workers 1",
        "study A={t}/vi B={t}/ir --ir {t}/ir --vi {t}/vi -o {t}/study",
    ]) == ("", [])  # fmt: skip


@pytest.mark.slow
def test_reports(here: Path) -> None:
    need("matplotlib", "jinja2", "kornia")
    called, written = commands(here, [
        "compare {t}/ir {t}/vi --results A={t}/vi --suite psnr --out {t}/report --workers 1",
        "analyze features {t}/ir/a.png {t}/vi/a.png -m {t}/w.safetensors -o {t}/sheet.png",
    ])  # fmt: skip
    assert called == ""
    assert all("matplotlib" in name or name in (".cache", ".config") for name in written)


@pytest.mark.slow
def test_training(here: Path) -> None:
    need("lightning", "tensorboard", "kornia")
    for split in ("train", "val"):
        for kind in ("ir", "vi"):
            target = here / "data" / "msrs" / split / kind
            target.mkdir(parents=True)
            for name in "abc":
                (target / f"{name}.png").write_bytes((here / kind / f"{name}.png").read_bytes())
    stage = {"epochs": 1, "lr": 1e-3}
    data = {"root": str(here / "data"), "train": ["msrs/train"], "val": ["msrs/val"], "crop": 32,
            "val_crop": 32, "batch_size": 2}  # fmt: skip
    recipe = {"name": "toy", "model": {"preset": "tiny", "width": 2}, "data": data, "vi": stage,
              "ir": stage, "fusion": stage, "precision": "32-true"}  # fmt: skip
    (here / "toy.yaml").write_text(yaml.safe_dump(recipe))
    words = "train --config {t}/toy.yaml --out {t}/run --accelerator cpu --no-progress"
    assert commands(here, [words])[0] == ""


@pytest.mark.slow
def test_many_processes(here: Path) -> None:
    need("ray")
    fuse = "fuse {t}/ir {t}/vi -o {t}/out -m {t}/w.safetensors --no-progress --engine ray"
    assert commands(here, [fuse + " --workers 1"])[0] == ""
