"""What a precision costs in quality."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mma_unet.cli.main import app
from mma_unet.errors import InputError
from mma_unet.inference.quantize import QualityReport
from mma_unet.speed.precision import quality_markdown
from tests.conftest import make_pairs


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


def test_changes_stand_below_the_means_in_fp32() -> None:
    report = QualityReport({"VIF": 0.5, "SSIM": 0.8}, {"VIF": 0.49, "SSIM": 0.8}, 3)
    assert quality_markdown("tiny", {"tiny onnxruntime int8": report}).splitlines() == [
        "|  | VIF | SSIM |",
        "| --- | ---: | ---: |",
        "| tiny torch fp32 | 0.5000 | 0.8000 |",
        "| tiny onnxruntime int8 | -2.00 % | +0.00 % |",
        "",
        "Means over 3 pairs.",
    ]
