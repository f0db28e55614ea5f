"""Fusing a folder: whatever happens to one pair, the others are fused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from mma_unet import Fuser
from mma_unet.data import find_pairs, read_image, write_image
from mma_unet.data.exif import Entry, pack_block
from mma_unet.data.images import read_photo
from mma_unet.data.metadata import Metadata
from mma_unet.errors import InputError
from mma_unet.inference import Outcome, folder, fuse_files, plan
from mma_unet.inference.runtimes import choose
from tests.conftest import make_pairs

NAMES = ["a", "b", "c", "d"]


def run(fuser: Fuser, tmp_path: Path, **options: Any) -> dict[str, Outcome]:
    pairs = find_pairs(*make_pairs(tmp_path, NAMES)).pairs
    outcomes = list(fuse_files(fuser, plan(pairs, tmp_path / "out"), **options))
    return {outcome.task.pair.name: outcome for outcome in outcomes}


def failing(real: Callable[..., Any], error: BaseException, culprit: str) -> Callable[..., Any]:
    """`real`, but it raises `error` where `culprit` is part of what it is given."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        if culprit in repr(args):
            raise error
        return real(*args, **kwargs)

    return fail


@pytest.mark.parametrize("step", ["read", "fuse_sources", "write_image"])
@pytest.mark.parametrize(
    "error",
    [
        OSError(5, "Input/output error"),
        MemoryError(),
        RuntimeError("a library failed\nwith many\nlines"),
        ValueError("odd"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_any_exception_is_the_outcome_of_its_pair(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: Exception,
    batch_size: int,
) -> None:
    fuser = Fuser(weights, device="cpu", runtime="torch")
    home: Any = folder if step == "write_image" else fuser
    monkeypatch.setattr(home, step, failing(getattr(home, step), error, "b.png"))
    outcomes = run(fuser, tmp_path, batch_size=batch_size)
    assert {n: o.status for n, o in outcomes.items()} == {
        "a": "fused", "b": "failed", "c": "fused", "d": "fused",
    }  # fmt: skip
    reason = outcomes["b"].reason
    assert "b.png could not be fused (" in reason
    assert type(error).__name__ in reason
    assert "\n" not in reason
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "c.png", "d.png"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("step", ["read", "fuse_sources", "write_image"])
def test_an_interruption_ends_the_batch(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    stop: type[BaseException],
) -> None:
    fuser = Fuser(weights, device="cpu", runtime="torch")
    home: Any = folder if step == "write_image" else fuser
    monkeypatch.setattr(home, step, failing(getattr(home, step), stop(), "b.png"))
    with pytest.raises(stop):
        run(fuser, tmp_path)


def test_one_runtime_for_a_batch_and_for_its_rest(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By all its pairs, those done before too: else a resumed batch would mix runtimes."""
    pytest.importorskip("openvino", reason="needs the extra openvino")
    pytest.importorskip("onnx", reason="needs the extra openvino")
    few = Fuser(weights, device="cpu")
    run(few, tmp_path)
    assert few.runtime.name == "torch"
    monkeypatch.setattr(choose, "PAYS_FROM", len(NAMES))
    (tmp_path / "out" / "c.png").unlink()
    rest = Fuser(weights, device="cpu")
    assert [o.status for o in run(rest, tmp_path).values()].count("fused") == 1
    assert rest.runtime.name == "openvino"


def test_nothing_is_converted_where_all_is_done(weights: Path, tmp_path: Path) -> None:
    run(Fuser(weights, device="cpu", runtime="torch"), tmp_path)
    idle = Fuser(weights, device="cpu")
    assert {o.status for o in run(idle, tmp_path).values()} == {"skipped"}
    assert "runtime" not in vars(idle)


def test_the_result_keeps_what_the_photograph_carries(weights: Path, tmp_path: Path) -> None:
    ir, vi = tmp_path / "ir" / "a.png", tmp_path / "vi" / "a.png"
    gray = np.arange(40 * 56, dtype=np.uint8).reshape(40, 56)
    alpha = np.full_like(gray, 255)  # a cut-out with a soft edge
    alpha[:, :20], alpha[:, 20:40] = 0, np.arange(0, 240, 12)
    exif = pack_block({306: Entry(2, 20, b"2024:05:06 07:08:09\0")}, {})
    write_image(ir, gray)
    color = np.repeat(gray[..., None], 3, axis=2)
    write_image(vi, color, alpha=alpha, metadata=Metadata(exif=exif, dpi=(300, 300)))
    for strip in (False, True):
        fuser = Fuser(weights, device="cpu", strip=strip)
        out = tmp_path / f"out-{strip}"
        tasks = plan(find_pairs(ir, vi).pairs, out)
        assert [o.status for o in fuse_files(fuser, tasks)] == ["fused"]
        photo = read_photo(out / "a.png")
        np.testing.assert_array_equal(photo.alpha, alpha)
        assert photo.metadata.exif == (None if strip else exif)
        assert bool(photo.metadata) is not strip
    (out / "a.png").unlink()
    fuser = Fuser(weights, device="cpu", gray=True)
    assert [o.status for o in fuse_files(fuser, tasks)] == ["fused"]
    assert read_photo(out / "a.png").fourth is None
    assert read_photo(out / "a.png").metadata.exif == exif


def test_pages_and_the_limit_reach_the_reader(weights: Path, tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a"])
    stack = np.stack([read_image(ir / "a.png"), 255 - read_image(ir / "a.png")])
    tifffile.imwrite(ir / "a.tif", stack, photometric="minisblack")
    (ir / "a.png").unlink()
    fuser = Fuser(weights, device="cpu", page=2)
    source, _ = fuser.read(ir / "a.tif", vi / "a.png")
    np.testing.assert_array_equal(source.planes[0], stack[1])
    with pytest.raises(InputError, match=r"has 2 pages: there is no page 3"):
        Fuser(weights, device="cpu", page=3).read(ir / "a.tif", vi / "a.png")
    with pytest.raises(InputError, match=r"56x40 pixels by its header.*--max-memory"):
        Fuser(weights, device="cpu", max_memory="1MB").read(ir / "a.tif", vi / "a.png")
