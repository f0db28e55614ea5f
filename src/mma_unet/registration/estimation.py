"""How the pixels of two cameras correspond: found for one pair or for many of a rig, or refused.

The way: every shift at nine turns and nine scales (`search`), the best places refined
(`refine`) with few numbers first, then more, on small pictures first, then larger ones; and a
judgment whether the result can be believed. Wrong places agree as well by chance as noise does, so
what is believed stands well above that, and above every other place in the picture.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mma_unet.data.images import luminance, read_image
from mma_unet.errors import InputError
from mma_unet.registration.geometry import Array, corners, move
from mma_unet.registration.refine import Fit, Level, beyond, refine
from mma_unet.registration.search import LEAST_OVERLAP, Grid, search

__all__ = ["Alignment", "Picture", "estimate", "gray_of", "locate"]

Picture: TypeAlias = "str | os.PathLike[str] | Array"

ACCEPTED_NCC = 0.20
"""Least agreement of the channels that is believed."""
_SECOND = 0.9
"""Agreement of the second place, as a part of that of the first, above which neither is."""
_LIKELY = 4
"""Places of the coarse size that are looked at in a finer one, at most."""
_CLOSE = 0.8
"""Agreement, as a part of that of the first, from which on a place is looked at."""
_MOVED = 0.1
"""How far the refinement may move corners, as a part of the width."""
_BENT = 0.15
"""Unequal scales, shear or perspective beyond which no two cameras differ."""
_MODEL = "homography"
_SIDES = (112, 224, 448)
"""Longer sides of VI, in pixels, from coarse to fine."""
_SAME = 0.04
"""Corners nearer than this part of the width are one place."""
_MEND = (
    "calibrate from a dozen pairs of these cameras (mma-unet align calibrate), or give points by "
    "hand (mma-unet align points)"
)


@dataclass(frozen=True)
class Alignment:
    """What `estimate` found.

    Attributes:
        accepted: Whether it can be believed.
        matrix: ``(3, 3)``: ``(column, row, 1)`` in IR to the same in VI, up to scale.
        model: `"similarity"`, `"affine"` or `"homography"`.
        confidence: Agreement of the edges (normalized cross-correlation, less where little
            overlaps), at most 1; from 0.2 on it is believed.
        why: A sentence: what speaks for it, or why it is refused and what to do then.
    """

    accepted: bool
    matrix: Array
    model: str
    confidence: float
    why: str


def estimate(ir: Picture, vi: Picture) -> Alignment:
    """Find which pixel of VI shows what a pixel of IR shows.

    Args:
        ir: ``(H, W)`` or ``(H, W, 3)`` of any sample type, or a path.
        vi: ``(H', W')`` or ``(H', W', 3)`` of any size, or a path.

    Returns:
        The alignment, accepted or refused. Differences up to a shift by a quarter of the picture, a
        turn by 12 degrees and a scale of 0.75 to 1.33 are found.

    Raises:
        InputError: A file cannot be read, or an array has another shape.

    Example:
        >>> from mma_unet.scene import render_scene
        >>> scene = render_scene(120, 160, supersample=1)
        >>> found = estimate(scene.ir, scene.vi)
        >>> found.accepted, bool(abs(found.matrix - np.eye(3)).max() < 2)
        (True, True)

    See Also:
        `mma_unet.registration.calibrate` for many pairs of the same two cameras.
    """
    return locate([(gray_of(ir, "ir"), gray_of(vi, "vi"))])


def gray_of(image: Picture, name: str) -> Array:
    """Gray samples ``(H, W)``, ``float32``, most of them in [0, 255], of a path or an array.

    Raises:
        InputError: It cannot be read or has another shape.
    """
    if isinstance(image, (str, os.PathLike)):
        name = os.fspath(image)
        image = read_image(Path(image))
    array = np.asarray(image)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise InputError(f"{name} has shape {array.shape}: give (H, W) or (H, W, 3).")
    if min(array.shape[:2]) < 16:
        raise InputError(
            f"{name} is {array.shape[1]}x{array.shape[0]} pixels: give 16 at least on each side."
        )
    if array.ndim == 3:
        array = array[..., 0] if array.shape[2] == 1 else luminance(array)
    if array.dtype.kind not in "uif" or not (known := np.isfinite(array)).any():
        raise InputError(f"{name} holds samples that are no numbers: give finite ones.")
    gray = np.where(known, array, np.median(array[known])).astype(np.float32)
    low, high = np.quantile(gray[:: max(len(gray) // 256, 1)], (0.01, 0.99))
    if high <= low:
        low, high = gray.min(), gray.max()
    even: Array = (gray - np.float32(low)) * np.float32(255 / max(float(high - low), 1e-12))
    return even


def locate(pairs: Sequence[tuple[Array, Array]], start: Array | None = None) -> Alignment:
    """As `estimate`, for pairs that share one alignment.

    Args:
        pairs: Gray ``(ir, vi)``, ``float32``; all IR of one size, all VI of one size.
        start: About where it is, IR pixels to VI pixels: nothing is searched then.
    """
    for at, name in enumerate(("infrared", "visible")):
        if all(float(np.ptp(pair[at])) == 0 for pair in pairs):
            why = f"the {name} image shows no edges: nothing can be aligned, take another pair"
            return Alignment(False, np.eye(3), _MODEL, 0.0, why)
    coarse, fine = Level(pairs, _SIDES[0]), Level(pairs, _SIDES[1])
    starts = [one.matrix for one in search(pairs, Grid())] if start is None else [start]
    places = _places(coarse, starts)
    likely = [place for place in places[:_LIKELY] if place.score > _CLOSE * places[0].score]
    tried = [(refine(fine, place.matrix, _MODEL), place) for place in likely]
    tried.sort(key=lambda one: -one[0].score)
    best, place = tried[0]
    others = [fit for fit, _ in tried if _apart(fine, fit.matrix, best.matrix) > _SAME]
    second = max((fit.score for fit in others), default=0.0) / max(best.score, 1e-6)
    best = refine(Level(pairs, _SIDES[2]), best.matrix, _MODEL)
    return _judge(coarse, place, best, second)


def _places(level: Level, starts: Sequence[Array]) -> list[Fit]:
    """Similarities that agree with the pairs of a level, different ones, best first."""
    fits: list[Fit] = []
    for start in starts:
        fit = refine(level, start, "similarity", rounds=1)
        near = [i for i, f in enumerate(fits) if _apart(level, fit.matrix, f.matrix) < _SAME]
        if not near:
            fits.append(fit)
        elif fit.score > fits[near[0]].score:
            fits[near[0]] = fit
    return sorted(fits, key=lambda fit: -fit.score)


def _apart(level: Level, a: Array, b: Array) -> float:
    """How far the corners of IR lie apart, as a part of the width of VI."""
    at = corners(level.ir_size)
    return float(np.linalg.norm(move(a, at) - move(b, at), axis=1).mean() / level.vi_size[1])


def _judge(level: Level, place: Fit, best: Fit, second: float) -> Alignment:
    """Whether to believe what was refined from a place.

    Args:
        level: The coarsest.
        place: Where the refinement began.
        best: Where it ended.
        second: Agreement of another place, as a part of that of the best.
    """
    unit = level.unit(best.matrix)
    scale = float(np.sqrt(abs(np.linalg.det(unit[:2, :2]))))
    bent = float(np.abs(beyond(unit)).max()) > _BENT or not 0.2 < scale < 5
    confidence = min(best.score, 1.0)
    agree = f"their edges agree by {confidence:.2f}"
    if confidence < ACCEPTED_NCC:
        why = f"{agree}, and below {ACCEPTED_NCC:.2f} that is chance"
    elif best.overlap < LEAST_OVERLAP:
        why = f"{agree}, but only where they share {100 * best.overlap:.0f} % of the smaller one"
    elif second > _SECOND:
        why = f"{agree}, but nearly as well at another place"
    elif bent or _apart(level, place.matrix, best.matrix) > _MOVED:
        why = f"{agree}, but only if the picture is bent as no camera bends it"
    else:
        return Alignment(True, best.matrix, _MODEL, confidence, agree)
    why = f"the two images could not be aligned ({why}): {_MEND}"
    return Alignment(False, best.matrix, _MODEL, confidence, why)
