"""The naming schemes of docs/cameras.md, each with what happens."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
table = runpy.run_path(str(ROOT / "scripts" / "pairing_table.py"))


@pytest.mark.parametrize("scheme", table["SCHEMES"], ids=lambda scheme: scheme.about)
def test_scheme(scheme: Any, tmp_path: Path) -> None:
    names, said = table["outcome"](scheme, tmp_path)
    assert names == scheme.names.split()
    assert scheme.said in said
    assert bool(said) == bool(scheme.said)


def test_the_table_stands_in_the_docs() -> None:
    assert len(table["SCHEMES"]) >= 25
    assert table["table"]() in (ROOT / "docs" / "cameras.md").read_text(encoding="utf-8")
