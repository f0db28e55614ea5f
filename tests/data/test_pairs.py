"""Which file goes with which."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from mma_unet.data.pairs import find_pairs
from mma_unet.errors import InputError


def _make(folder: Path, names: Iterable[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def _pair(tmp_path: Path, ir: str, vi: str) -> list[tuple[str, str, str]]:
    pairing = find_pairs(_make(tmp_path / "ir", ir.split()), _make(tmp_path / "vi", vi.split()))
    return [(p.name, p.ir.name, p.vi.name) for p in pairing.pairs]


@pytest.mark.parametrize(
    ("ir", "vi", "name"),
    [
        ("a.png", "a.jpg", "a"),
        ("a.png", "a.PNG", "a"),
        ("a_ir.png", "a_vi.png", "a"),
        ("a-IR.png", "a-Vis.tif", "a"),
        ("a_infrared.png", "a_visible.png", "a"),
        ("a_thermal.png", "a.png", "a"),
        ("a.png", "a_rgb.png", "a"),
        ("IR1.png", "VIS1.png", "1"),
        ("ir_001.png", "vi_001.png", "001"),
        ("001ir.png", "001vis.png", "001"),
        ("IR_meting003_g.bmp", "VIS_meting003_g.bmp", "meting003_g"),
        ("FLIR_06795.jpg", "FLIR_06795.jpg", "FLIR_06795"),
        ("ir.png", "vi.png", "vi"),
        ("Street_IR.png", "street_vi.png", "street"),
    ],
)
def test_names_that_pair(tmp_path: Path, ir: str, vi: str, name: str) -> None:
    assert _pair(tmp_path, ir, vi) == [(name, ir, vi)]


@pytest.mark.parametrize(
    ("ir", "vi"),
    [
        ("FLIR_1.png", "1.png"),  # FLIR is a maker, not the word IR
        ("flair.png", "fla.png"),
        ("air.png", "a.png"),
        ("view.png", "ew.png"),
        ("ir_a.png", "vi_b.png"),
        ("a_vi.png", "a_ir.png"),  # the words are swapped: these are in each other's folder
    ],
)
def test_names_that_do_not_pair(tmp_path: Path, ir: str, vi: str) -> None:
    with pytest.raises(InputError, match="partner"):
        _pair(tmp_path, ir, vi)


def test_exact_stems_win(tmp_path: Path) -> None:
    assert _pair(tmp_path, "a.png a_ir.png", "a.png b.png") == [("a", "a.png", "a.png")]


def test_names_stay_unique(tmp_path: Path) -> None:
    found = _pair(tmp_path, "a.png a_ir.png", "a.png a_vi.png")
    assert found == [("a", "a.png", "a.png"), ("a_vi", "a_ir.png", "a_vi.png")]


def test_unpaired_files_are_named(tmp_path: Path) -> None:
    ir = _make(tmp_path / "ir", ["1.png", "2.png", ".hidden.png", "notes.txt"])
    vi = _make(tmp_path / "vi", ["1.png", "3.png"])
    pairing = find_pairs(ir, vi)
    assert len(pairing) == 1
    assert pairing.unpaired_ir == (ir / "2.png",)
    assert pairing.unpaired_vi == (vi / "3.png",)


def test_natural_order(tmp_path: Path) -> None:
    names = "f10.png f9.png f1.png F2.png"
    assert [n for n, _, _ in _pair(tmp_path, names, names)] == ["f1", "F2", "f9", "f10"]


@pytest.mark.parametrize(
    ("ir", "vi"),
    [("a.png a.jpg", "a.png"), ("a.png", "a.png a.jpg"), ("a_ir.png ir_a.png", "a.png")],
)
def test_two_claimants(tmp_path: Path, ir: str, vi: str) -> None:
    with pytest.raises(InputError, match="both claim") as caught:
        _pair(tmp_path, ir, vi)
    for name in max(ir, vi, key=len).split():
        assert name in str(caught.value)


def test_one_folder_with_both(tmp_path: Path) -> None:
    folder = _make(
        tmp_path, ["IR1.png", "VIS1.png", "IR2.png", "VIS2.png", "b_ir.png", "b_vi.png", "mask.png"]
    )
    pairing = find_pairs(folder, folder)
    found = [(p.name, p.ir.name, p.vi.name) for p in pairing.pairs]
    assert found == [
        ("1", "IR1.png", "VIS1.png"),
        ("2", "IR2.png", "VIS2.png"),
        ("b", "b_ir.png", "b_vi.png"),
    ]
    assert pairing.unpaired_ir == pairing.unpaired_vi == ()


def test_two_files_pair_whatever_their_names(tmp_path: Path) -> None:
    _make(tmp_path, ["left.png", "right.tif"])
    pairing = find_pairs(tmp_path / "left.png", tmp_path / "right.tif")
    assert [p.name for p in pairing.pairs] == ["right"]


def test_bad_input(tmp_path: Path) -> None:
    full, empty = _make(tmp_path / "full", ["a.png"]), _make(tmp_path / "empty", [])
    with pytest.raises(InputError, match="empty holds no image"):
        find_pairs(full, empty)
    with pytest.raises(InputError, match="absent does not exist"):
        find_pairs(tmp_path / "absent", full)
    with pytest.raises(InputError, match="two files or two folders"):
        find_pairs(full, full / "a.png")
