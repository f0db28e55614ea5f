"""`compare`: common subset, resumption, models, and the report it writes."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

import mma_unet
from mma_unet.benchmark import Comparison, compare, write_report
from mma_unet.benchmark import cache as cache_module
from mma_unet.benchmark import pool as pool_module
from mma_unet.benchmark.cache import FUSING, SCORING
from mma_unet.benchmark.methods import parse_named
from mma_unet.benchmark.pictures import pick_evenly, pick_windows
from mma_unet.benchmark.triples import Triple, load
from mma_unet.benchmark.wording import findings, notices, number
from mma_unet.cli.common import Command
from mma_unet.cli.compare import compare as command
from mma_unet.data import find_pairs, read_image, write_image
from mma_unet.data.images import luminance
from mma_unet.errors import InputError
from mma_unet.pyramid import pyramid_fusion

from .conftest import Folders


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that were really scored, in order."""
    calls: list[str] = []
    real = pool_module._score

    def spy(index, triple, suite, stretch):  # type: ignore[no-untyped-def]
        calls.append(triple.name)
        return real(index, triple, suite, stretch)

    monkeypatch.setattr(pool_module, "_score", spy)
    return calls


def _compare(folders: Folders, out: Path, **options: object) -> Comparison:
    results = {
        "even": folders.method("even", 0.5, noise=2),
        "thermal": folders.method("thermal", 0.8),
    }
    return compare(folders.ir, folders.vi, results, out, suite="psnr,ssim", **options)  # type: ignore[arg-type]


def test_baselines_always_take_part(folders: Folders, tmp_path: Path) -> None:
    result = _compare(folders, tmp_path / "out")
    assert [m.name for m in result.methods] == ["even", "thermal", "average", "maximum", "pyramid"]
    assert result.values.shape == (5, 4, 2)
    assert result.names == ("a", "b", "c2", "c10")
    assert notices(result) == ["4 images are too few for the intervals to be trusted."]
    summary = result.summary()
    assert result.methods[summary.order[0]].name == "average"  # nothing beats its PSNR


def test_the_pyramid_is_that_of_the_library_rounded_to_eight_bits(folders: Folders) -> None:
    (pair,) = (p for p in find_pairs(folders.ir, folders.vi).pairs if p.name == "a")
    fused, ir, vi = load(Triple("a", pair.ir, pair.vi, "pyramid"))
    assert vi.ndim == 3  # of which the luminance takes part
    planes = [torch.from_numpy(x / np.float32(255))[None, None] for x in (ir, luminance(vi))]
    exact = pyramid_fusion(planes[0], planes[1])[0, 0].numpy()
    assert fused.dtype == np.uint8
    np.testing.assert_array_equal(fused, np.floor(exact * 255 + 0.5))
    assert len(np.unique(fused)) > 50


def test_a_method_that_lacks_images_shrinks_the_common_subset(
    folders: Folders, tmp_path: Path
) -> None:
    results = {
        "full": folders.method("full", 0.5),
        "part": folders.method("part", 0.4, only="a c2"),
        "bad": folders.method("bad", 0.3),
    }
    (results["bad"] / "a.png").write_bytes(b"")
    result = compare(folders.ir, folders.vi, results, tmp_path / "out", suite="psnr")
    assert result.names == ("c2",)
    assert result.lacking == {"part": ["b", "c10"], "bad": ["a"]}
    page = write_report(result, tmp_path / "out").read_text(encoding="utf-8")
    for text in (page, (tmp_path / "out" / "report.md").read_text(encoding="utf-8")):
        assert "Only 1 of 4 pairs are compared" in text
        assert "part lacks 2 images: b and c10." in text
        assert "bad lacks 1 image: a." in text
        assert "a.png is an empty file" in text


def test_files_beyond_the_pairs_are_remarked(folders: Folders, tmp_path: Path) -> None:
    even = folders.method("even", 0.5)
    write_image(even / "other.png", np.zeros((52, 64), np.uint8))
    write_image(folders.ir / "lonely.png", np.zeros((52, 64), np.uint8))
    result = compare(folders.ir, folders.vi, {"even": even}, tmp_path / "out", suite="psnr")
    assert len(result.names) == 4
    assert result.problems == ()
    assert any("lonely.png has no partner" in line for line in notices(result))
    assert any(line.startswith("even: 1 more in") for line in notices(result))


