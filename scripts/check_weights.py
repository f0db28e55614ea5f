"""Refuse shipped weights that changed while their card, docs/models.md, did not.

    python scripts/check_weights.py [--write]

The card lists the SHA-256 of every file in src/mma_unet/weights. `--write` brings that list up to
date: do it in the commit that brings new weights and rewrites what the card says of them.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

from mma_unet.files import write_text
from mma_unet.tables import markdown

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"(<!-- digests -->\n).*?(\n<!-- /digests -->)", re.DOTALL)
_LINE = re.compile(r"^\| `(\S+)` \| `([0-9a-f]{64})` \|$", re.MULTILINE)


def check(root: Path, *, write: bool = False) -> list[str]:
    """What is wrong with the digests in the card, one sentence each; with `write`, mend them."""
    card = root / "docs" / "models.md"
    text = card.read_text(encoding="utf-8")
    block = _BLOCK.search(text)
    if block is None:
        return [f"{card} has no block <!-- digests --> ... <!-- /digests -->: put it back."]
    files = sorted((root / "src" / "mma_unet" / "weights").glob("*.safetensors"))
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    if write:
        rows = [[f"`{name}`", f"`{digest}`"] for name, digest in found.items()]
        table = markdown(["file", "SHA-256"], rows, left=2)
        write_text(card, text[: block.end(1)] + table + text[block.start(2) :])
        return []
    listed = dict(_LINE.findall(block[0]))
    return [
        f"{name} differs from what docs/models.md lists: rewrite its card there, then run "
        "`python scripts/check_weights.py --write`."
        for name in sorted(found.keys() | listed.keys())
        if found.get(name) != listed.get(name)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="bring the list up to date")
    problems = check(ROOT, write=parser.parse_args().write)
    sys.exit("\n".join(problems) or 0)


if __name__ == "__main__":
    main()
