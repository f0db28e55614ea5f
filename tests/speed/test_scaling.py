"""Time and memory against the number of pixels."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from mma_unet.cli.main import app
from mma_unet.speed import latency as speed


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