def test_a_metric_that_some_output_lacks_is_reckoned_without_that_image(
    folders: Folders, tmp_path: Path
) -> None:
    even, flat = folders.method("even", 0.5), folders.method("flat", 0.4)
    write_image(flat / "a.png", np.full((52, 64), 9, np.uint8))
    write_image(even / "b.png", read_image(folders.ir / "b.png"))
    write_image(folders.vi / "b.png", read_image(folders.ir / "b.png"))  # a PSNR without bound
    result = compare(
        folders.ir, folders.vi, {"even": even, "flat": flat}, tmp_path / "out",
        suite="psnr,qcb", stretch=True,
    )  # fmt: skip
    assert result.summary().images == [4, 3]
    lines = notices(result)
    left_out = "all methods: Qcb over 3 of 4 images (undefined for flat 1)."
    assert sum(line.endswith(left_out) for line in lines) == 2  # plain and stretched
    assert sum(line.startswith("After stretching: An image") for line in lines) == 1
    boundless = "PSNR: infinite for some image of even, average, maximum and pyramid, so"
    assert any(line.startswith(boundless) for line in lines)
    assert findings(result, result.summary())[1].startswith(
        "PSNR: even, average, maximum and pyramid share the best mean, ∞"
    )
    page = write_report(result, tmp_path / "out", limit_images=0).read_text(encoding="utf-8")
    assert 'data-value="Infinity"' in page
    assert 'data-value="inf"' not in page
    assert 'data-value="nan"' not in page
    assert '<span class="range">3 of 4</span>' in page
    with (tmp_path / "out" / "summary.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "Qcb"]
    assert {row["images"] for row in rows} == {"3"}


def test_a_method_without_any_value_has_no_rank_in_that_metric(
    folders: Folders, tmp_path: Path
) -> None:
    flat = folders.method("flat", 0.4)
    for path in flat.iterdir():
        write_image(path, np.full((52, 64), 9, np.uint8))
    even = folders.method("even", 0.7)
    result = compare(folders.ir, folders.vi, {"even": even, "flat": flat}, tmp_path / "o",
                     suite="psnr,qcb")  # fmt: skip
    rank = result.summary().rank
    assert np.isnan(rank[1, 1])
    assert sorted(rank[[0, 2, 3, 4], 1]) == [1, 2, 3, 4]
    assert result.summary().images == [4, 4]
    assert any(
        line.startswith("Qcb: undefined for every image of flat") for line in notices(result)
    )


def test_nothing_in_common_is_an_error(folders: Folders, tmp_path: Path) -> None:
    results = {
        "one": folders.method("one", 0.5, only="a"),
        "other": folders.method("other", 0.5, only="b"),
    }
    with pytest.raises(InputError, match="no image is there for every method"):
        compare(folders.ir, folders.vi, results, tmp_path / "out")


def test_a_second_run_scores_only_what_has_changed(
    folders: Folders, tmp_path: Path, scored: list[str]
) -> None:
    out = tmp_path / "out"
    results = {"even": folders.method("even", 0.5), "thermal": folders.method("thermal", 0.8)}
    first = compare(folders.ir, folders.vi, results, out, suite="psnr")
    assert len(scored) == 20
    scored.clear()
    again = compare(folders.ir, folders.vi, results, out, suite="psnr")
    assert scored == []
    np.testing.assert_array_equal(first.values, again.values)

    changed = results["even"] / "b.png"
    write_image(changed, 255 - read_image(changed))
    os.utime(changed, ns=(1, 1))
    third = compare(folders.ir, folders.vi, results, out, suite="psnr")
    assert scored == ["b"]
    assert third.values[0, 1, 0] != first.values[0, 1, 0]

    scored.clear()
    compare(folders.ir, folders.vi, results, out, suite="ssim")
    assert len(scored) == 20


def test_an_interrupted_run_keeps_what_was_done(
    folders: Folders, tmp_path: Path, scored: list[str]
) -> None:
    results = {"even": folders.method("even", 0.5)}

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "Scoring even" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(folders.ir, folders.vi, results, tmp_path / "o", suite="psnr", progress=interrupt)
    assert scored == ["a", "b", "c2"]
    scored.clear()
    compare(folders.ir, folders.vi, results, tmp_path / "o", suite="psnr")
    assert scored[0] == "c10"
    assert len(scored) == 13  # one of the method, twelve of the baselines


def test_scores_of_images_outside_the_common_subset_are_kept(
    folders: Folders, tmp_path: Path, scored: list[str]
) -> None:
    both = folders.ir, folders.vi
    even, part = folders.method("even", 0.5), folders.method("part", 0.4, only="a b")
    compare(*both, {"even": even}, tmp_path / "o", suite="psnr")
    compare(*both, {"even": even, "part": part}, tmp_path / "o", suite="psnr")
    scored.clear()
    compare(*both, {"even": even}, tmp_path / "o", suite="psnr")
    assert scored == []


def test_plain_and_stretched_scores_never_meet(folders: Folders, tmp_path: Path) -> None:
    dull = folders.method("dull", 0.5)
    for path in dull.iterdir():
        write_image(path, read_image(path) // 2)
    both = folders.ir, folders.vi
    first = compare(*both, {"x": dull}, tmp_path / "o", suite="psnr", stretch=True)
    second = compare(*both, {"x.stretched": dull, "stretched": dull}, tmp_path / "o",
                     suite="psnr")  # fmt: skip
    assert first.stretched is not None
    assert (first.values[0] != first.stretched[0]).all()
    np.testing.assert_array_equal(second.values[0], first.values[0])
    np.testing.assert_array_equal(second.values[1], first.values[0])
    cache = tmp_path / "o" / "cache"
    shutil.copy(cache / "stretched" / "x.csv", cache / "x.csv")  # the stamps tell them apart
    again = compare(*both, {"x": dull}, tmp_path / "o", suite="psnr")
    np.testing.assert_array_equal(again.values[0], first.values[0])


def test_mended_code_scores_and_fuses_again(
    folders: Folders,
    tmp_path: Path,
    scored: list[str],
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run() -> int:
        compare(folders.ir, folders.vi, {}, tmp_path / "o", models={"ours": str(weights)},
                suite="psnr")  # fmt: skip
        return (tmp_path / "o" / "fused" / "ours" / "a.png").stat().st_mtime_ns

    fused = run()
    assert len(scored) == 16
    scored.clear()
    assert run() == fused
    assert scored == []
    real, source = cache_module._sources, tmp_path / "mended.py"
    source.write_text("new")

    def mended(parts):  # type: ignore[no-untyped-def]
        return {"mended": source} if parts == which else real(parts)

    monkeypatch.setattr(cache_module, "_sources", mended)
    which = SCORING
    assert run() == fused
    assert len(scored) == 16
    scored.clear()
    which = FUSING
    assert run() != fused


def test_the_stamps_cover_the_code_that_makes_the_numbers() -> None:
    scoring, fusing = (set(cache_module._sources(which)) for which in (SCORING, FUSING))
    room = "mma_unet."
    for name in ("metrics.vif", "metrics.natural", "benchmark.triples", "pyramid", "data.images"):
        assert room + name in scoring
    for name in ("inference.fuser", "models.weights", "data.images", "files"):
        assert room + name in fusing
    # A mended runtime: its import stands in a function.
    assert room + "inference.runtimes.with_openvino" in fusing
    assert not any(name.startswith(room + "inference") for name in scoring)
    # What fuses does not score; what exports, streams or spreads work fuses no file here.
    others = ("metrics", "benchmark", "training", "inference.quantize", "inference.ray_engine")
    assert not any(name.startswith(tuple(room + other for other in others)) for name in fusing)


@pytest.mark.parametrize(
    ("touched", "scores", "fuses"),
    [
        ("inference/runtimes/with_openvino.py", False, True),  # its import stands in a function
        ("models/fold.py", False, True),
        ("metrics/_filters.py", True, False),
        ("data/images.py", True, True),
        ("cli/main.py", False, False),
    ],
)
def test_a_touched_file_changes_the_stamps_that_rest_on_it(
    touched: str, scores: bool, fuses: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(mma_unet.__file__).parent
    for file in package.rglob("*.py"):
        copy = tmp_path / file.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    monkeypatch.setattr(mma_unet, "__file__", str(tmp_path / "__init__.py"))
    before = [cache_module.code_stamp(*which) for which in (SCORING, FUSING)]
    with (tmp_path / touched).open("a") as file:
        file.write("# mended\n")
    after = [cache_module.code_stamp(*which) for which in (SCORING, FUSING)]
    assert [one != other for one, other in zip(before, after, strict=True)] == [scores, fuses]


@pytest.mark.parametrize("with_model", [False, True])
def test_a_bad_source_is_a_problem_and_nobody_lacks_it(
    folders: Folders, tmp_path: Path, weights: Path, with_model: bool
) -> None:
    even = folders.method("even", 0.5)
    (folders.vi / "b.png").write_bytes(b"")
    models = {"ours": str(weights)} if with_model else {}
    result = compare(folders.ir, folders.vi, {"even": even}, tmp_path / "o", models=models,
                     suite="psnr")  # fmt: skip
    assert result.names == ("a", "c2", "c10")
    assert result.lacking == {}
    (problem,) = result.problems
    assert "b.png is an empty file" in problem


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("out of luck\nat x"), OSError(5, "I")]
)
def test_whatever_fails_is_one_sentence_about_its_file(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    even = folders.method("even", 0.5)
    real = pool_module.load

    def load(triple):  # type: ignore[no-untyped-def]
        if triple.fused == even / "a.png":
            raise error
        return real(triple)

    monkeypatch.setattr(pool_module, "load", load)
    result = compare(folders.ir, folders.vi, {"even": even}, tmp_path / "o", suite="psnr")
    assert result.lacking == {"even": ["a"]}
    (problem,) = result.problems
    assert problem.startswith(f"{even / 'a.png'} could not be scored (")
    assert "\n" not in problem


def test_a_baselines_name_is_refused(folders: Folders, tmp_path: Path) -> None:
    even = folders.method("even", 0.5)
    for names in ({"average": even}, {"a/b": even}):
        with pytest.raises(InputError, match=r"a baseline|cannot name a file"):
            compare(folders.ir, folders.vi, names, tmp_path / "o")


def test_the_images_to_show_can_be_named(folders: Folders, tmp_path: Path) -> None:
    results = {"even": folders.method("even", 0.5, only="a b c2")}
    both = folders.ir, folders.vi
    result = compare(*both, results, tmp_path / "o", suite="psnr", show=["c2", "a"])
    page = write_report(result, tmp_path / "o", limit_images=1).read_text(encoding="utf-8")
    assert re.findall(r"<h3>(\w+) ", page) == ["c2", "a"]
    assert "chosen by name" in page
    assert "even steps" not in page
    with pytest.raises(InputError, match="no pair is named zebra, so it cannot be shown"):
        compare(*both, results, tmp_path / "o", suite="psnr", show=["a", "zebra"])
    with pytest.raises(InputError, match="not every method has c10, so"):
        compare(*both, results, tmp_path / "o", suite="psnr", show=["c10"])


def test_strange_names_do_no_harm(folders: Folders, tmp_path: Path) -> None:
    for folder in (folders.ir, folders.vi):
        (folder / "a.png").rename(folder / os.fsdecode(b"a\xff$^.png"))
    even = folders.method("x[bold]$y^", 0.5)
    out = tmp_path / "out[red]"
    both = ("--ir", folders.ir, "--vi", folders.vi, "--suite", "psnr")
    for _ in range(2):
        done = _run(*both, "--results", even, "--out", out)
        assert done.exit_code == 0, done.output  # type: ignore[attr-defined]
        assert "x[bold]$y^" in done.stdout  # type: ignore[attr-defined]
        assert "out[red]" in done.stdout  # type: ignore[attr-defined]
    assert "x[bold]$y^" in (out / "report.html").read_text(encoding="utf-8")
    assert b"a\xff$^" in (out / "scores.csv").read_bytes()


def test_our_own_weights_take_part(folders: Folders, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "out"
    models = {"ours": str(weights)}
    result = compare(folders.ir, folders.vi, {}, out, models=models, suite="psnr")
    assert [m.name for m in result.methods] == ["ours", "average", "maximum", "pyramid"]
    fused = out / "fused" / "ours" / "a.png"
    assert read_image(fused).shape == (52, 64)
    before = fused.stat().st_mtime_ns
    compare(folders.ir, folders.vi, {}, out, models=models, suite="psnr")
    assert fused.stat().st_mtime_ns == before
    write_image(folders.ir / "a.png", 255 - read_image(folders.ir / "a.png"))
    compare(folders.ir, folders.vi, {}, out, models=models, suite="psnr")
    assert fused.stat().st_mtime_ns != before


def test_the_report_is_complete_and_self_contained(folders: Folders, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = _compare(folders, out, stretch=True)
    page = write_report(result, out, title="A < B", limit_images=2).read_text(encoding="utf-8")
    assert "<h1>A &lt; B</h1>" in page
    assert not re.search(r"https?://|<link|@import|<script[^>]+src", page)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(s.startswith(("data:image/jpeg;base64,", "#")) for s in sources)
    assert page.count("<figure") == 2 * 7
    assert page.count("<svg") == 2
    assert "After stretching every output" in page
    ids = re.findall(r'<[^>]* id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)

    with (out / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 4
    assert float(rows[0]["PSNR"]) == result.values[0, 0, 0]
    with (out / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5 * 2
    assert {r["better"] for r in rows} == {"↑"}
    for r in rows:
        assert float(r["mean_low"]) <= float(r["mean"]) <= float(r["mean_high"])
    assert result.stretched is not None
    flat = result.values[2] - result.stretched[2]
    assert np.abs(flat).max() > 0.1  # the average does not span the full range by itself


def test_many_metrics_are_told_by_method(folders: Folders, tmp_path: Path) -> None:
    results = {"even": folders.method("even", 0.5)}
    suite = "psnr,ssim,qabf,en,sd,sf,ag,cc,mse"
    result = compare(folders.ir, folders.vi, results, tmp_path / "out", suite=suite)
    lines = findings(result, result.summary())
    assert lines[0].startswith("Best mean rank: ")
    assert any("has the best mean in " in line for line in lines[1:])
    assert len(lines) <= 1 + len(result.methods)


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0, "0.000"), (-1e-9, "0.000"), (-0.5, "-0.500"), (np.inf, "∞")]
)
def test_numbers_read_well(value: float, text: str) -> None:
    assert number(value) == text


def test_windows_are_where_they_should_be() -> None:
    spread = np.zeros((60, 80))
    spread[10:20, 50:60] = 5.0
    heat = np.zeros((60, 80), np.uint8)
    heat[10:22, 50:62] = 255
    heat[40:50, 5:15] = 200
    first, second = pick_windows(spread, heat)
    assert first.side == second.side == 24
    assert first.cut(spread).sum() == 500
    assert second.cut(heat).sum() == 200 * 100  # the second hottest: the first is taken
    tiny, other = pick_windows(np.ones((5, 7)), np.ones((5, 7), np.uint8))
    assert tiny.side == other.side == 5


def test_pictures_are_taken_at_even_steps() -> None:
    assert pick_evenly("abc", 10) == ["a", "b", "c"]
    assert pick_evenly("abcdefghijkl", 3) == ["c", "g", "k"]


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        (["a=x", "a=y"], "used twice"),
        (["average=x"], "a baseline"),
        (["=x"], "write NAME=PATH"),
        (["a/b=x"], "cannot name a file"),
        (["..=x"], "cannot name a file"),
    ],
)
def test_names_of_methods_are_checked(items: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse_named(items, "--results")


def _run(*arguments: object) -> object:
    app = typer.Typer()
    app.command(cls=Command)(command)
    return CliRunner().invoke(app, [str(a) for a in (*arguments, "--no-progress")])


def test_the_command(folders: Folders, tmp_path: Path) -> None:
    even = folders.method("even", 0.5)
    both = ("--ir", folders.ir, "--vi", folders.vi, "--suite", "psnr")
    done = _run(*both, "--results", f"half={even}", "--out", tmp_path / "r", "--limit-images", 0)
    assert done.exit_code == 0, done.output  # type: ignore[attr-defined]
    assert "Best mean rank" in done.stdout  # type: ignore[attr-defined]
    assert (tmp_path / "r" / "report.html").is_file()
    error = _run(*both, "--out", tmp_path / "r").exception  # type: ignore[attr-defined]
    assert "nothing to compare" in str(error)


def test_means_of_other_methods_are_those_known(shared: Path, tmp_path: Path) -> None:
    peers = shared / "peers" / "roadscene_test"
    if not peers.is_dir():
        pytest.skip("needs the results of other methods in ../shared/peers")
    data = shared / "data" / "roadscene" / "test"
    result = compare(
        data / "ir", data / "vi", {"densefuse": peers / "densefuse"}, tmp_path, suite="psnr,ssim"
    )
    mean = result.summary().mean
    # PSNR and SSIM of DenseFuse, the average and the maximum, from the peers' SCORES.md, and of the
    # pyramid, reckoned once with OpenCV in float64 (sepFilter2D, resize, GaussianBlur).
    known = [[17.706, 0.794], [17.708, 0.794], [14.699, 0.738], [17.148, 0.744]]
    np.testing.assert_allclose(mean, known, rtol=0, atol=5.1e-4)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_shows_the_page(folders: Folders, tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    out = tmp_path / "out"
    page = write_report(_compare(folders, out), out, limit_images=1)
    shot = tmp_path / "shot.png"
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},2400",
         f"--screenshot={shot}", page.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    image = read_image(shot)
    assert image.shape[1] == width
    bands = image[: image.shape[0] // 4 * 4].reshape(4, -1)
    assert (bands.std(axis=1) > 5).all()  # something stands in every quarter of the page
