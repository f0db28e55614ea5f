"""scripts/check_weights.py: no new weights without a new card."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
check = runpy.run_path(str(ROOT / "scripts" / "check_weights.py"))["check"]


def make(root: Path) -> Path:
    folder = root / "src" / "mma_unet" / "weights"
    folder.mkdir(parents=True)
    (root / "docs").mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.safetensors").write_text(name)
    (root / "docs" / "models.md").write_text(
        "# Card\n\n<!-- digests -->\n\n<!-- /digests -->\n\nThe end.\n"
    )
    return folder


def names(problems: list[str]) -> list[str]:
    return [problem.split()[0] for problem in problems]


def test_a_change_of_weights_is_refused_until_the_card_is_written(tmp_path: Path) -> None:
    folder = make(tmp_path)
    assert names(check(tmp_path)) == ["a.safetensors", "b.safetensors"]
    assert check(tmp_path, write=True) == check(tmp_path) == []
    written = (tmp_path / "docs" / "models.md").read_text()
    assert written.startswith("# Card\n\n<!-- digests -->\n| file | SHA-256 |\n")
    assert written.endswith("` |\n<!-- /digests -->\n\nThe end.\n")
    (folder / "a.safetensors").write_text("other")
    assert names(check(tmp_path)) == ["a.safetensors"]
    (folder / "a.safetensors").write_text("a")
    (folder / "c.safetensors").write_text("new")
    (folder / "b.safetensors").unlink()
    assert names(check(tmp_path)) == ["b.safetensors", "c.safetensors"]
    check(tmp_path, write=True)
    assert check(tmp_path) == []


def test_a_card_without_the_list_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "docs" / "models.md").write_text("# Card\n")
    assert "has no block" in check(tmp_path, write=True)[0]
