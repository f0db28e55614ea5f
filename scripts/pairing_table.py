"""Write the table of naming schemes in docs/cameras.md: what `find_pairs` makes of each.

Run as `python scripts/pairing_table.py docs/cameras.md`. Every scheme is laid out in an empty
folder and paired there; tests/data/test_naming_schemes.py holds each against what it should be.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mma_unet.data import find_pairs
from mma_unet.data.video_names import VIDEO_SUFFIXES
from mma_unet.errors import InputError

START, END = "<!-- pairing -->", "<!-- /pairing -->"


@dataclass(frozen=True)
class Scheme:
    """How some files are called, and what becomes of them.

    `ir` and `vi` lie in folders of their own (`ir/`, `vi/`), or below one root given twice.
    `names` are those of the pairs; `said` is part of what is said of the rest.
    """

    about: str
    ir: str
    vi: str
    names: str
    said: str = ""
    one: bool = False
    recursive: bool = False
    pair: str | None = None
    video: bool = False


SCHEMES = (
    Scheme("the same name", "a.png", "a.jpg", "a"),
    Scheme("`_ir`, `_vi`", "a_ir.png", "a_vi.png", "a"),
    Scheme("words in front, no gap before the number", "IR1.png", "VIS1.png", "1"),
    Scheme("`_nir`, `_rgb` (EPFL RGB-NIR)", "0000_nir.tiff", "0000_rgb.tiff", "0000", one=True),
    Scheme("`_swir`, `_color`", "a_swir.tif", "a_color.tif", "a"),
    Scheme("`_lwir`, `_optical`", "a_lwir.tif", "a_optical.tif", "a"),
    Scheme("`_thermal`, no word for VI", "a_thermal.png", "a.png", "a"),
    Scheme("`_th`, `_rgb` (MFNet)", "00001D_th.png", "00001D_rgb.png", "00001D", one=True),
    Scheme("`_ir`, `_co` (VEDAI)", "00000007_ir.png", "00000007_co.png", "00000007", one=True),
    Scheme("a word in the middle (Seek)", "img_thermal_15.jpg", "img_visible_15.jpg", "img_15"),
    Scheme("letters after the number (RGBT234)", "00001i.jpg", "00001v.jpg", "00001"),
    Scheme("leading zeros on one side", "1.png 2.png", "001.png 002.png", "001 002"),
    Scheme("DJI `_T`, `_V`", "DJI_0007_T.JPG", "DJI_0007_V.JPG", "DJI_0007", one=True),
    Scheme(
        "DJI with three lenses", "DJI_0007_T.JPG", "DJI_0007_W.JPG DJI_0007_Z.JPG", "DJI_0007",
        "DJI_0007_Z.JPG is left out: DJI_0007_W.JPG of the same scene goes with", one=True,
    ),
    Scheme(
        "DJI, times one second apart", "DJI_20230131120001_0007_T.JPG",
        "DJI_20230131120002_0007_W.JPG", "DJI_20230131120002_0007", one=True,
    ),
    Scheme(
        "FLIR data set `_PreviewData`", "FLIR_00002_PreviewData.jpeg", "FLIR_00002_RGB.jpg",
        "FLIR_00002", one=True,
    ),
    Scheme(
        "FLIR neighbors", "FLIR_0001.jpg FLIR_0003.jpg", "FLIR_0002.jpg FLIR_0004.jpg",
        "FLIR_0002 FLIR_0004", "FLIR_0001.jpg goes with FLIR_0002.jpg and 1 more likewise",
    ),
    Scheme(
        "FLIR `IR_`, `DC_` neighbors", "IR_0101.jpg", "DC_0102.jpg", "DC_0102",
        "IR_0101.jpg goes with DC_0102.jpg", one=True,
    ),
    Scheme("Autel `IRX_`, `MAX_`", "IRX_0012.jpg", "MAX_0012.JPG", "0012", one=True),
    Scheme(
        "KAIST: `lwir/`, `visible/`", "set00/V000/lwir/I00000.jpg",
        "set00/V000/visible/I00000.jpg", "set00/V000/I00000", one=True, recursive=True,
    ),
    Scheme(
        "LLVIP: `infrared/`, `visible/`", "infrared/train/010001.jpg", "visible/train/010001.jpg",
        "train/010001", one=True, recursive=True,
    ),
    Scheme("`thermal/`, `rgb/` below one root", "thermal/a.png", "rgb/a.png", "a", one=True),
    Scheme(
        "folder words with more in them", "thermal_8_bit/F_1.jpg", "RGB/F_1.jpg", "F_1", one=True,
    ),
    Scheme(
        "nested folders on both sides", "day/1/a.png night/a.png", "day/1/a.png night/a.png",
        "day/1/a night/a", recursive=True,
    ),
    Scheme("folders of videos", "walk_ir.mp4", "walk_vis.mov", "walk", video=True),
    Scheme("anything else", "a_left.png", "a_right.png", "a", pair="*_left=*_right"),
    Scheme("other neighbors", "X07.png", "X08.png", "X08", pair="X#=X#+1"),
    Scheme(
        "folders in the pattern", "cam1/7.png", "cam2/7.png", "7", one=True, pair="cam1/*=cam2/*",
    ),
    Scheme(
        "other words, no pattern", "b.png a_left.png", "b.png a_right.png", "b",
        "the nearest, a_right.png, differs in 'right' where it has 'left'",
    ),
    Scheme(
        "a frame that is missing", "f1.png f2.png f3.png", "f1.png f3.png", "f1 f3",
        "f2.png has no partner: the nearest, f1.png, goes with f1.png",
    ),
    Scheme(
        "numbers that do not meet", "a.png cam_12.png", "a.png cam_13.png", "a",
        "the nearest, cam_13.png, has the number 13 and not 12",
    ),
    Scheme(
        "two that claim one", "b.png a_ir.png a_lwir.png", "b.png a_vi.png", "b",
        "both claim the same partner",
    ),
    Scheme(
        "words of the other side", "b.png a_vi.png", "b.png a_ir.png", "b",
        "a_vi.png has no partner: it is named as a visible image",
    ),
    Scheme(
        "another folder", "day/a.png night/b.png", "day/a.png day/b.png", "day/a",
        "lies in another folder", recursive=True,
    ),
    Scheme(
        "nothing alike", "b.png FLIR_77.png", "b.png street.png", "b",
        "no name on the other side is like it",
    ),
)  # fmt: skip


def lay_out(scheme: Scheme, root: Path) -> tuple[Path, Path]:
    """Make the files, empty of sense, and say which two places to give."""
    places = (root, root) if scheme.one else (root / "ir", root / "vi")
    for place, names in zip(places, (scheme.ir, scheme.vi), strict=True):
        for name in names.split():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x")
    return places


def outcome(scheme: Scheme, root: Path) -> tuple[list[str], str]:
    """Names of the pairs that are found, and what is said."""
    more = {"suffixes": VIDEO_SUFFIXES} if scheme.video else {}
    try:
        found = find_pairs(
            *lay_out(scheme, root), recursive=scheme.recursive, pattern=scheme.pair, **more
        )
    except InputError as error:
        return [], str(error)
    said = " ".join((*found.notes, *found.reasons)).replace(f"{root}/", "")
    return [pair.name for pair in found.pairs], said


def table() -> str:
    """The whole table as Markdown."""
    lines = [
        "| names | IR | VI | give | pairs, and what is said |",
        "| --- | --- | --- | --- | --- |",
    ]
    for scheme in SCHEMES:
        with tempfile.TemporaryDirectory() as folder:
            names, said = outcome(scheme, Path(folder))
        give = "`ROOT ROOT`" if scheme.one else "`ir/ vi/`"
        give += " `--recursive`" if scheme.recursive else ""
        give += f" `--pair '{scheme.pair}'`" if scheme.pair else ""
        ir, vi = (", ".join(f"`{n}`" for n in text.split()) for text in (scheme.ir, scheme.vi))
        what = ", ".join(f"`{name}`" for name in names) + (f"; {said}" if said else "")
        lines.append(f"| {scheme.about} | {ir} | {vi} | {give} | {what} |")
    return "\n".join(lines)


def fill(page: Path) -> None:
    """Replace what stands between the marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
