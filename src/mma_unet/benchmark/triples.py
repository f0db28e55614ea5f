"""One fused image with its two sources: finding the three files, and reading them as 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mma_unet.data import Pairing, from_float, to_float
from mma_unet.data.images import luminance, read_eight_bit
from mma_unet.data.infrared import read_infrared_eight_bit
from mma_unet.data.pairs import find_results
from mma_unet.errors import InputError
from mma_unet.pyramid import pyramid_fusion

__all__ = [
    "BASELINES",
    "Triple",
    "fused_by_visible",
    "load",
    "match",
    "stretched",
]

Array = npt.NDArray[Any]
Gray = npt.NDArray[np.uint8]


def _average(ir: Gray, vi: Gray) -> Gray:
    return np.rint((ir.astype(np.float64) + vi) / 2).astype(np.uint8)


def _maximum(ir: Gray, vi: Gray) -> Gray:
    return np.maximum(ir, vi)


def _pyramid(ir: Gray, vi: Gray) -> Gray:
    sources = (torch.from_numpy(to_float(image, "source"))[None, None] for image in (ir, vi))
    return from_float(pyramid_fusion(*sources)[0, 0].numpy(), np.uint8)


BASELINES: dict[str, Callable[[Gray, Gray], Gray]] = {
    "average": _average,
    "maximum": _maximum,
    "pyramid": _pyramid,
}
"""Fusion without any learning, of two gray images: the mean, ties rounded to even so that
the whole does not grow brighter; the larger; and the stronger detail of a Laplacian pyramid."""


@dataclass(frozen=True)
class Triple:
    """What is scored: the two sources, and a fused file or the name of a baseline.

    Attributes:
        name: The pair's name.
        ir: The infrared file.
        vi: The visible file.
        fused: The fused file, or a key of `BASELINES`.
    """

    name: str
    ir: Path
    vi: Path
    fused: Path | str


def fused_by_visible(
    pairing: Pairing, fused: Path, vi: Path, *, recursive: bool = False, needed: bool = True
) -> tuple[dict[Path, Path], tuple[Path, ...]]:
    """The fused file of each visible file, by the rules of `mma_unet.data.pairs.find_results`.

    The visible images themselves may stand for a method.

    Args:
        pairing: The sources.
        fused: A folder of fused images, or one.
        vi: The folder of visible images that `pairing` was made from, or one.
        recursive: Search the folders in `fused` too.
        needed: Whether at least one result must be there.

    Returns:
        Fused file by visible file, and the fused files that belong to none.

    Raises:
        InputError: A path is missing or holds no image, or no result is there and one is needed.
    """
    if fused.exists() and fused.resolve() == vi.resolve():
        return {pair.vi: pair.vi for pair in pairing.pairs}, ()
    found = find_results(pairing, fused, recursive=recursive)
    if needed and not found.pairs:
        raise InputError(
            f"no image of {fused} is called as a pair of the sources ({found.reasons[0]})"
        )
    return {pair.vi: pair.ir for pair in found.pairs}, found.unpaired_ir


def match(
    pairing: Pairing, fused: Path, vi: Path, *, recursive: bool = False
) -> tuple[list[Triple], list[str]]:
    """Complete pairs with their fused files.

    Args:
        pairing: The sources.
        fused: The folder of fused images.
        vi: The folder of visible images that `pairing` was made from.
        recursive: Search the folders in `fused` too.

    Returns:
        The triples, and one sentence for each file that has no partner.

    Raises:
        InputError: As `fused_by_visible`.
    """
    found, extra = fused_by_visible(pairing, fused, vi, recursive=recursive)
    problems = list(pairing.reasons)
    problems += [f"{pair.vi}: no fused image of its name" for pair in pairing.pairs
                 if pair.vi not in found]  # fmt: skip
    problems += [f"{path}: no source images of its name" for path in extra]
    triples = [
        Triple(pair.name, pair.ir, pair.vi, found[pair.vi])
        for pair in pairing.pairs
        if pair.vi in found
    ]
    return triples, problems


def load(triple: Triple) -> tuple[Array, Array, Array]:
    """Read a triple as 8-bit images.

    Images of 16 bits or of floats in [0, 1] are rounded to 8 bits; color is kept. Raw counts of the
    infrared file are stretched first, as they are for fusing (`mma_unet.data.ranges`).

    Returns:
        `(fused, ir, vi)`, each `(H, W)` or `(H, W, 3)` `uint8` of one height and width.

    Raises:
        InputError: A file cannot be read, or the sizes differ.
    """
    ir, vi = read_infrared_eight_bit(triple.ir), read_eight_bit(triple.vi)
    _same_size(triple.ir, ir, triple.vi, vi)
    if isinstance(triple.fused, str):
        return BASELINES[triple.fused](luminance(ir), luminance(vi)), ir, vi
    fused = read_eight_bit(triple.fused)
    _same_size(triple.fused, fused, triple.vi, vi)
    return fused, ir, vi


def stretched(image: Array) -> Gray:
    """Luminance, stretched min-max to 0..255 and rounded; a constant image stays as it is.

    Example:
        >>> stretched(np.array([[10, 15, 20]], dtype=np.uint8)).tolist()
        [[0, 128, 255]]
    """
    plain = luminance(image)
    low, high = int(plain.min()), int(plain.max())
    if low == high:
        return plain
    return from_float((plain.astype(np.float64) - low) / (high - low), np.uint8)


def _same_size(one: Path, first: Array, other: Path, second: Array) -> None:
    if first.shape[:2] != second.shape[:2]:
        raise InputError(
            f"{one} is {first.shape[1]}x{first.shape[0]} and {other} is "
            f"{second.shape[1]}x{second.shape[0]} pixels: they must be of one size."
        )
