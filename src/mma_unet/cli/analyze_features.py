"""`mma-unet analyze features`: one pair as the encoders see it, on a labeled sheet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from mma_unet.cli.common import Ir, Model, Vi, cost, need, out_option, say
from mma_unet.errors import InputError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".svg", ".pdf")


def features(
    ir: Ir,
    vi: Vi,
    out: Annotated[Path, out_option("Sheet: .png, .jpg, .svg or .pdf.")],
    model: Model = None,
) -> None:
    """Draw feature maps of both encoders, their additions and the fused maps (paper Fig. 3).

    A run folder as model stands for its stage I, which has no fused maps.
    """
    need("matplotlib", extra="report")
    from mma_unet.analysis.encoders import load_encoders
    from mma_unet.analysis.features import draw_sheet, feature_maps
    from mma_unet.data import find_pairs
    from mma_unet.files import probe_target
    from mma_unet.models import DEFAULT_MODEL

    start = time.monotonic()
    if out.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{out}: end its name in {', '.join(_SUFFIXES)}")
    probe_target(out)
    pair = find_pairs(ir, vi).pairs[0]
    if ir.is_dir():
        raise InputError(f"{ir} is a folder: give the two files of one pair")
    if out.resolve() in {pair.ir.resolve(), pair.vi.resolve()}:
        raise InputError(f"{out} is a source image: choose another file for -o")
    if model is not None and Path(model).is_dir():
        need("lightning", extra="train")
    encoders = load_encoders(model or DEFAULT_MODEL)
    maps = feature_maps(encoders, pair)
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(maps, out, f"{pair.name}, {Path(encoders.name).name}")
    say(f"Sheet: {out}", cost(start))
