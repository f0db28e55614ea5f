"""Fusing a folder: whatever happens to one pair, the others are fused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mma_unet import Fuser
from mma_unet.data import find_pairs
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
