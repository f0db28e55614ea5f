"""Writing files whole or not at all, and the checks that come before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from mma_unet import files
from mma_unet.cli.common import check_writable
from mma_unet.errors import InputError
from mma_unet.files import (
    check_target,
    parse_json,
    printable,
    probe,
    probe_target,
    replacing,
    write_text,
)


def test_the_finished_file_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "a.txt"
    for text in ("old", "new"):
        with replacing(target) as part:
            part.write_text(text)
            assert part.parent == target.parent  # on the same file system
        assert target.read_text() == text
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def stop_halfway() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise failure

    with pytest.raises(failure):
        stop_halfway()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_any_name_that_a_file_may_have_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("図" * 85)  # 255 bytes, the most there may be
    write_text(target, "b\udcff", errors="surrogateescape")
    assert target.read_bytes() == b"b\xff"
    write_text(target, "b\udcff")
    assert target.read_bytes() == b"b?"


@pytest.mark.parametrize("check", [check_target, probe_target, lambda path: write_text(path, "x")])
def test_a_folder_and_a_place_under_a_file_are_refused(tmp_path: Path, check) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a folder: give the output a file name"):
        check(tmp_path)
    with pytest.raises(InputError, match="file is a file, not a folder"):
        check(tmp_path / "file" / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_probe_leaves_nothing(tmp_path: Path) -> None:
    probe(tmp_path)
    probe_target(tmp_path / "not" / "there" / "a.txt")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"cannot be written .*choose another place"):
        probe_target(tmp_path / ("a" * 300))


def test_a_place_that_takes_no_file_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files.Path, "touch", refuse)
    with pytest.raises(InputError, match=r"a\.txt cannot be written \(Read-only file system\): ch"):
        probe_target(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r": cannot write there \(Read-only .*another folder for"):
        check_writable(tmp_path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("赤外線 é ñ 👨‍👩‍👧 a.png", "赤外線 é ñ 👨‍👩‍👧 a.png"),
        ("a\x1b[31mb\x07.png", r"a\x1b[31mb\x07.png"),
        ("a\nmma-unet: b\r\t", r"a\nmma-unet: b\r\t"),
        ("\x9b2J\u2028", r"\x9b2J\u2028"),
        ("gnp.\u202eexe", r"gnp.\u202eexe"),
        ("b\udcff", "b?"),
    ],
)
def test_names_do_nothing_to_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["", "{", "[" * 10**5, '{"a": ' * 10**5, "1" * 10**5])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
    assert parse_json('{"a": [1]}') == {"a": [1]}
