"""`mma-unet bench` and `mma-unet export` on the smallest settings."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mma_unet import allocator
from mma_unet.cli.main import app
from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.machine import peak_rates
from mma_unet.models import MMAUNet, MMAUNetConfig, save_model
from mma_unet.speed import latency as speed
from mma_unet.speed import report as speed_report
from mma_unet.speed import worker as speed_worker
from mma_unet.speed.gpu import MODES, no_gpu_reason, speed_up
from tests.conftest import make_pairs


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow")
    return save_model(MMAUNet(MMAUNetConfig(width=4)), folder / "narrow.safetensors")


def in_this_process(wish: dict[str, object]) -> dict[str, object]:
    """Stands in for `run_worker`: the same wish, without a new process."""
    if wish["what"] == "peak":
        return {"peak": peak_rates(size=64, seconds=0)}
    return {"rows": speed_worker.measure(json.loads(json.dumps(wish)))}


def test_bench_measures_resumes_and_reports(
    narrow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def worker(wish: dict[str, object]) -> dict[str, object]:
        asked.append(wish)
        return in_this_process(wish)

    monkeypatch.setattr(speed, "run_worker", worker)
    wanted, skipped = speed.cases([str(narrow)], ["torch"], ["fp32"])
    wanted = [case for case in wanted if case.device == "cpu"]
    assert any(s.what == "GPU: fp8" for s in skipped)
    settings = {"sizes": [(32, 48), (16, 16)], "threads": 1, "seconds": 0.0}
    rows, failed = speed.bench(wanted, tmp_path / "speed.csv", **settings)
    assert (len(rows), failed) == (2, [])
    assert [a["what"] for a in asked] == ["peak", "speed"]
    for row in rows:
        assert 0 < row.best_s <= row.latency_s
        assert row.throughput >= 1 / row.latency_s
        assert row.peak_mb > 50
        assert row.gmacs > 0
        assert row.share == pytest.approx(2 * row.gmacs / row.latency_s / row.peak_gflops)
    again, _ = speed.bench(wanted, tmp_path / "speed.csv", **settings)
    assert len(asked) == 2
    assert [row.latency_s for row in again] == pytest.approx(
        [row.latency_s for row in rows], rel=1e-3
    )
    speed.bench(wanted, tmp_path / "speed.csv", **{**settings, "threads": 2, "sizes": [(16, 16)]})
    assert len(asked) == 4
    assert len(speed.read_rows(tmp_path / "speed.csv")) == 3
    text = speed_report.speed_markdown(rows, skipped, 0.25)
    for part in ("1 thread(s)", "large blocks kept", "torch 2", "GFLOP/s", "| 48x32 |", "fp8"):
        assert part in text


def test_a_case_that_fails_is_reported_and_the_rest_goes_on(
    narrow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worker(wish: dict[str, object]) -> dict[str, object]:
        return {"reason": "out of memory"} if wish["precision"] == "bf16" else in_this_process(wish)

    monkeypatch.setattr(speed, "run_worker", worker)
    wanted = [speed.Case(str(narrow), "torch", p) for p in ("bf16", "fp32")]
    rows, failed = speed.bench(wanted, tmp_path / "s.csv", sizes=[(16, 16)], threads=1, seconds=0.0)
    assert [row.precision for row in rows] == ["fp32"]
    assert failed == [speed.Skipped(f"{narrow} torch bf16", "out of memory")]


def test_what_is_not_installed_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "installed", lambda name: name != "nncf")
    monkeypatch.setattr(speed, "has_native_bf16", lambda: False)
    monkeypatch.setattr(speed, "no_gpu_reason", lambda: "")
    found, skipped = speed.cases(["tiny"])
    assert {(c.runtime, c.precision) for c in found if c.device == "cpu"} == {
        ("torch", "fp32"), ("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("openvino", "fp32"),
    }  # fmt: skip
    assert {c.mode for c in found if c.device == "cuda"} == set(MODES)
    assert {s.what for s in skipped} == {"torch bf16", "openvino bf16", "openvino int8", "GPU: fp8"}
    monkeypatch.setattr(speed, "installed", lambda _: False)
    assert {c.runtime for c in speed.cases(["tiny"])[0]} == {"torch"}
    with pytest.raises(InputError, match="'tensorrt' is unknown"):
        speed.cases(["tiny"], ["tensorrt"])


@pytest.mark.skipif(not no_gpu_reason(), reason="there is a CUDA device here")
def test_gpu_modes_are_refused_on_a_cpu(narrow: Path) -> None:
    assert any(s.reason == no_gpu_reason() for s in speed.cases(["tiny"])[1])
    with pytest.raises(InputError, match="CUDA device"):
        speed_up(Fuser(narrow, runtime="torch"), "graphs")


@pytest.mark.gpu
@pytest.mark.skipif(bool(no_gpu_reason()), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", MODES)
def test_gpu_modes_compute_the_same(narrow: Path, mode: str) -> None:
    pair = speed_worker.synthetic_pair(64, 96)
    fuser = Fuser(narrow, device="cuda")
    expected = fuser(*pair)
    speed_up(fuser, mode)
    for _ in range(3):
        assert abs(fuser(*pair).astype(int) - expected.astype(int)).max() <= 1


def test_the_command_measures_in_processes_of_their_own(narrow: Path, tmp_path: Path) -> None:
    options = ["--runtime", "torch", "--precision", "fp32", "--size", "32x16", "--seconds", "0"]
    arguments = ["bench", "-o", str(tmp_path), "-m", str(narrow), "--threads", "1", *options]
    monkey = pytest.MonkeyPatch()
    monkey.setattr(speed.bench, "__kwdefaults__", {**speed.bench.__kwdefaults__, "peak_size": 64})
    try:
        result = CliRunner().invoke(app, arguments)
    finally:
        monkey.undo()
    assert result.exit_code == 0, result.output
    assert "| 32x16 | torch | fp32 |" in (tmp_path / "speed.md").read_text()
    with (tmp_path / "speed.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 1


def test_scaling_draws_what_it_measured(narrow: Path, tmp_path: Path) -> None:
    arguments = ["bench", "--scaling", "-o", str(tmp_path), "-m", str(narrow), "--threads", "1"]
    arguments += ["--runtime", "torch", "--megapixels", "0.003"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "| 0.00301 | 64x47 |" in result.output
    assert (tmp_path / "scaling.svg").read_text().count("<svg") == 1
    before = (tmp_path / "scaling.csv").read_text()
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (tmp_path / "scaling.csv").read_text() == before


def test_scaling_notes_what_memory_does_not_hold(narrow: Path) -> None:
    wish = {
        "what": "speed", "preset": str(narrow), "runtime": "torch", "precision": "fp32",
        "device": "cpu", "threads": 1, "sizes": [(60000, 60000)], "seconds": 0, "single": True,
        "memory": 6 << 30,
    }  # fmt: skip
    assert speed.run_worker(wish) == {"reason": "out of memory"}


def test_quality_of_a_precision(narrow: Path, tmp_path: Path) -> None:
    from mma_unet.machine import has_native_bf16

    ir, vi = make_pairs(tmp_path / "pairs", ["a", "b"], (64, 64))
    arguments = ["bench", "--quality", "-o", str(tmp_path), "-m", str(narrow), "--runtime", "torch"]
    if not has_native_bf16():
        pytest.skip("this CPU has no bf16")
    result = CliRunner().invoke(app, [*arguments, "--ir", str(ir), "--vi", str(vi)])
    assert result.exit_code == 0, result.output
    assert "torch bf16 |" in result.output
    assert "Means over 2 pairs" in result.output
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, InputError)


def test_export_command(narrow: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    result = CliRunner().invoke(app, ["export", "-m", str(narrow), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert out.is_file()
    assert "over 20 random sizes" in result.output
    refused = CliRunner().invoke(app, ["export", "-o", str(out), "--ir", str(tmp_path)])
    assert isinstance(refused.exception, InputError)


def test_bad_wishes(tmp_path: Path) -> None:
    for options, message in (
        (["--size", "640"], "give WIDTHxHEIGHT"),
        (["--runtime", "trt"], "'trt' is unknown"),
    ):
        result = CliRunner().invoke(app, ["bench", "-o", str(tmp_path), *options])
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)
    (tmp_path / "speed.csv").write_text("a,b\n1,2\n")
    result = CliRunner().invoke(app, ["bench", "-o", str(tmp_path), "--runtime", "torch"])
    assert "was not written by this version" in str(result.exception)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_the_allocator_is_set_by_the_command_and_not_by_the_library() -> None:
    code = (
        "import mma_unet, mma_unet.allocator as a, sys\n"
        "if len(sys.argv) > 1: import mma_unet.inference\n"
        "print(a.allocator_setting())\n"
        "sys.argv = ['mma-unet', '--version']\n"
        "from mma_unet.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(a.allocator_setting())\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC", "GLIBC", "LD_PRE"))}

    def settings(*words: str, **more: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**clean, **more},
            capture_output=True,
            text=True,
        )
        lines = done.stdout.splitlines()
        return [lines[0], lines[-1]]

    assert settings("library") == ["system default", "glibc, large blocks kept"]
    assert settings(MMA_UNET_ALLOCATOR="default") == ["system default", "system default"]
    assert settings(MALLOC_MMAP_THRESHOLD_="1000000000")[0] == "set by the environment"
    assert allocator.allocator_setting()
