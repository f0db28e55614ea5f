"""What all sub-commands have in common: how words are read, refused and shown, and the log."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mma_unet.cli import common, export, fuse, progress
from mma_unet.cli.main import app
from mma_unet.data.ranges import IR_RANGES
from mma_unet.errors import InputError
from mma_unet.inference.runtimes import PRECISIONS, RUNTIMES
from mma_unet.inference.tiling import STATISTICS
from tests.command import mma_unet
from tests.conftest import make_pairs


def run(*words: object, width: int = 120) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": str(width)})
    assert result.exit_code == 0, result.output
    return result.output


def refusal(*words: object) -> str:
    error = CliRunner().invoke(app, list(map(str, words))).exception
    assert isinstance(error, InputError), error
    assert "\n" not in str(error)
    return str(error)


def test_python_m_mma_unet() -> None:
    command = [sys.executable, "-m", "mma_unet", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("mma-unet 0.")


@pytest.fixture
def root_level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.mark.usefixtures("root_level")
@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["models", "tiny"], logging.WARNING),
        (["-v", "models", "tiny"], logging.INFO),
        (["models", "-v", "tiny"], logging.INFO),
        (["models", "tiny", "--verbose"], logging.INFO),
        (["data", "list", "-v"], logging.INFO),
        (["-v", "data", "list"], logging.INFO),
    ],
)
def test_verbose_before_and_after_the_command(words: list[str], level: int) -> None:
    run(*words)
    assert logging.getLogger().level == level


def test_the_help_of_a_command_names_verbose() -> None:
    assert "--verbose" in run("demo", "--help")


def test_the_options_of_fuse_stand_in_panels() -> None:
    text = run("fuse", "--help")
    panels = ["Input", "Output", "Model", "Speed and memory", "Video", "Batch"]
    options = ["--ir-range", "--out", "--color", "--max-memory", "--steady", "--engine"]
    places = [text.index(f"─ {panel} ─") for panel in panels]
    assert places == sorted(places)
    for option, start, end in zip(options, places, [*places[1:], len(text)], strict=True):
        assert f" {option} " in text[start:end]


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (["fuse", "a", "b", "-o", "c", "--runtime"], RUNTIMES),
        (["fuse", "a", "b", "-o", "c", "--precision"], PRECISIONS),
        (["fuse", "a", "b", "-o", "c", "--color"], ["luminance", "rgb"]),
        (["fuse", "a", "b", "-o", "c", "--engine"], ["local", "ray"]),
        (["export", "-o", "x.onnx", "--format"], ["onnx", "openvino", "torchscript"]),
        (["bench", "--runtime"], RUNTIMES),
    ],
)
def test_a_wrong_choice_is_refused_in_one_sentence_with_the_right_ones(
    words: list[str], choices: list[str]
) -> None:
    text = refusal(*words, "abacus")
    assert words[-1] in text
    assert all(f"'{choice}'" in text for choice in choices)


def test_the_choices_are_those_of_the_library() -> None:
    assert list(common.Runtime) == list(RUNTIMES)
    assert list(common.Precision) == list(PRECISIONS)
    assert list(fuse.Statistics) == list(STATISTICS)
    assert list(fuse.IrRange) == list(IR_RANGES)
    assert set(export.Precision) < set(common.Precision)


def test_what_is_missing_or_unknown_is_one_sentence() -> None:
    assert "OUT" in refusal("fuse", "a", "b").upper()
    assert "--clor" in refusal("fuse", "a", "b", "-o", "c", "--clor", "rgb")


def test_a_wrong_word_on_the_terminal() -> None:
    result = mma_unet("fuse", "a", "b", "-o", "c", "--runtime", "x")
    assert result.returncode == 2
    assert result.stderr.startswith("mma-unet: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("fuse --runtime o", ["onnxruntime", "openvino"]),
        ("fuse --device c", ["cpu", "cuda"]),
        ("train --config tiny-metric-", ["tiny-metric-finish"]),
        ("data get MS", ["MSRS"]),
    ],
)
def test_the_shell_completes_choices(words: str, offered: list[str]) -> None:
    env = os.environ | {"_MMA_UNET_COMPLETE": "complete_bash", "COMP_WORDS": f"mma-unet {words}"}
    env["COMP_CWORD"] = str(len(words.split()))
    code = "from mma_unet.cli.main import app; app(prog_name='mma-unet')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == offered, done.stderr


def test_sources_by_place_or_by_name(tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"], (48, 48))
    more = ["--suite", "psnr", "--no-progress"]
    text = run("evaluate", ir, vi, vi, *more)
    assert "vi: 2 images" in text
    assert run("evaluate", *more, f"--fused={vi}", "--vi", vi, "--ir", ir) == text
    assert "--fused" in refusal("evaluate", ir, vi, "--fused", vi, *more)


def test_every_output_has_the_name_o() -> None:
    out = {
        "data list",
        "data get",
        "models",
        "rivals",
        "rivals get",
        "align check",
    }  # these write nothing, or to --root
    for name, command in _commands():
        names = [option for p in command.params for option in p.opts]
        assert name in out or {"-o", "--out"} <= set(names), name


def _commands() -> Iterator[tuple[str, object]]:
    from typer.main import get_command

    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        yield from ((f"{name} {n}", c) for n, c in inner.items()) if inner else [(name, command)]


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> io.StringIO:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=getattr(request, "param", False), width=80)
    monkeypatch.setattr(progress, "errors", console)
    return stream


def test_without_a_terminal_progress_is_plain_lines(
    stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.progress_bar() as step:
        for done in range(1, 13):
            clock[0] += 1
            step("Scoring [1]", done, 12)
        step("One", 1, 1)
    assert stderr.getvalue().splitlines() == [
        "Scoring [1]: 5 of 12", "Scoring [1]: 10 of 12", "Scoring [1]: 12 of 12",
    ]  # fmt: skip


def test_plain_lines_of_bytes_and_of_frames_without_end(
    stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    with progress.progress_bar(unit="bytes") as step:
        step("MSRS", 1_500_000, 3_000_000)
    with progress.progress_bar(unit="frames") as step:
        step("Fusing", 25, None)
    with progress.progress_bar(shown=False) as step:
        step("Hidden", 1, 2)
    assert stderr.getvalue().splitlines() == ["MSRS: 1.5 MB of 3.0 MB", "Fusing: 25 frames"]


@pytest.mark.parametrize("stderr", [True], indirect=True)
def test_on_a_terminal_progress_is_a_bar(stderr: io.StringIO) -> None:
    with progress.progress_bar(unit="frames") as step:
        step("Fusing [x]", 3, 12)
    assert "Fusing [x]" in stderr.getvalue()
    assert "━" in stderr.getvalue()
    assert "3/12" in stderr.getvalue()


def test_a_command_writes_its_progress_plainly(tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"], (48, 48))
    result = mma_unet("evaluate", ir, vi, vi, "--suite", "psnr")
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines() == ["Scoring: 2 of 2"]


HOSTILE = ":smile: [bold]x[/bold] \x1b[2J\x07\nmma-unet: y"
SHOWN = r":smile: [bold]x[/bold] \x1b[2J\x07\nmma-unet: y"


def test_names_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO) -> None:
    stream = io.StringIO()
    for name in ("console", "errors"):
        monkeypatch.setattr(common, name, Console(file=stream, width=200))
    common.say(HOSTILE)
    common.warn(HOSTILE)
    common.show([HOSTILE], [[HOSTILE]], HOSTILE, HOSTILE)
    assert stream.getvalue().count(SHOWN) == 6
    with progress.progress_bar() as step:
        step(HOSTILE, 2, 2)
    assert stderr.getvalue() == f"{SHOWN}: 2 of 2\n"
    record = logging.LogRecord("x", logging.WARNING, "", 0, "%s", (HOSTILE,), None)
    assert "\x1b" not in common._Printable().format(record)


@pytest.mark.parametrize("stderr", [True], indirect=True)
def test_names_are_shown_as_they_are_in_a_bar(stderr: io.StringIO) -> None:
    with progress.progress_bar() as step:
        step(HOSTILE, 1, 2)
    assert "[2J" in stderr.getvalue()
    assert "\x1b[2J" not in stderr.getvalue()
    assert ":smile:" in stderr.getvalue()


def test_a_wrong_name_on_the_terminal_is_shown_as_it_is() -> None:
    result = mma_unet("models", "a:smile:[red]\x1b[2J/x")
    assert result.returncode == 2
    assert r"a:smile:[red]\x1b[2J/x" in result.stderr


def _closed() -> None:
    os.close(1)
    os.close(0)
    sys.stdout = None  # type: ignore[assignment]  # as Python starts then


def _full() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _pipe() -> None:
    read, write = os.pipe()
    os.close(read)
    os.dup2(write, 1)
    sys.stdout = os.fdopen(1, "w", closefd=False)


def _ascii() -> None:
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="ascii")


@pytest.mark.parametrize(("prepare", "code"), [(_closed, 0), (_full, 1), (_pipe, 1), (_ascii, 0)])
def test_output_that_cannot_be_shown_is_no_traceback(
    tmp_path: Path, weights: Path, prepare: Callable[[], None], code: int
) -> None:
    if prepare is _full and not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    ir, vi = make_pairs(tmp_path, ["é"], (48, 48))
    out = tmp_path / "o" / "x.png"
    words = ("fuse", ir / "é.png", vi / "é.png", "-o", out, "-m", weights, "--device", "cpu")
    result = mma_unet(*words, prepare=prepare)
    assert out.is_file(), result
    assert [path.name for path in out.parent.iterdir()] == ["x.png"]
    assert "Traceback" not in result.stderr
    assert result.returncode == code
    assert result.stderr.strip() == (NO_SPACE if prepare is _full else "")


NO_SPACE = "mma-unet: standard output cannot be written (No space left on device)"


@pytest.mark.parametrize("words", [["--help"], ["models", "tiny"]])
def test_other_output_that_cannot_be_shown(words: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    command = [sys.executable, "-m", "mma_unet", *words]  # to the very end of the interpreter
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert result.returncode == 1
    assert result.stderr.splitlines() == [NO_SPACE]
