"""`mma-unet align`: how the pixels of two cameras correspond, found once and kept in a file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mma_unet.cli.common import Ir, Vi, check_writable, cost, out_option, say, show, warn
from mma_unet.cli.progress import progress_bar
from mma_unet.errors import InputError

if TYPE_CHECKING:
    from mma_unet.data import Pair
    from mma_unet.registration import Rig

_PICTURES = 24
"""Checkerboards that are written at most."""

_RigFile = Annotated[Path, typer.Argument(help="Rig, a .json file.", metavar="RIG")]
_Out = Annotated[Path, out_option("Rig to write, a .json file.")]
_Pictures = Annotated[
    Path | None,
    typer.Option(help="Folder for a checkerboard of each pair; default: beside the rig."),
]


def calibrate(
    ir: Ir,
    vi: Vi,
    out: _Out,
    near: Annotated[
        Path | None, typer.Option("--start", help="Rough rig to improve, e.g. of align points.")
    ] = None,
    pictures: _Pictures = None,
) -> None:
    """Find one alignment for all pairs of two cameras that are fixed to each other."""
    from mma_unet.registration import Rig
    from mma_unet.registration import calibrate as calibrate_pairs

    start = time.monotonic()
    _check_target(out)
    pairs = _pairs(ir, vi)
    rough = None if near is None else Rig.load(near)
    files = [(pair.ir, pair.vi) for pair in pairs]
    rig = calibrate_pairs(files, [pair.name for pair in pairs], rough)
    rig.save(out)
    folder = _write_pictures(rig, pairs, pictures or out.with_suffix(""))
    say(f"Rig of {len(rig.pairs)} pairs, their edges agree by {rig.confidence:.2f} -> {out}")
    say(f"Checkerboards: {folder}: look whether edges go on from field to field\n{cost(start)}")
    if len(rig.pairs) < 6:
        warn("A dozen pairs with edges all over the picture make a better rig.")


def check(rig: _RigFile, ir: Ir, vi: Vi, pictures: _Pictures = None) -> None:
    """Look whether the cameras have moved since a rig was made; exit code 1 if so."""
    from mma_unet.registration import Rig, check_rig

    loaded = Rig.load(rig)
    pairs = _pairs(ir, vi)
    found = check_rig(loaded, [(pair.ir, pair.vi) for pair in pairs])
    rows = [
        (pair.name, f"{agreement:.2f}")
        for pair, agreement in zip(pairs, found.agreement, strict=True)
    ]
    show(("Pair", "Agreement"), rows, "Edges under the rig (1 is the most, below 0.2 is chance)")
    if pictures is not None:
        say(f"Checkerboards: {_write_pictures(loaded, pairs, pictures)}")
    say(f"{rig}: {found.why}")
    if not found.holds:
        raise typer.Exit(1)


def points(
    points: Annotated[Path, typer.Argument(help="CSV: ir_x,ir_y,vi_x,vi_y in pixels.")],
    ir: Ir,
    vi: Vi,
    out: _Out,
    pictures: _Pictures = None,
) -> None:
    """Make a rig from points that were clicked in both pictures, where nothing else works."""
    from mma_unet.data import read_image
    from mma_unet.registration import from_points, read_points

    _check_target(out)
    pairs = _pairs(ir, vi)
    sizes = [read_image(path).shape for path in (pairs[0].ir, pairs[0].vi)]
    table = read_points(points)
    try:
        rig = from_points(table, sizes[0][:2], sizes[1][:2])
    except InputError as error:
        raise InputError(f"{points}: {error}") from None
    rig.save(out)
    folder = _write_pictures(rig, pairs, pictures or out.with_suffix(""))
    say(f"Rig of {len(table)} points, {rig.model} -> {out}")
    say(f"Checkerboards: {folder}: look whether edges go on from field to field")


def _check_target(out: Path) -> None:
    from mma_unet.files import probe_target

    if out.suffix.lower() != ".json":
        raise InputError(f"{out}: end its name in .json")
    probe_target(out)


def _pairs(ir: Path, vi: Path) -> Sequence[Pair]:
    from mma_unet.data import find_pairs

    pairing = find_pairs(ir, vi)
    lonely = len(pairing.unpaired_ir) + len(pairing.unpaired_vi)
    if lonely:
        warn(f"{lonely} image(s) without a partner are left out")
    return pairing.pairs


def _write_pictures(rig: Rig, pairs: Sequence[Pair], folder: Path) -> Path:
    """A checkerboard of each pair, as `NAME.jpg`."""
    from mma_unet.data import read_image, write_image
    from mma_unet.registration import checkerboard

    check_writable(folder)
    shown = pairs[:: -(-len(pairs) // _PICTURES)]
    with progress_bar() as step:
        for done, pair in enumerate(shown, 1):
            ir, vi = read_image(pair.ir), read_image(pair.vi)
            matrix = rig.matrix_for(ir.shape[:2], vi.shape[:2])
            write_image(folder / f"{pair.name}.jpg", checkerboard(ir, vi, matrix))
            step("Drawing", done, len(shown))
    return folder
