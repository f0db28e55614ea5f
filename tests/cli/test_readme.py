"""The commands of README.md: each is understood, and those that fuse and score are run."""

from __future__ import annotations

import re
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.main import get_command

from mma_unet.cli.main import app
from mma_unet.data import write_image
from mma_unet.registration import from_points
from tests.cli.test_fuse_pairing import run
from tests.conftest import make_pairs
from tests.thermal_files import flir, scene_counts
from tests.videos import colors, write_video

README = Path(__file__).resolve().parents[2] / "README.md"
LINES = [
    line.partition(" #")[0].strip()
    for _, block in re.findall(
        r"^```(\w*)\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S
    )
    for line in block.splitlines()
    if line.startswith("mma-unet ")
]
RUN = [line for line in LINES if line.split()[1] in ("fuse", "evaluate")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that these lines name."""
    make_pairs(tmp_path, ["a", "b"])
    make_pairs(tmp_path / "bucket", ["a", "b"])
    make_pairs(tmp_path / "fused", ["a", "b"])
    for name in ("a", "b"):
        (tmp_path / "fused" / "vi" / f"{name}.png").rename(tmp_path / "fused" / f"{name}.png")
        counts = np.arange(40 * 56, dtype=np.uint16).reshape(40, 56) + 20000
        write_image(tmp_path / "ir16" / f"{name}.png", counts)
    for kind in ("ir", "vi"):
        image = cv2.imread(str(tmp_path / kind / "a.png"))
        for ending in ("png", "tif"):
            cv2.imwrite(str(tmp_path / f"{kind}.{ending}"), image)
        write_video(tmp_path / f"{kind}.mp4", colors(3), rate=Fraction(5), sound=kind == "vi")
    photo = np.random.default_rng(0).integers(0, 256, (72, 96, 3), np.uint8)
    radiometric = flir(scene_counts(48, 64), photo, field=(1.5, 2, 3))
    (tmp_path / "FLIR_0042.jpg").write_bytes(radiometric)
    corners = np.array([[0, 0, 0, 0], [55, 0, 55, 0], [0, 39, 0, 39]])
    from_points(corners, (40, 56), (40, 56)).save(tmp_path / "rig.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_lines() -> None:
    assert len(LINES) > 15
    assert any("s3://" in line for line in RUN)


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_understood(line: str) -> None:
    command: Any = get_command(app)
    words = shlex.split(line)[1:]
    context = None
    while hasattr(command, "resolve_command"):
        context = command.make_context("mma-unet", list(words), parent=context)
        _, command, words = command.resolve_command(context, words)
    command.make_context("mma-unet", list(words), parent=context)


@pytest.mark.parametrize(
    "line", [pytest.param(x, marks=pytest.mark.slow) if "ray" in x else x for x in RUN]
)
def test_a_line_runs(line: str, here: Path) -> None:
    """`s3://` by a folder: tests/cli/test_urls.py has the store itself."""
    words = shlex.split(line.replace("s3://", f"local://{here}/"))[1:]
    overwrite = ["--overwrite"] if words[0] == "fuse" else []
    done = run(*words, *overwrite)
    assert done.exit_code == 0, (done.output, done.exception)
    if "--dry-run" in words:
        return
    out = Path(words[words.index("-o") + 1].removeprefix("local://"))
    assert out.is_file() or len(list(out.glob("[ab].*"))) >= 2
