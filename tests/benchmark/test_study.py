"""The blind study: what a rater sees, what the keys do, and what the rankings come to."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mma_unet.benchmark.study import build_study, tally
from mma_unet.benchmark.study.bradley_terry import bradley_terry
from mma_unet.benchmark.study.key import Key, KeyPair, letters_of, read_key
from mma_unet.cli.main import app
from mma_unet.data import read_image, write_image
from mma_unet.data.images import luminance
from mma_unet.errors import InputError
from tests.benchmark.conftest import NAMES, Folders

METHODS = {"umber": 0.8, "ochre": 0.5, "sienna": 0.2}


@pytest.fixture
def results(folders: Folders) -> dict[str, Path]:
    return {name: folders.method(name, blend) for name, blend in METHODS.items()}


def build(folders: Folders, results: dict[str, Path], out: Path, **options: object) -> Key:
    build_study(folders.ir, folders.vi, results, out, **options)  # type: ignore[arg-type]
    return read_key(out)


def test_letters_hide_the_results_that_the_key_names(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "study"
    key = build(folders, results, out, seed=4)
    assert list(key.pairs) == ["a", "b", "c2", "c10"]
    for index, (name, pair) in enumerate(key.pairs.items()):
        assert pair.letters == letters_of(name, METHODS, 4)
        for letter, method in pair.letters.items():
            shown = read_image(out / "images" / f"{index:04}-{letter}.png").astype(int)
            gray = read_image(results[method] / f"{name}.png").astype(int)
            inside = ((shown > 0) & (shown < 255)).all(axis=2)
            apart = np.abs(luminance(shown.astype(np.uint8)).astype(int) - gray)
            assert inside.any()
            assert apart[inside].max() <= 1
            assert np.ptp(shown, axis=2).max() > 20  # in the color of the visible image
    assert len({tuple(pair.letters.values()) for pair in key.pairs.values()}) > 1


def test_nothing_but_the_key_names_a_method_or_a_place(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "study"
    build(folders, results, out)
    files = [path for path in out.rglob("*") if path.is_file() and path.name != "key.json"]
    assert len(files) == 2 + 4 + 4 * 5
    for path in files:
        content = str(path.relative_to(out)).encode() + path.read_bytes()
        assert not any(word.encode() in content for word in (*METHODS, str(tmp_path)))
    page = (out / "index.html").read_text()
    assert not re.search(r"https?:|//[a-z]+\.|\bfetch\b|XMLHttpRequest|key\.json", page)


def test_results_in_color_stay_and_gray_ones_of_three_channels_are_colored(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    gray = read_image(results["umber"] / "a.png")
    tinted = np.stack([gray, gray, 255 - gray], axis=2)
    write_image(results["umber"] / "a.png", tinted)
    ochre = read_image(results["ochre"] / "a.png")
    write_image(results["ochre"] / "a.png", np.repeat(ochre[:, :, None], 3, axis=2))
    key = build(folders, results, tmp_path / "study")
    shown = {
        method: read_image(tmp_path / "study" / "images" / f"0000-{letter}.png")
        for letter, method in key.pairs["a"].letters.items()
    }
    np.testing.assert_array_equal(shown["umber"], tinted)
    assert (shown["ochre"] != shown["ochre"][..., :1]).any()


def test_a_sheet_holds_the_sources_and_the_letters_in_order(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    build(folders, results, tmp_path / "study")
    sheet = read_image(tmp_path / "study" / "sheets" / "a.png")
    high, wide = 52 + 34 + 6, 64 + 6
    assert sheet.shape == (2 * high, 3 * wide, 3)
    for place, label in enumerate(["ir", "vi", "A", "B", "C"]):
        top, left = place // 3 * high + 34, place % 3 * wide
        tile = sheet[top : top + 52, left : left + 64]
        image = read_image(tmp_path / "study" / "images" / f"0000-{label}.png")
        np.testing.assert_array_equal(
            tile, image if image.ndim == 3 else image[..., None] + 0 * tile
        )


def test_a_pair_that_a_method_lacks_is_shown_without_it_and_said(
    folders: Folders, tmp_path: Path
) -> None:
    results = {"umber": folders.method("umber", 0.8), "ochre": folders.method("ochre", 0.5)}
    (results["umber"] / "b.png").unlink()
    made = build_study(folders.ir, folders.vi, results, tmp_path / "study", baselines=["average"])
    pairs = read_key(tmp_path / "study").pairs
    assert sorted(pairs["b"].letters.values()) == ["average", "ochre"]
    assert sorted(pairs["a"].letters.values()) == ["average", "ochre", "umber"]
    assert any("umber has no result for 1 of 4 pairs" in line for line in made.notices)


def test_limit_and_kinds(folders: Folders, results: dict[str, Path], tmp_path: Path) -> None:
    listed = tmp_path / "kinds.csv"
    listed.write_text("name,kind\nb,smoke\nzz,night\n")
    key = build(folders, results, tmp_path / "study", limit=2, kinds=listed)
    assert {name: pair.kind for name, pair in key.pairs.items()} == {"b": "smoke", "c10": "other"}
    listed.write_text("name,scene\nb,smoke\n")
    with pytest.raises(InputError, match="needs a name and a kind"):
        build(folders, results, tmp_path / "other", kinds=listed)


def test_bad_studies_are_one_sentence(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "study"
    with pytest.raises(InputError, match="2 to 26 methods, and 1"):
        build(folders, {"umber": results["umber"]}, out)
    with pytest.raises(InputError, match="no baseline"):
        build(folders, results, out, baselines=["mean"])
    build(folders, results, out)
    with pytest.raises(InputError, match="holds a study already"):
        build(folders, results, out)
    write_image(results["ochre"] / "b.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(InputError, match="must be of one size"):
        build(folders, results, tmp_path / "second")
    assert not (tmp_path / "second" / "key.json").exists()


KEYS = [
    ("bac", {"p": "BAC"}, 0),
    ("Bb", {"p": "B"}, 0),
    ("xz1", {}, 0),
    ("=b=", {"p": "B="}, 0),
    ("b==ac=", {"p": "B=AC"}, 0),
    (["b", "a", "Backspace", "c", "="], {"p": "BC="}, 0),
    (["Backspace"], {}, 0),
    (["b", "a", "Enter"], {"p": "BA"}, 0),
    (["b", "a", "c", "Enter", "b", "c", "a"], {"p": "BAC", "q": "BA"}, 1),
    (["ArrowRight", "a", "ArrowRight", "ArrowRight", "ArrowRight"], {"q": "A"}, 2),
    (["ArrowLeft", "ArrowRight", "ArrowLeft", "ArrowLeft", "c"], {"p": "C"}, 0),
]


def in_node(expression: str) -> object:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to run what the page runs")
    keys = (resources.files("mma_unet.benchmark") / "templates" / "study_keys.js").read_text()
    setting = """
    const pairs = [{name: "p", letters: "ABC"}, {name: "q", letters: "AB"},
                   {name: "r", letters: "AB"}];
    const typed = (keys) => [...keys].reduce((state, key) => press(state, key, pairs),
                                             {at: 0, answers: {}});
    """
    script = f"{keys}{setting}console.log(JSON.stringify({expression}));"
    done = subprocess.run([node, "-e", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_keys_rank_undo_tie_and_move() -> None:
    states = in_node(f"{json.dumps([keys for keys, _, _ in KEYS])}.map(typed)")
    assert states == [{"at": at, "answers": answers} for _, answers, at in KEYS]


def test_places_and_answers_of_the_page() -> None:
    assert in_node('places("B=CAD")') == {"B": 1, "C": 1, "A": 3, "D": 4}
    assert in_node('places("B=")') == {"B": 1}
    answers = '{p: "B=CA", q: "A", r: ""}'
    assert in_node(f'exported({{at: 0, answers: {answers}}}, "x", pairs, "eve")') == {
        "study": "x", "rater": "eve", "answers": {"p": "B=CA"},
    }  # fmt: skip


def test_the_script_of_the_page_is_sound(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node to parse what the page runs")
    build(folders, results, tmp_path / "study")
    page = (tmp_path / "study" / "index.html").read_text()
    script = tmp_path / "page.js"
    script.write_text("\n".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL)))
    done = subprocess.run([node, "--check", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.browser
def test_a_browser_shows_the_first_pair(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    build(folders, results, tmp_path / "study")
    page = (tmp_path / "study" / "index.html").as_uri()
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ">1 / 4<" in done.stdout
    assert re.findall(r'src="images/(.*?)\.png"', done.stdout) == [
        f"0000-{label}" for label in ("ir", "vi", "A", "B", "C")
    ]


def a_key(folder: Path, pairs: int, methods: tuple[str, ...]) -> Key:
    names = [f"{i:05}{'DN'[i % 2]}" for i in range(pairs)]
    kinds = {"D": "day", "N": "night"}
    key = Key("abc", 0, {n: KeyPair(kinds[n[-1]], letters_of(n, methods, 0)) for n in names})
    key.write(folder)
    return key


def answer(path: Path, key: Key, rank: dict[str, list[tuple[str, ...]]] | None = None,
           study: str = "abc", **rankings: str) -> Path:  # fmt: skip
    """Answers from methods in groups, best first, or from letters."""
    answers = dict(rankings)
    for name, groups in (rank or {}).items():
        letter = {method: letter for letter, method in key.pairs[name].letters.items()}
        answers[name] = " > ".join("=".join(letter[m] for m in group) for group in groups)
    path.write_text(json.dumps({"study": study, "answers": answers}))
    return path


def test_a_method_that_always_wins_has_win_rate_one_and_a_tie_is_half(tmp_path: Path) -> None:
    key = a_key(tmp_path, 10, ("best", "x", "y"))
    path = answer(tmp_path / "eve.json", key, {n: [("best",), ("x", "y")] for n in key.pairs})
    counted = tally(tmp_path, [path], resamples=200)
    assert [row.kind for row in counted.rows] == ["all"] * 3 + ["day"] * 3 + ["night"] * 3
    assert counted.raters == ("eve",)
    best, *others = counted.rows[:3]
    assert (best.method, best.win_rate, best.mean_rank, best.first) == ("best", 1.0, 1.0, 1.0)
    assert np.isfinite(best.score)
    for row in others:
        assert (row.win_rate, row.mean_rank, row.top_two, row.last) == (0.25, 2.5, 1.0, 1.0)
        assert row.score == pytest.approx(-best.score / 2)
    np.testing.assert_array_equal(counted.wins, [[0, 10, 10], [0, 0, 5], [0, 5, 0]])


def test_a_simulated_bradley_terry_model_is_recovered(tmp_path: Path) -> None:
    true = {"p": 0.9, "q": 0.2, "r": -0.3, "s": -0.8}
    key = a_key(tmp_path, 400, tuple(true))
    rng = np.random.default_rng(1)
    # By Luce's choice axiom the order of Gumbel draws has Bradley-Terry odds for each two.
    drawn = {
        name: [(m,) for m in sorted(true, key=lambda m: -(true[m] + rng.gumbel()))]
        for name in key.pairs
    }
    counted = tally(tmp_path, [answer(tmp_path / "sim.json", key, drawn)], resamples=500)
    for row in counted.rows[:4]:
        low, high = row.score_interval
        assert low < true[row.method] < high
        assert 0.1 < high - low < 0.5


def test_two_methods_have_the_log_odds_of_their_wins() -> None:
    assert np.diff(bradley_terry(np.array([[0, 30.0], [10.0, 0]])))[0] == pytest.approx(
        -np.log(30.5 / 10.5)
    )


def test_raters_share_a_pair_and_blank_rankings_are_passed_over(tmp_path: Path) -> None:
    key = a_key(tmp_path, 3, ("x", "y"))
    first, second, third = key.pairs
    one = answer(tmp_path / "one.json", key, {first: [("x",), ("y",)]}, **{third: ""})
    two = answer(tmp_path / "two.json", key, {first: [("y",), ("x",)], second: [("x",), ("y",)]})
    counted = tally(tmp_path, [one, two], resamples=100)
    assert (counted.pairs, counted.of, counted.raters) == (2, 3, ("one", "two"))
    assert {row.method: row.win_rate for row in counted.rows[:2]} == {"x": 0.75, "y": 0.25}


def test_a_method_counts_only_where_it_was_shown(tmp_path: Path) -> None:
    pairs = {"1": KeyPair("other", {"A": "x", "B": "y"}),
             "2": KeyPair("other", {"A": "x", "B": "y", "C": "z"})}  # fmt: skip
    key = Key("abc", 0, pairs)
    key.write(tmp_path)
    path = answer(tmp_path / "a.json", key, **{"1": "BA", "2": "C>A>B"})
    rows = {row.method: row for row in tally(tmp_path, [path], resamples=100).rows}
    assert (rows["z"].pairs, rows["z"].win_rate, rows["z"].mean_rank) == (1, 1.0, 1.0)
    assert np.isnan(rows["z"].win_interval).all()  # one pair says nothing of others
    assert np.isfinite(rows["x"].win_interval).all()
    assert (rows["x"].pairs, rows["x"].win_rate, rows["x"].mean_rank) == (2, 1 / 3, 2.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "holds no answers"),
        ('{"answers": ["AB"]}', "holds no answers"),
        ('{"study": "other", "answers": {}}', "answers another study"),
        ('{"answers": {"zz": "AB"}}', "no pair zz"),
        ('{"answers": {"00000D": "AC"}}', "name each of AB once"),
        ('{"answers": {"00000D": "A"}}', "name each of AB once"),
        ('{"answers": {"00000D": "AB="}}', "name each of AB once"),
        ('{"answers": {"00000D": ""}}', "no pair was ranked"),
    ],
)
def test_bad_answers_are_one_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    a_key(tmp_path, 2, ("x", "y"))
    path = tmp_path / "answers.json"
    path.write_text(text)
    with pytest.raises(InputError, match=complaint):
        tally(tmp_path, [path])


def test_the_command_builds_and_counts(
    folders: Folders, results: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "study"
    named = [f"{name}={folder}" for name, folder in results.items()]
    sources = ["--ir", str(folders.ir), "--vi", str(folders.vi), "-o", str(out)]
    made = CliRunner().invoke(app, ["study", *named, "pyramid", *sources, "--seed", "2"])
    assert made.exit_code == 0, made.output
    assert f"{len(NAMES)} pairs" in made.output
    key = read_key(out)
    answers = json.loads((out / "answers_blank.json").read_text())
    answers["answers"] = {name: "".join(pair.letters) for name, pair in key.pairs.items()}
    (tmp_path / "eve.json").write_text(json.dumps(answers))
    counted = CliRunner().invoke(app, ["study", "--tally", str(out), str(tmp_path / "eve.json")])
    assert counted.exit_code == 0, counted.output
    assert "4 of 4 pairs, ranked by eve" in counted.output
    lines = (out / "tally.csv").read_text().splitlines()
    assert lines[0].startswith("kind,method,pairs,win_rate,win_low,win_high,mean_rank,rank_low")
    assert len(lines) == 1 + 4
    assert "| all | pyramid | 4 |" in (out / "tally.md").read_text()
    refused = CliRunner().invoke(app, ["study", *named])
    assert isinstance(refused.exception, InputError)
