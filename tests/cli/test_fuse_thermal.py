"""`mma-unet fuse` on the files of thermal cameras, as a user runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mma_unet.data import read_image, write_image
from mma_unet.data.palettes import palette_colors
from mma_unet.scene import render_scene
from tests.command import mma_unet as run
from tests.thermal_files import dji, flir, scene_counts

SCENE = render_scene(96, 128, seed=3, supersample=1)


def test_one_file_that_holds_both(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "FLIR0001.jpg").write_bytes(flir(scene_counts(48, 64), SCENE.vi, field=(1.5, 2, 3)))
    result = run("fuse", tmp_path / "FLIR0001.jpg", "-o", tmp_path / "out.png", "--model", weights)
    assert result.returncode == 0, result.stderr
    assert "Fused 1 of 1 pair" in result.stdout
    assert "FLIR0001.jpg: thermal 64x48 laid over visible 128x96 by the camera's own" in (
        result.stderr
    )
    assert read_image(tmp_path / "out.png").shape == (64, 86, 3)


def test_a_folder_of_such_files(tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_bytes(flir(scene_counts(48, 64), SCENE.vi))
    (folder / "cold.jpg").write_bytes(dji(scene_counts(96, 128)))
    write_image(folder / "plain.png", SCENE.vi)
    result = run("fuse", folder, "-o", tmp_path / "out", "--model", weights)
    assert result.returncode == 1
    assert "Fused 2 of 4 pairs" in result.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.jpg", "b.jpg"]
    assert "cold.jpg holds no visible picture: give the picture of" in result.stderr
    assert "plain.png does not hold both pictures" in result.stderr
    assert result.stderr.count("laid over visible") == 1
    assert "(and 1 more like it)" in result.stderr


def test_rgbt_files(tmp_path: Path, weights: Path) -> None:
    import cv2

    path = tmp_path / "rgbt.png"
    cv2.imwrite(str(path), np.dstack((SCENE.vi[:, :, ::-1], SCENE.ir)))
    one = run("fuse", path, "--ir-channel", 4, "-o", tmp_path / "one.png", "--model", weights)
    assert one.returncode == 0, one.stderr
    write_image(tmp_path / "ir.png", SCENE.ir)
    write_image(tmp_path / "vi.png", SCENE.vi)
    two = run(
        "fuse", tmp_path / "ir.png", tmp_path / "vi.png", "-o", tmp_path / "two.png",
        "--model", weights,
    )  # fmt: skip
    assert two.returncode == 0, two.stderr
    assert two.stderr == ""
    assert np.array_equal(read_image(tmp_path / "one.png"), read_image(tmp_path / "two.png"))


def test_false_color_is_told_and_turned_back(tmp_path: Path, weights: Path) -> None:
    write_image(tmp_path / "ir.png", palette_colors("jet")[SCENE.ir])
    write_image(tmp_path / "vi.png", SCENE.vi)
    pair = (tmp_path / "ir.png", tmp_path / "vi.png")
    told = run("fuse", *pair, "-o", tmp_path / "a.png", "--model", weights)
    assert told.returncode == 0
    assert told.stderr.count("\n") == 1
    assert "ir.png is in false color (palette jet), whose brightness is not heat" in told.stderr
    done = run("fuse", *pair, "-o", tmp_path / "b.png", "--model", weights, "--ir-palette", "auto")
    assert "levels of the palette jet are fused" in done.stderr
    wrong = run("fuse", *pair, "-o", tmp_path / "c.png", "--model", weights, "--ir-palette", "x")
    assert wrong.returncode == 2
    assert "palette 'x' is not known" in wrong.stderr


def test_temperatures(tmp_path: Path, weights: Path) -> None:
    degrees = np.linspace(10, 40, 96 * 128, dtype=np.float32).reshape(96, 128)
    write_image(tmp_path / "map.tif", degrees)
    write_image(tmp_path / "vi.png", SCENE.vi)
    result = run(
        "fuse", tmp_path / "map.tif", tmp_path / "vi.png", "-o", tmp_path / "out.png",
        "--model", weights, "--temperature", "--ir-range", "auto",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "map.tif: 10.0 to 40.0 °C, mean 25.0, median 25.0" in result.stdout


def test_real_file(tmp_path: Path, shared: Path, weights: Path) -> None:
    file = shared / "data" / "thermal" / "flir_b60.jpg"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    result = run("fuse", file, "-o", tmp_path / "out.png", "--model", weights)
    assert result.returncode == 0, result.stderr
    assert read_image(tmp_path / "out.png").shape == (280, 280, 3)


def test_single_files_in_folders_below_and_single_videos(tmp_path: Path, weights: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / "in" / name).mkdir(parents=True)
        data = flir(scene_counts(48, 64), SCENE.vi)
        (tmp_path / "in" / name / "FLIR0001.jpg").write_bytes(data)
    result = run("fuse", tmp_path / "in", "--recursive", "-o", tmp_path / "out", "--model", weights)
    assert result.returncode == 0, result.stderr
    found = sorted(str(p.relative_to(tmp_path / "out")) for p in tmp_path.glob("out/**/*.jpg"))
    assert found == ["x/FLIR0001.jpg", "y/FLIR0001.jpg"]
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"any")
    alone = run("fuse", video, "-o", tmp_path / "o.mp4", "--model", weights)
    assert alone.returncode == 2
    assert "clip.mp4 is a video or holds videos: give the visible one as well" in alone.stderr
