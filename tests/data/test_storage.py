"""Files behind URLs: the same pairs, images and sentences as on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import make_pairs

from mma_unet.data import find_pairs, read_image, write_image
from mma_unet.data.storage import is_remote, list_files, locate, remove_leftovers, write_atomically
from mma_unet.errors import InputError
from mma_unet.inference import Fuser, fuse_files, plan

fsspec = pytest.importorskip("fsspec", reason="needs the extra 'distributed'")
pytest.importorskip("upath", reason="needs the extra 'distributed'")


@pytest.fixture
def memory() -> Iterator[Path]:
    """An empty object store of this process."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield locate("memory://bucket")
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def upload(source: Path, target: Path) -> None:
    for file in source.rglob("*"):
        if file.is_file():
            write_atomically(target / file.relative_to(source).as_posix(), file.read_bytes())


def test_file_urls_are_paths_and_others_are_not() -> None:
    assert locate("file:///a/b.png") == Path("/a/b.png")
    assert locate("a b/c:d.png") == Path("a b/c:d.png")
    assert not is_remote(locate("a.png"))
    assert is_remote(locate("memory://a.png"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_images_survive_the_way_through_a_store(memory: Path, dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (9, 7, 3)).astype(dtype)
    write_image(memory / "deep" / "a.png", image)
    np.testing.assert_array_equal(read_image(memory / "deep" / "a.png"), image)
    np.testing.assert_array_equal(read_image("memory://bucket/deep/a.png"), image)
    assert list(list_files(memory / "deep")) == ["a.png"]


def test_listings_pair_by_the_rules_of_folders(tmp_path: Path, memory: Path) -> None:
    names = {
        "ir": ["a2.png", "a10_ir.png", "x_thermal.jpg", "lonely.png", "note.txt", ".h.png"],
        "vi": ["a2.tif", "a10_vi.png", "x_RGB.png", "other.png"],
    }
    for kind, files in names.items():
        for name in files:
            write_atomically(tmp_path / kind / name, b"1")
    upload(tmp_path, memory)
    local = find_pairs(tmp_path / "ir", tmp_path / "vi")
    remote = find_pairs("memory://bucket/ir", "memory://bucket/vi")
    assert [pair.name for pair in remote.pairs] == [pair.name for pair in local.pairs]
    assert [pair.name for pair in local.pairs] == ["a2", "a10", "x"]
    for mine, theirs in zip(remote.pairs, local.pairs, strict=True):
        assert (mine.ir.name, mine.vi.name) == (theirs.ir.name, theirs.vi.name)
    assert [p.name for p in remote.unpaired_ir] == [p.name for p in local.unpaired_ir]
    assert str(remote.unpaired_vi[0]) == "memory://bucket/vi/other.png"


def test_fusing_a_store_gives_the_bytes_of_a_folder(
    tmp_path: Path, memory: Path, weights: Path
) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b", "bad"])
    (ir / "bad.png").write_bytes(b"no image")
    upload(tmp_path, memory)
    fuser = Fuser(weights, device="cpu")
    local = plan(find_pairs(ir, vi).pairs, tmp_path / "out")
    remote = plan(find_pairs(memory / "ir", memory / "vi").pairs, memory / "out")
    assert [o.status for o in fuse_files(fuser, local)] == ["fused", "fused", "failed"]
    outcomes = list(fuse_files(fuser, remote))
    assert [o.status for o in outcomes] == ["fused", "fused", "failed"]
    assert outcomes[-1].reason.startswith("memory://bucket/ir/bad.png is not an image")
    assert sorted(list_files(memory / "out")) == ["a.png", "b.png"]
    for task, twin in zip(remote[:2], local[:2], strict=True):
        assert task.target.read_bytes() == twin.target.read_bytes()
    assert [o.status for o in fuse_files(fuser, remote[:2])] == ["skipped", "skipped"]


def test_file_systems_rename_and_leave_nothing_behind(tmp_path: Path) -> None:
    target = locate(f"local://{tmp_path}/new/a.bin")
    assert is_remote(target)
    write_atomically(target, b"one")
    write_atomically(target, b"two")
    assert target.read_bytes() == b"two"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.bin"]


@pytest.mark.parametrize("remote", [False, True])
def test_a_write_that_fails_halfway_leaves_the_old_file(
    remote: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = locate(f"local://{tmp_path}/a.bin") if remote else tmp_path / "a.bin"
    write_atomically(target, b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if remote:
        monkeypatch.setattr(type(target.fs), "mv", fail)  # type: ignore[attr-defined]
    else:
        monkeypatch.setattr("os.replace", fail)
    with pytest.raises(InputError, match="No space left on device"):
        write_atomically(target, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"old")]


def test_leftovers_of_these_files_only_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        for name in ("a.png", "b.png"):
            with pytest.raises(SystemExit):
                write_atomically(tmp_path / name, b"part")
    (tmp_path / ".mine.part").touch()
    assert len(list(tmp_path.iterdir())) == 3
    assert remove_leftovers([tmp_path / "a.png", tmp_path / "none" / "x.png"]) == 1
    assert remove_leftovers([tmp_path / "b.png"]) == 1
    assert [p.name for p in tmp_path.iterdir()] == [".mine.part"]


def test_bad_places_are_one_sentence(memory: Path) -> None:
    for url, message in {
        "nonsense://a": "no URL that can be used",
        "memory://bucket/none.png": "does not exist",
    }.items():
        with pytest.raises(InputError, match=message) as caught:
            read_image(url)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="does not exist"):
        find_pairs("memory://bucket/ir", "memory://bucket/vi")


def test_what_a_store_refuses_is_one_sentence(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AccessDeniedError(Exception):
        """As clients of stores have them: no `OSError`."""

    def refuse(*_: object, **__: object) -> None:
        raise AccessDeniedError("403 Forbidden\nmore lines")

    write_atomically(memory / "a.png", b"x")
    store = type(memory.fs)  # type: ignore[attr-defined]
    for method in ("pipe_file", "open", "cat_file", "ls"):
        monkeypatch.setattr(store, method, refuse)
    for action in (
        lambda: write_image(memory / "b.png", np.zeros((2, 2), np.uint8)),
        lambda: read_image(memory / "a.png"),
        lambda: list_files(memory),
    ):
        with pytest.raises(InputError, match="AccessDeniedError: 403 Forbidden") as caught:
            action()
        assert "\n" not in str(caught.value)
