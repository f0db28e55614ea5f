"""Latency and throughput: what is measured, kept and reported; `mma-unet bench`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mma_unet.cli.main import app
from mma_unet.errors import InputError
from mma_unet.speed import latency as speed
from mma_unet.speed import report as speed_report
from mma_unet.speed import worker as speed_worker
from mma_unet.speed.gpu import MODES
from mma_unet.speed.peak import peak_rates
from mma_unet.tables import read_rows


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
    assert len(read_rows(tmp_path / "speed.csv")) == 3
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
    assert len(read_rows(tmp_path / "speed.csv")) == 1


def test_bad_wishes(tmp_path: Path) -> None:
    for options, message in (
        (["--size", "640"], "give WIDTHxHEIGHT"),
        (["--runtime", "trt"], "'trt' is not one of"),
    ):
        result = CliRunner().invoke(app, ["bench", "-o", str(tmp_path), *options])
        assert isinstance(result.exception, InputError)
        assert message in str(result.exception)
    (tmp_path / "speed.csv").write_text("a,b\n1,2\n")
    result = CliRunner().invoke(app, ["bench", "-o", str(tmp_path), "--runtime", "torch"])
    assert "was not written by this version" in str(result.exception)
