"""A narrow network to measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from mma_unet.models import MMAUNet, MMAUNetConfig, save_model


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow")
    return save_model(MMAUNet(MMAUNetConfig(width=4)), folder / "narrow.safetensors")
