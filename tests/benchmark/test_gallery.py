"""The gallery: one sheet per pair, with every method on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mma_unet.benchmark.gallery import load_entries, render_gallery
from mma_unet.data import read_image, write_image
from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from tests.conftest import make_pairs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_pairs(tmp_path / "toy" / "test", ["a", "b"])
    return tmp_path


def listing(root: Path, text: str) -> Path:
    path = root / "gallery.yaml"
    path.write_text(text)
    return path


def test_one_sheet_per_entry_with_sources_models_baselines_and_peers(
    root: Path, weights: Path
) -> None:
    path = listing(root, "- {split: toy/test, name: b, why: hard}\n")
    marked = np.full((40, 56), 77, np.uint8)
    marked[0, 0] = 78
    write_image(root / "peers" / "flat" / "b.png", marked)
    entries = load_entries(path, root)
    fusers = {"ours": Fuser(weights)}
    bare, full = (
        next(render_gallery(entries, fusers, peers, root / out))
        for out, peers in (("bare", {}), ("full", {"toy/test": root / "peers"}))
    )
    assert bare.name == full.name == "toy_test_b.png"
    one, two = read_image(bare), read_image(full)
    assert one.shape == two.shape  # five tiles and six, in rows of four
    flat = [int((sheet == 77).all(axis=2).sum()) for sheet in (one, two)]
    assert flat[0] < 10_000 < 100_000 < flat[1]  # the tile of the peer, and nothing else like it


@pytest.mark.parametrize("text", ["", "- {split: toy/test}\n", "7", "- {split: [\n"])
def test_a_broken_list_is_one_sentence(root: Path, text: str) -> None:
    with pytest.raises(InputError, match="not a gallery"):
        load_entries(listing(root, text), root)


def test_a_missing_pair_is_named(root: Path) -> None:
    with pytest.raises(InputError, match=r"toy/test below .* has no pair z"):
        load_entries(listing(root, "- {split: toy/test, name: z, why: gone}\n"), root)
