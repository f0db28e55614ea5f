"""Which file goes with which."""

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from mma_unet.data import listing
from mma_unet.data.listing import Entry
from mma_unet.data.matching import match_entries
from mma_unet.data.nearest import why_unpaired
from mma_unet.data.pairs import Pairing, find_pairs, find_results
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


def _names(pairing: Pairing) -> list[str]:
    return [pair.name for pair in pairing.pairs]


def test_two_claimants_do_not_stop_the_rest(tmp_path: Path) -> None:
    ir = _make(tmp_path / "ir", ["a.png", "a.jpg", "b.png", "c_ir.png", "c_lwir.png"])
    vi = _make(tmp_path / "vi", ["a.png", "b.png", "c_vi.png"])
    pairing = find_pairs(ir, vi)
    assert _names(pairing) == ["b"]
    assert len(pairing.unpaired_ir) == 4
    assert len(pairing.reasons) == 2
    assert all("both claim the same partner" in reason for reason in pairing.reasons)


@pytest.mark.parametrize("mark", ["FLIR_", "IMG", "DSC_"])
def test_neighbors_in_one_folder_are_told_by_their_thermal_data(mark: str, tmp_path: Path) -> None:
    names = [f"{mark}{n:04}.jpg" for n in range(1, 7)]
    _make(tmp_path, names)
    for name in names[::2]:
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xe1\0\x20FLIR\0\1\0\0")
    pairing = find_pairs(tmp_path, tmp_path)
    assert [(p.ir.name, p.vi.name) for p in pairing.pairs] == [
        (names[0], names[1]), (names[2], names[3]), (names[4], names[5]),
    ]  # fmt: skip
    assert "by neighboring numbers" in pairing.notes[0]


def test_numbers_are_no_neighbors_where_frames_are_lost(tmp_path: Path) -> None:
    """Frame 6 of the other side is another moment; nor are plain numbers a camera's."""
    ir = [f"FLIR_{n:04}.png" for n in range(1, 9) if n != 5] + ["20.png"]
    vi = [f"FLIR_{n:04}.png" for n in range(1, 9) if n != 6] + ["21.png"]
    pairing = find_pairs(_make(tmp_path / "ir", ir), _make(tmp_path / "vi", vi))
    assert len(pairing) == 6
    assert all(pair.ir.name == pair.vi.name for pair in pairing.pairs)
    assert not pairing.notes


def test_shots_of_one_number_that_are_not_one_moment(tmp_path: Path) -> None:
    ir = ["DJI_20230131120001_0007_T.JPG", "DJI_20230202090000_0008_T.JPG"]
    vi = ["DJI_20230131120301_0007_V.JPG", "DJI_20230202090002_0008_V.JPG"]
    pairing = find_pairs(_make(tmp_path / "ir", ir), _make(tmp_path / "vi", vi))
    assert [p.ir.name for p in pairing.pairs] == ir[1:]


def test_what_lies_deeper_is_told_and_found_on_request(tmp_path: Path) -> None:
    for kind in ("lwir", "visible"):
        _make(tmp_path / "set00" / "V000" / kind, ["I0.jpg", "I1.jpg"])
        _make(tmp_path / "set00" / ".cache" / kind, ["I0.jpg"])
    (tmp_path / "set00" / "loop").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"holds no image, but folders in it do: add --recursive"):
        find_pairs(tmp_path, tmp_path)
    found = find_pairs(tmp_path, tmp_path, recursive=True)
    assert _names(found) == ["set00/V000/I0", "set00/V000/I1"]
    assert {pair.ir.parent.name for pair in found.pairs} == {"lwir"}


def test_a_folder_that_cannot_be_listed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("ir", "vi"):
        _make(tmp_path / kind / "good", ["a.png"])
        _make(tmp_path / kind / "shut", ["b.png"])
    real = listing.list_files

    def refuse(folder: Path) -> dict[str, int | None]:
        if folder.name == "shut":
            raise InputError(f"{folder} cannot be listed (Permission denied).")
        return real(folder)

    monkeypatch.setattr(listing, "list_files", refuse)
    found = find_pairs(tmp_path / "ir", tmp_path / "vi", recursive=True)
    assert _names(found) == ["good/a"]
    assert [reason.endswith("(Permission denied).") for reason in found.reasons] == [True, True]


@pytest.mark.parametrize("pattern", ["*_l", "=*", "*=#", "a=b", "*=*=*", "*_*=*"])
def test_a_pattern_that_is_none(pattern: str, tmp_path: Path) -> None:
    folder = _make(tmp_path, ["a_l.png", "a_r.png"])
    with pytest.raises(InputError, match="--pair"):
        find_pairs(folder, folder, pattern=pattern)


def test_a_pattern_wins_over_the_rules(tmp_path: Path) -> None:
    """Of two lenses the one that is asked for, and only what reads as it says."""
    folder = _make(tmp_path, ["D_1_T.JPG", "D_1_W.JPG", "D_1_Z.JPG", "D_2_T.JPG"])
    found = find_pairs(folder, folder, pattern="*_T=*_Z.jpg")
    assert [(p.name, p.vi.name) for p in found.pairs] == [("D_1", "D_1_Z.JPG")]
    assert [p.name for p in found.unpaired_ir] == ["D_2_T.JPG"]
    assert found.unpaired_vi == ()


@pytest.mark.parametrize("name", ["{}", "{}_fused", "Fused_{}", "{}_vi_result", "{}_ir_fusion"])
def test_results_are_found(name: str, tmp_path: Path) -> None:
    ir = _make(tmp_path / "ir", ["a_ir.png", "b_ir.png"])
    vi = _make(tmp_path / "vi", ["a_vi.png", "b_vi.png"])
    fused = _make(tmp_path / "out", [f"{name.format('a')}.png", "other_fused.png"])
    pairing = find_pairs(ir, vi)
    found = find_results(pairing, fused)
    assert [(p.ir.name, p.vi.name) for p in found.pairs] == [
        (f"{name.format('a')}.png", "a_vi.png")
    ]
    assert [path.name for path in found.unpaired_ir] == ["other_fused.png"]


def test_results_of_a_tree_are_found_in_their_folders(tmp_path: Path) -> None:
    for kind in ("ir", "vi"):
        _make(tmp_path / "day" / kind, ["1.png"])
        _make(tmp_path / "night" / kind, ["1.png"])
    pairing = find_pairs(tmp_path, tmp_path, recursive=True)
    _make(tmp_path / "out" / "night", ["1_fused.png"])
    found = find_results(pairing, tmp_path / "out", recursive=True)
    assert [str(p.vi.relative_to(tmp_path)) for p in found.pairs] == ["night/vi/1.png"]


def test_many_names_take_no_time(tmp_path: Path) -> None:
    """Every file is without a partner, so that each has its nearest looked for."""
    ir = [Entry(tmp_path / "ir" / f"left_{n}.png") for n in range(1000)]
    vi = [Entry(tmp_path / "vi" / f"right_{n}.png") for n in range(1000)]
    start = time.process_time()
    assert len(why_unpaired(match_entries(ir, vi))) == 2000
    assert time.process_time() - start < 10
