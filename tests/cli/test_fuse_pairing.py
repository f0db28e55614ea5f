"""`mma-unet fuse` and `evaluate` on folders as cameras fill them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mma_unet.cli.main import app
from mma_unet.errors import InputError
from tests.conftest import make_pairs
from tests.videos import colors, write_video


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})


def refusal(*words: object) -> str:
    error = run(*words).exception
    assert isinstance(error, InputError), error
    return str(error)


def _tree(root: Path) -> Path:
    """KAIST's tree with two sequences."""
    for name in ("V000", "V001"):
        for source, kind in zip(make_pairs(root / "made", ["I0", "I1"]), ("lwir", "visible"),
                                strict=True):  # fmt: skip
            (root / "kaist" / "set00" / name).mkdir(parents=True, exist_ok=True)
            source.rename(root / "kaist" / "set00" / name / kind)
    return root / "kaist"


def test_a_tree_below_one_root_and_its_results(tmp_path: Path, weights: Path) -> None:
    root, out = _tree(tmp_path), tmp_path / "out"
    refused = refusal("fuse", root, root, "-o", out, "--model", weights)
    assert refused == f"{root} holds no image, but folders in it do: add --recursive."
    done = run("fuse", root, root, "-o", out, "--model", weights, "--recursive")
    assert done.exit_code == 0, done.stderr
    assert "Fused 4 of 4 pairs" in done.stdout
    assert (out / "set00" / "V001" / "I1.png").is_file()
    scored = run("evaluate", root, root, out, "--recursive", "--suite", "psnr", "--no-progress")
    assert scored.exit_code == 0, scored.stderr
    assert "4 images" in scored.stdout


def test_a_dry_run_shows_the_pairs_and_writes_nothing(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"])
    (ir / "b.png").rename(ir / "b_7.png")
    (vi / "b.png").rename(vi / "b_8.png")
    args = ("fuse", ir, vi, "-o", tmp_path / "out", "--dry-run", "--model", "no-such-weights")
    shown = run(*args)
    assert shown.exit_code == 1
    assert shown.stdout.splitlines() == [
        f"{ir / 'a.png'} + {vi / 'a.png'} -> {tmp_path / 'out' / 'a.png'}",
        "1 pair; nothing was fused (--dry-run)",
    ]
    assert "the nearest, b_8.png, has the number 8 and not 7" in shown.stderr
    assert not (tmp_path / "out").exists()
    whole = run(*args, "--pair", "*_#=*_#+1")
    assert whole.exit_code == 1  # the pattern, and nothing else
    assert f"{ir / 'b_7.png'} + {vi / 'b_8.png'}" in whole.stdout
    assert "is a file" in refusal(*args[:2], vi / "b_8.png", *args[3:])


def test_folders_of_videos(tmp_path: Path, weights: Path) -> None:
    for kind, names in (("ir", ["a_ir.mkv", "b_ir.mp4", "c.mp4"]), ("vi", ["a.mp4", "b.avi"])):
        (tmp_path / kind).mkdir()
        for name in names:
            write_video(tmp_path / kind / name, colors(3), rate=Fraction(5))
    (tmp_path / "ir" / "b_ir.mp4").write_bytes(b"no video")
    args = ("fuse", tmp_path / "ir", tmp_path / "vi", "-o", tmp_path / "out", "-m", weights)
    shown = run(*args, "--dry-run")
    assert len(shown.stdout.splitlines()) == 3
    done = run(*args)
    assert done.exit_code == 1
    assert "Fused 3 frames" in done.stdout
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.mp4"]
    assert "2 could not be fused" in done.stderr
    assert "c.mp4 has no partner" in done.stderr
    assert "b_ir.mp4 is not a video" in done.stderr


@pytest.mark.parametrize("name", ["{}_fused.png", "fused-{}.png", "{}_vi_fusion.png"])
def test_evaluate_finds_results_by_other_names(name: str, tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"])
    (tmp_path / "out").mkdir()
    for stem in ("a", "b"):
        (tmp_path / "out" / name.format(stem)).write_bytes((vi / f"{stem}.png").read_bytes())
    done = run("evaluate", ir, vi, tmp_path / "out", "--suite", "psnr", "--no-progress")
    assert done.exit_code == 0, done.stderr
    assert "2 images" in done.stdout
