"""`mma-unet export` on the smallest settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mma_unet.cli.main import app
from mma_unet.errors import InputError
from mma_unet.models import MMAUNet, MMAUNetConfig, save_model


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow")
    return save_model(MMAUNet(MMAUNetConfig(width=4)), folder / "narrow.safetensors")


def test_export_command(narrow: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    result = CliRunner().invoke(app, ["export", "-m", str(narrow), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert out.is_file()
    assert "over 20 random sizes" in result.output
    refused = CliRunner().invoke(app, ["export", "-o", str(out), "--ir", str(tmp_path)])
    assert isinstance(refused.exception, InputError)
