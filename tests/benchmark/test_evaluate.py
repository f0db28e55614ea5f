"""`evaluate`: known answers, partners that are missing, files that are bad."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from mma_unet.benchmark import Scores, evaluate_folder
from mma_unet.benchmark.pool import sensible_workers
from mma_unet.benchmark.wording import score_table
from mma_unet.cli.common import Command
from mma_unet.cli.evaluate import evaluate
from mma_unet.data import read_image, write_image
from mma_unet.data.images import luminance
from mma_unet.errors import InputError
from mma_unet.metrics import score

from .conftest import Folders

LABELS = ("VIF", "SSIM", "PSNR", "Qabf", "Qcb")


def _cli(*arguments: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command(cls=Command)(evaluate)
    result = CliRunner().invoke(app, [str(a) for a in (*arguments, "--no-progress")])
    return result.exit_code, result.stdout, result.stderr


def _expected(folders: Folders, fused: Path, name: str) -> list[float]:
    images = [read_image(f / f"{name}.png") for f in (fused, folders.ir, folders.vi)]
    return list(score(images[0], images[1], images[2]).values())


def test_every_image_gets_the_scores_of_score_in_natural_order(folders: Folders) -> None:
    fused = folders.method("half", 0.5)
    scores = evaluate_folder(folders.ir, folders.vi, fused)
    assert scores.names == ("a", "b", "c2", "c10")
    assert scores.labels == LABELS
    assert scores.problems == ()
    for name, row in zip(scores.names, scores.values, strict=True):
        assert row.tolist() == pytest.approx(_expected(folders, fused, name), rel=1e-12)
    assert scores.mean()["VIF"] == pytest.approx(scores.values[:, 0].mean())
    assert scores.median()["VIF"] == pytest.approx(np.median(scores.values[:, 0]))


def test_fused_equal_to_the_infrared_image_is_half_perfect(folders: Folders) -> None:
    scores = evaluate_folder(folders.ir, folders.vi, folders.ir, suite="ssim,vif")
    assert scores.labels == ("SSIM", "VIF")
    # One source is kept whole (a score of 1), the other, unrelated to it, hardly (about 0).
    np.testing.assert_allclose(scores.values, 0.5, rtol=0, atol=0.05)


def test_color_results_count_by_their_luminance(folders: Folders) -> None:
    plain = evaluate_folder(folders.ir, folders.vi, folders.vi)
    gray = folders.method("gray", 0.0)  # the luminance of the visible images, as gray files
    assert read_image(gray / "a.png").ndim == 2
    as_gray = evaluate_folder(folders.ir, folders.vi, gray)
    np.testing.assert_array_equal(as_gray.values, plain.values)
    assert as_gray.values[0].tolist() == _expected(folders, folders.vi, "a")


def test_luminance_is_exact() -> None:
    colors = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    ours = luminance(colors)
    assert ours.dtype == np.uint8
    thousandths = colors.astype(np.int64) @ [299, 587, 114]
    np.testing.assert_array_equal(ours, (thousandths + 500) // 1000)
    half = np.array([[[0, 0, 250]]], np.uint8)  # 28.5
    assert luminance(half) == 29
    deep = colors.astype(np.uint16) * 257
    np.testing.assert_array_equal(luminance(deep), (thousandths * 257 + 500) // 1000)


def test_sixteen_bits_are_rounded_to_eight(folders: Folders) -> None:
    fused = folders.method("half", 0.5)
    for path in fused.iterdir():
        write_image(folders.root / "deep" / path.name, read_image(path).astype(np.uint16) * 257)
    deep = evaluate_folder(folders.ir, folders.vi, folders.root / "deep")
    np.testing.assert_array_equal(
        deep.values, evaluate_folder(folders.ir, folders.vi, fused).values
    )


def test_names_follow_the_rules_of_the_pairs(folders: Folders) -> None:
    fused = folders.method("half", 0.5)
    for path in list(folders.ir.iterdir()):
        path.rename(path.with_name(f"{path.stem}_ir.png"))
    for path in list(folders.vi.iterdir()):
        path.rename(path.with_name(f"{path.stem}_vi.png"))
    write_image(fused / "a.bmp", read_image(fused / "a.png"))
    (fused / "a.png").unlink()
    scores = evaluate_folder(folders.ir, folders.vi, fused, suite="psnr")
    assert scores.names == ("a", "b", "c2", "c10")


def test_bad_files_are_listed_and_the_rest_is_scored(folders: Folders) -> None:
    fused = folders.method("half", 0.5)
    (fused / "a.png").write_bytes(b"not an image")
    write_image(fused / "b.png", np.zeros((52, 60), np.uint8))
    (fused / "c2.png").unlink()
    write_image(fused / "extra.png", np.zeros((52, 64), np.uint8))
    write_image(folders.ir / "lonely.png", np.zeros((52, 64), np.uint8))
    target = folders.root / "new" / "scores.csv"
    code, out, err = _cli("--ir", folders.ir, "--vi", folders.vi, "--fused", fused, "--csv", target)
    assert code == 1
    assert "1 image" in out
    lines = [line.strip() for line in err.splitlines()]
    assert lines[0] == "5 files could not be scored:"
    assert len(lines) == 6
    for word in ("lonely.png has no partner", "c2.png: no fused", "extra.png: no source",
                 "a.png is not an image", "b.png is 60x52 and"):  # fmt: skip
        assert sum(word in line for line in lines) == 1, word
    assert Scores.from_csv(target).names == ("c10",)


def test_csv_and_json_hold_the_same(folders: Folders) -> None:
    fused = folders.method("half", 0.5)
    write_image(fused / "a.png", np.full((52, 64), 9, np.uint8))
    table, data = folders.root / "s.csv", folders.root / "s.json"
    code, out, _ = _cli("--ir", folders.ir, "--vi", folders.vi, "--fused", fused,
                        "--csv", table, "--json", data)  # fmt: skip
    assert code == 0
    assert "VIF ↑" in out
    scores = Scores.from_csv(table)
    assert table.read_text().splitlines()[0] == "name,VIF,SSIM,PSNR,Qabf,Qcb"
    again = evaluate_folder(folders.ir, folders.vi, fused)
    np.testing.assert_allclose(scores.values, again.values, rtol=1e-12)
    read = json.loads(data.read_text())
    assert read["count"] == 4
    assert read["mean"]["SSIM"] == pytest.approx(scores.mean()["SSIM"])
    # Contrast is not defined for a constant image: left out, and said.
    assert read["images"]["a"]["Qcb"] is None
    assert read["undefined"]["Qcb"] == 1
    assert "1 image" in out
    assert scores.mean()["Qcb"] == pytest.approx(scores.values[1:, 4].mean())


@pytest.mark.slow
def test_workers_give_the_same(folders: Folders) -> None:
    fused = folders.method("half", 0.5)
    one = evaluate_folder(folders.ir, folders.vi, fused)
    two = evaluate_folder(folders.ir, folders.vi, fused, workers=2)
    assert one.names == two.names
    np.testing.assert_allclose(one.values, two.values, rtol=1e-12)


def test_bad_calls_are_one_sentence(folders: Folders) -> None:
    fused = folders.method("half", 0.5)
    with pytest.raises(InputError, match="no suite or metric"):
        evaluate_folder(folders.ir, folders.vi, fused, suite="beauty")
    with pytest.raises(InputError, match="does not exist"):
        evaluate_folder(folders.ir, folders.vi, fused / "nowhere")
    with pytest.raises(InputError, match="at least 1"):
        evaluate_folder(folders.ir, folders.vi, fused, workers=0)
    app = typer.Typer()
    app.command(cls=Command)(evaluate)
    arguments = ["--ir", "x", "--vi", "y", "--fused", "z", "--csv", str(folders.root)]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, InputError)
    assert "is a folder" in str(error)


def test_a_place_that_cannot_be_written_is_refused_before_scoring(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = folders.method("half", 0.5)

    def never(*_: object, **__: object) -> None:
        pytest.fail("it scored")

    monkeypatch.setattr("mma_unet.benchmark.evaluate.score_triples", never)
    app = typer.Typer()
    app.command(cls=Command)(evaluate)
    base = ["--ir", str(folders.ir), "--vi", str(folders.vi), "--fused", str(fused)]
    for option in ("--csv", "--json"):
        for place in (
            folders.root / ("x" * 300),
            fused / "a.png" / "t.csv",
            Path("/proc/no/t.csv"),
        ):
            error = CliRunner().invoke(app, [*base, option, str(place)]).exception
            assert isinstance(error, InputError)
            assert "cannot be written" in str(error)


def test_infinities_keep_their_sign_in_json() -> None:
    scores = Scores(("a",), ("X", "Y", "Z"), np.array([[np.inf, -np.inf, np.nan]]))
    assert scores.to_dict()["mean"] == {"X": "inf", "Y": "-inf", "Z": None}


def test_brackets_and_bytes_in_names_are_shown_as_they_are(folders: Folders) -> None:
    fused = folders.method("half[red]", 0.5)
    for folder in (folders.ir, folders.vi, fused):
        (folder / "a.png").rename(folder / os.fsdecode(b"a\xff.png"))
    table = folders.root / "s.csv"
    code, out, _ = _cli("--ir", folders.ir, "--vi", folders.vi, "--fused", fused,
                        "--suite", "psnr", "--csv", table)  # fmt: skip
    assert code == 0
    assert "half[red]: 4 images" in out
    assert os.fsdecode(b"a\xff") in Scores.from_csv(table).names


def test_few_images_need_one_process() -> None:
    assert sensible_workers(3) == 1
    assert sensible_workers(100_000) >= 1


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "name,VIF\na,x\n", "name,VIF\na\n"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"t\.csv"):
        Scores.from_csv(path)


def test_scores_survive_csv(tmp_path: Path) -> None:
    values = np.array([[1 / 3, np.nan], [np.inf, -2e-17]])
    Scores(('a, "b"', "ü"), ("X", "Y"), values).to_csv(tmp_path / "t.csv")
    read = Scores.from_csv(tmp_path / "t.csv")
    assert read.names == ('a, "b"', "ü")
    np.testing.assert_array_equal(read.values, values)


def test_the_table_points_at_an_ideal_too() -> None:
    labels = ("VIF", "Sky", "Halo", "Qsf", "Nabf_misordered")
    _, rows = score_table(Scores(("a",), labels, np.ones((1, 5))))
    assert [row[0].strip() for row in rows] == ["VIF ↑", "Sky →1", "Halo ↓", "Qsf →0", labels[-1]]


def test_raw_counts_score_as_their_eight_bit_twin_and_one_line_says_so(
    folders: Folders, tmp_path: Path
) -> None:
    fused = folders.method("half", 0.5)
    expected = evaluate_folder(folders.ir, folders.vi, fused, suite="vif,ssim").values
    for kind in ("counts", "degrees"):
        for path in folders.ir.iterdir():
            picture = read_image(path)
            low, high = np.quantile(picture, (0.001, 0.999))
            counts = 7000 + 8 * np.clip(picture, low, high)
            write_image(
                tmp_path / kind / f"{path.stem}.tif",
                counts.astype(np.uint16) if kind == "counts" else (counts / 100).astype(np.float32),
            )
        scores = evaluate_folder(tmp_path / kind, folders.vi, fused, suite="vif,ssim")
        np.testing.assert_allclose(scores.values, expected, rtol=0.1)
        assert len(scores.notes) == 1
        assert "became 0 to 1; each of the 4 is judged by itself" in scores.notes[0]
    status, _, stderr = _cli(tmp_path / "counts", folders.vi, fused, "--suite", "psnr")
    assert status == 0
    assert "a.tif: infrared samples 7" in stderr
