"""The `fuse` command, run as a user runs it: exit codes, messages, files left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from mma_unet.data import read_image, write_image
from mma_unet.data.images import read_photo
from mma_unet.data.metadata import Metadata
from tests.command import mma_unet as run
from tests.conftest import make_pairs


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("mma-unet: ")
    return lines[0]


def test_folders_then_a_rerun_then_overwrite(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b", "c"])
    out = tmp_path / "fused"
    args = ("fuse", ir, vi, "-o", out, "--model", weights, "--batch-size", 2)
    first = run(*args)
    assert first.returncode == 0, first.stderr
    assert "Fused 3 of 3 pairs" in first.stdout
    assert sorted(p.name for p in out.iterdir()) == ["a.png", "b.png", "c.png"]
    fused = read_image(out / "a.png")
    assert (fused.shape, fused.dtype) == ((40, 56, 3), np.uint8)
    before = (out / "a.png").stat().st_mtime_ns
    again = run(*args)
    assert "Fused 0 of 3 pairs, 3 done before" in again.stdout
    assert (out / "a.png").stat().st_mtime_ns == before
    assert "Fused 3 of 3" in run(*args, "--overwrite").stdout
    assert (out / "a.png").stat().st_mtime_ns > before


def test_bad_pairs_do_not_stop_the_good_ones(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b", "c", "d"])
    (ir / "b.png").write_bytes(b"not an image")
    write_image(vi / "c.png", np.zeros((8, 9, 3), np.uint8))
    (vi / "d.png").rename(vi / "other.png")
    result = run("fuse", ir, vi, "-o", tmp_path / "o", "--model", weights, "--batch-size", 4)
    assert result.returncode == 1
    assert "Fused 1 of 3 pairs" in result.stdout
    assert [p.name for p in (tmp_path / "o").iterdir()] == ["a.png"]
    assert "4 could not be fused" in result.stderr
    for name in ("b.png", "c.png", "d.png", "other.png"):
        assert name in result.stderr
    assert "Traceback" not in result.stderr


def test_two_files_to_a_file_or_a_folder(tmp_path: Path, weights: Path) -> None:
    make_pairs(tmp_path, ["a"])
    files = (tmp_path / "ir" / "a.png", tmp_path / "vi" / "a.png")
    result = run("fuse", *files, "-o", tmp_path / "x.tif", "--model", weights, "--gray")
    assert result.returncode == 0, result.stderr
    assert read_image(tmp_path / "x.tif").shape == (40, 56)
    run("fuse", *files, "-o", tmp_path / "folder", "--model", weights, "--format", "bmp")
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["a.bmp"]


def test_sixteen_bit_stays_sixteen_bit(tmp_path: Path, weights: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("ir", "vi"):
        image = rng.integers(0, 65536, (24, 24), dtype=np.uint16)
        write_image(tmp_path / kind / "a.png", image)
    result = run("fuse", tmp_path / "ir", tmp_path / "vi", "-o", tmp_path / "o", "-m", weights)
    assert result.returncode == 0, result.stderr
    assert read_image(tmp_path / "o" / "a.png").dtype == np.uint16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "does not exist"),
        ("empty", "no image"),
        ("not_an_image", "not an image"),
        ("sizes", "register or resize"),
        ("model", "unknown model 'huge'"),
        ("checkpoint", "not an MMA-UNet weights file"),
        ("source", "source image"),
        ("format", "--format"),
        ("device", "unknown device"),
        ("nan", "NaN"),
    ],
)
def test_bad_input(change: str, message: str, tmp_path: Path, weights: Path) -> None:
    make_pairs(tmp_path, ["a"])
    ir, vi, out = tmp_path / "ir" / "a.png", tmp_path / "vi" / "a.png", tmp_path / "o" / "x.png"
    extra: list[object] = ["--model", weights]
    if change == "missing":
        ir = tmp_path / "none.png"
    elif change == "empty":
        (tmp_path / "e").mkdir()
        ir, vi = tmp_path / "e", tmp_path / "vi"
    elif change == "not_an_image":
        ir.write_bytes(b"hello")
    elif change == "sizes":
        write_image(ir, np.zeros((9, 9), np.uint8))
    elif change == "model":
        extra = ["--model", "huge"]
    elif change == "checkpoint":
        (tmp_path / "w.ckpt").write_bytes(b"hello")
        extra = ["--model", tmp_path / "w.ckpt"]
    elif change == "source":
        out = vi
    elif change == "format":
        extra += ["--format", "docx"]
    elif change == "device":
        extra += ["--device", "abacus"]
    elif change == "nan":
        ir = tmp_path / "nan.tif"
        import cv2

        cv2.imwrite(str(ir), np.full((40, 56), np.nan, np.float32))
    before = vi.read_bytes() if vi.is_file() else b""
    result = run("fuse", ir, vi, "-o", out, *extra)
    assert result.returncode == 2, (result.stdout, result.stderr)
    assert message in one_line(result)
    assert not (tmp_path / "o").exists()
    assert before == (vi.read_bytes() if vi.is_file() else b"")


def test_a_folder_run_that_cannot_write_stops_before_any_work(
    tmp_path: Path, weights: Path
) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"])
    (tmp_path / "file").write_text("")
    result = run("fuse", ir, vi, "-o", tmp_path / "file" / "out", "--model", weights)
    assert result.returncode == 2
    assert "cannot write" in one_line(result)


def test_source_folders_and_unknown_extensions_are_no_place_for_results(
    tmp_path: Path, weights: Path
) -> None:
    ir, vi = make_pairs(tmp_path, ["a"])
    for out in (ir, vi):
        result = run("fuse", ir, vi, "-o", out, "--model", weights)
        assert result.returncode == 2
        assert "folder of source images" in one_line(result)
    result = run("fuse", ir / "a.png", vi / "a.png", "-o", tmp_path / "x.gif", "--model", weights)
    assert result.returncode == 2
    assert "end its name in" in one_line(result)


def test_an_empty_output_file_is_not_done(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a"])
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "a.png").touch()
    result = run("fuse", ir, vi, "-o", tmp_path / "o", "--model", weights)
    assert "Fused 1 of 1" in result.stdout
    assert read_image(tmp_path / "o" / "a.png").shape == (40, 56, 3)


def test_no_write_permission(tmp_path: Path, weights: Path) -> None:
    """A file where the folder should be: what a folder without permission gives to root, too."""
    make_pairs(tmp_path, ["a"])
    (tmp_path / "file").write_text("")
    result = run(
        "fuse", tmp_path / "ir/a.png", tmp_path / "vi/a.png",
        "-o", tmp_path / "file" / "x.png", "--model", weights,
    )  # fmt: skip
    assert result.returncode == 2
    assert "file" in one_line(result)


def test_the_library_imports_nothing_heavy_and_says_nothing() -> None:
    code = "import mma_unet, sys; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
    assert result.stderr == ""


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("mma-unet 0.")
    for command in ("fuse", "train", "models", "demo", "data"):
        assert command in run("--help").stdout


def test_the_style_changes_the_picture_and_needs_a_thermal_end(tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a"])
    for style in (0, 1):
        out = tmp_path / f"{style}.png"
        done = run("fuse", ir / "a.png", vi / "a.png", "-o", out, "--model", "tiny",
                   "--style", style)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert (read_image(tmp_path / "0.png") != read_image(tmp_path / "1.png")).any()
    refused = run("fuse", ir / "a.png", vi / "a.png", "-o", tmp_path / "x.png", "--model",
                  "tiny-metric", "--style", 0.5)  # fmt: skip
    assert refused.returncode != 0
    assert "has no thermal end" in one_line(refused)
    assert not (tmp_path / "x.png").exists()


def raw_pairs(root: Path, names: list[str]) -> tuple[Path, Path]:
    """Pairs whose infrared images are 14-bit counts."""
    ir, vi = make_pairs(root, names)
    for path in ir.iterdir():
        counts = 7000 + 8 * read_image(path).astype(np.uint16)
        path.unlink()
        write_image(path.with_suffix(".tif"), counts)
    return ir, vi


def test_raw_counts_fuse_without_an_option_and_one_line_says_so(
    tmp_path: Path, weights: Path
) -> None:
    ir, vi = raw_pairs(tmp_path, ["a", "b", "c"])
    args = ("fuse", ir, vi, "--model", weights, "--no-progress")
    result = run(*args, "-o", tmp_path / "o")
    assert result.returncode == 0, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert re.fullmatch(
        r".*a\.tif: infrared samples 7\d+ to 8\d+ became 0 to 1 \(and 2 more like it\)", lines[0]
    )
    full = run(*args, "-o", tmp_path / "f", "--ir-range", "full")
    assert not full.stderr
    assert (read_image(tmp_path / "o/a.png") != read_image(tmp_path / "f/a.png")).any()


def test_one_range_and_one_mask_for_a_folder(tmp_path: Path, weights: Path) -> None:
    ir, vi = raw_pairs(tmp_path, ["a", "b"])
    mask = np.full((40, 56), 255, np.uint8)
    mask[:10] = 0
    write_image(tmp_path / "mask.png", mask)
    args = ("fuse", ir, vi, "--model", weights, "--valid", tmp_path / "mask.png")
    for out, spec in (("frames", "0:0"), ("file", ir / "a.tif")):
        result = run(*args, "-o", tmp_path / out, "--range-from", spec)
        assert result.returncode == 0, result.stderr
    for name in ("a.png", "b.png"):
        one, other = (read_image(tmp_path / out / name) for out in ("frames", "file"))
        assert one.tobytes() == other.tobytes()
        assert (one[:10] == read_image(vi / name)[:10]).all()
    bad = run(*args, "-o", tmp_path / "x", "--range-from", "3:4")
    assert bad.returncode == 2
    assert "has not so many frames as 3:4 names: count them from 0" in one_line(bad)


def test_pages_and_metadata_on_the_command_line(tmp_path: Path, weights: Path) -> None:
    ir, vi = (folder / "a.png" for folder in make_pairs(tmp_path, ["a"]))
    stack = np.stack([read_image(ir), 255 - read_image(ir)])
    tifffile.imwrite(tmp_path / "ir.tif", stack, photometric="minisblack")
    write_image(tmp_path / "vi.jpg", read_image(vi), metadata=Metadata(dpi=(300, 300)))
    sources = (tmp_path / "ir.tif", tmp_path / "vi.jpg", "--model", weights)
    results = {}
    for name, options in (("one", ()), ("two", ("--page", 2)), ("bare", ("--strip",))):
        out = tmp_path / f"{name}.jpg"
        result = run("fuse", *sources, "-o", out, *options)
        assert result.returncode == 0, result.stderr
        note = f"{tmp_path / 'ir.tif'} has 2 pages: the first is used; --page N takes another."
        assert (note in result.stderr) is (name != "two")
        results[name] = read_photo(out)
    assert results["one"].metadata.dpi == results["two"].metadata.dpi == (300, 300)
    assert not results["bare"].metadata
    assert not np.array_equal(results["one"].pixels, results["two"].pixels)
    np.testing.assert_array_equal(results["one"].pixels, results["bare"].pixels)
    result = run("fuse", *sources, "-o", tmp_path / "none.jpg", "--page", 3)
    assert result.returncode == 2
    assert one_line(result).endswith("ir.tif has 2 pages: there is no page 3.")
