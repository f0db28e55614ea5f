"""`mma-unet align` and `fuse --align`, as a user runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mma_unet.cli.main import app
from mma_unet.data import read_image, write_image
from mma_unet.data.video import VideoFile
from mma_unet.errors import InputError
from mma_unet.registration import Rig
from mma_unet.registration.geometry import resizing, similarity, warp
from mma_unet.scene import render_scene

SIZE = (180, 240)


def invoke(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, words)))
    if isinstance(result.exception, InputError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """Folders `ir` and `vi` of a rig, and its matrix."""
    root = tmp_path_factory.mktemp("cameras")
    true = similarity(0.9, -4, (120, 90)) @ resizing((120, 160), SIZE)
    for seed in range(3):
        scene = render_scene(*SIZE, seed, supersample=1)
        write_image(root / "ir" / f"{seed}.png", warp(scene.ir, np.linalg.inv(true), (120, 160)))
        write_image(root / "vi" / f"{seed}.png", scene.vi)
    return root, true


def test_calibrate_check_fuse(
    cameras: tuple[Path, np.ndarray], tmp_path: Path, weights: Path
) -> None:
    root, _ = cameras
    rig = tmp_path / "rig.json"
    code, text = invoke("align", "calibrate", root / "ir", root / "vi", "-o", rig)
    assert code == 0, text
    assert "Rig of 3 pairs" in text
    assert len(list((tmp_path / "rig").glob("*.jpg"))) == 3
    code, text = invoke("align", "check", rig, root / "ir", root / "vi")
    assert code == 0, text
    assert "the rig holds" in text

    loaded = Rig.load(rig)
    bumped = np.array([[1.0, 0, 18], [0, 1, 0], [0, 0, 1]]) @ loaded.matrix
    Rig(bumped, loaded.ir_size, loaded.vi_size, "affine", 0.3).save(tmp_path / "old.json")
    code, text = invoke("align", "check", tmp_path / "old.json", root / "ir", root / "vi")
    assert code == 1
    assert "calibrate anew" in text

    fuse = ("fuse", root / "ir", root / "vi", "-m", weights, "--no-progress")
    code, text = invoke(*fuse, "-o", tmp_path / "a", "--align", rig)
    assert code == 0, text
    assert read_image(tmp_path / "a" / "0.png").shape == (*SIZE, 3)
    code, text = invoke(*fuse, "-o", tmp_path / "b", "--align", rig, "--crop", "common")
    assert code == 0, text
    height, width = read_image(tmp_path / "b" / "0.png").shape[:2]
    assert 90 < height < 180
    assert 120 < width < 240


def test_auto_lists_what_it_refuses(
    cameras: tuple[Path, np.ndarray], tmp_path: Path, weights: Path
) -> None:
    root, _ = cameras
    rng = np.random.default_rng(0)
    for kind in ("ir", "vi"):
        write_image(tmp_path / kind / "good.png", read_image(root / kind / "1.png"))
        noise = rng.integers(0, 256, (120, 160), dtype=np.uint8)
        write_image(tmp_path / kind / "noise.png", noise)
    fuse = ("fuse", tmp_path / "ir", tmp_path / "vi", "-o", tmp_path / "o", "-m", weights)
    code, text = invoke(*fuse, "--align", "auto", "--no-progress")
    assert code == 1
    assert "Fused 1 of 2 pairs" in text
    assert "noise.png: the two images could not be aligned" in text
    assert "mma-unet align points" in text
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["good.png"]


def test_points_and_resize(cameras: tuple[Path, np.ndarray], tmp_path: Path, weights: Path) -> None:
    root, true = cameras
    ir, vi = root / "ir" / "0.png", root / "vi" / "0.png"
    lines = ["ir_x,ir_y,vi_x,vi_y"]
    for x, y in ((40, 30), (120, 30), (40, 90), (120, 90)):
        u, v, _ = true @ (x, y, 1)
        lines.append(f"{x},{y},{u:.1f},{v:.1f}")
    (tmp_path / "p.csv").write_text("\n".join(lines))
    code, text = invoke("align", "points", tmp_path / "p.csv", ir, vi, "-o", tmp_path / "r.json")
    assert code == 0, text
    assert "Rig of 4 points, affine" in text
    assert np.abs(Rig.load(tmp_path / "r.json").matrix - true).max() < 0.5
    fuse = ("fuse", ir, vi, "-m", weights, "--no-progress")
    code, text = invoke(*fuse, "-o", tmp_path / "x.png", "--fit", "resize")
    assert code == 0, text
    assert read_image(tmp_path / "x.png").shape == (*SIZE, 3)


def test_a_video_is_aligned_once(
    cameras: tuple[Path, np.ndarray], tmp_path: Path, weights: Path
) -> None:
    root, _ = cameras
    fuse = ("fuse", root / "ir", root / "vi", "-o", tmp_path / "x.mp4", "-m", weights)
    code, text = invoke(*fuse, "--align", "auto", "--no-progress")
    assert code == 0, text
    assert "Aligned by 3 frames" in text
    assert "Fused 3 frames" in text
    with VideoFile(str(tmp_path / "x.mp4")) as video:
        assert next(iter(video)).pixels.shape == (*SIZE, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--align", "auto", "--fit", "resize"], "not both"),
        (["--crop", "common"], "--crop common needs --align"),
        (["--align", "nowhere.json"], "nowhere.json cannot be read"),
        ([], "--align auto, --fit resize"),
    ],
)
def test_bad_words(
    words: list[str], message: str, cameras: tuple[Path, np.ndarray], tmp_path: Path, weights: Path
) -> None:
    files = (cameras[0] / "ir" / "0.png", cameras[0] / "vi" / "0.png")
    code, text = invoke("fuse", *files, "-o", tmp_path / "x.png", "-m", weights, *words)
    assert code == 2
    assert message in text
    assert not (tmp_path / "x.png").exists()


def test_bad_targets(cameras: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folders = (cameras[0] / "ir", cameras[0] / "vi")
    code, text = invoke("align", "calibrate", *folders, "-o", tmp_path / "rig.txt")
    assert (code, text) == (2, f"{tmp_path / 'rig.txt'}: end its name in .json")
