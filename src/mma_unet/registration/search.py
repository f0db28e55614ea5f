"""The coarse search: every shift at several turns and scales, by masked correlation.

The normalized cross-correlation of `channels` is reckoned for all shifts at once by FFT, over the
pixels that both pictures cover (Padfield, "Masked Object Registration in the Fourier Domain",
TIP 2012). Several pairs of the same two cameras are searched together: their sums are added.

See also `mma_unet.registration.refine`, which goes on from the best places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mma_unet.registration.channels import orientation_channels, shrunk
from mma_unet.registration.geometry import (
    Array,
    Size,
    corners,
    move,
    resizing,
    similarity,
    warp,
)

__all__ = ["LEAST_OVERLAP", "Grid", "Start", "level_size", "same_view", "search"]

SEARCH_SIDE = 112
"""Longer side of VI in the search, in pixels."""
_REACH = 0.25
"""Largest shift that is tried, as a part of each side of VI."""
_ROOM = 1.5
"""Side of the canvas for the moved IR, in sides of VI."""
LEAST_OVERLAP = 0.5
"""Part of the smaller picture that must lie on the other."""


@dataclass(frozen=True)
class Grid:
    """Turns (degrees) and scales that are tried, relative to both pictures showing the same."""

    turns: tuple[float, ...] = tuple(np.linspace(-12, 12, 9))
    scales: tuple[float, ...] = tuple(np.geomspace(0.75, 1 / 0.75, 9))


@dataclass(frozen=True)
class Start:
    """A place to refine from: IR pixels to VI pixels, and how well the channels agree there."""

    matrix: Array
    score: float


def level_size(size: Size, side: int) -> Size:
    """Height and width with the longer side ``side``, or as they are if that is smaller."""
    factor = min(side / max(size), 1.0)
    return max(round(size[0] * factor), 8), max(round(size[1] * factor), 8)


def same_view(ir: Size, vi: Size) -> Array:
    """IR pixels to VI pixels if both show the same: centers on each other, one scale for both."""
    scale = float(np.sqrt(vi[0] / ir[0] * vi[1] / ir[1]))
    matrix = np.diag([scale, scale, 1.0])
    matrix[0, 2] = (vi[1] - 1) / 2 - scale * (ir[1] - 1) / 2
    matrix[1, 2] = (vi[0] - 1) / 2 - scale * (ir[0] - 1) / 2
    return matrix


def search(pairs: Sequence[tuple[Array, Array]], grid: Grid, keep: int = 8) -> list[Start]:
    """The best places, far enough from each other, best first.

    Args:
        pairs: ``(ir, vi)``, gray ``(H, W)`` each; all IR of one size, all VI of one size.
        grid: What to try.
        keep: How many places.
    """
    ir_size, vi_size = pairs[0][0].shape, pairs[0][1].shape
    small = level_size(vi_size, SEARCH_SIDE)
    to_small = resizing(vi_size, small)
    scene = same_view(ir_size, vi_size)
    ir_small = tuple(max(round(s * scene[0, 0] * to_small[0, 0]), 8) for s in ir_size)
    shrink = resizing(ir_size, (ir_small[0], ir_small[1]))
    canvas = (round(_ROOM * small[0]), round(_ROOM * small[1]))
    origin = np.array([(canvas[1] - small[1]) // 2, (canvas[0] - small[0]) // 2])
    reach = (round(_REACH * small[0]), round(_REACH * small[1]))
    fft = tuple(_quick(c + r) for c, r in zip(canvas, reach, strict=True))
    fixed = [_Spectra.of(shrunk(vi, small), np.ones(small, np.float32), fft) for _, vi in pairs]
    moving = [shrunk(ir, (ir_small[0], ir_small[1])) for ir, _ in pairs]
    ones = np.ones(moving[0].shape, np.float32)
    area = float(small[0] * small[1])
    found: list[tuple[float, float, float, int, int]] = []
    center = ((small[1] - 1) / 2, (small[0] - 1) / 2)
    put = np.eye(3)
    put[:2, 2] = origin
    base = to_small @ scene @ np.linalg.inv(shrink)
    for turn in grid.turns:
        for scale in grid.scales:
            matrix = put @ similarity(scale, turn, center) @ base
            mask = warp(ones, matrix, canvas, border=0)
            sums = torch.zeros(4, *fft)
            for image, spectra in zip(moving, fixed, strict=True):
                sums += spectra.sums(_Spectra.of(warp(image, matrix, canvas), mask, fft))
            ncc = _scores(sums, min(area, float(mask.sum())) * len(pairs))
            for score, dy, dx in _peaks(ncc, origin, reach):
                found.append((score, turn, scale, dx, dy))
    found.sort(reverse=True)
    starts: list[Start] = []
    for score, turn, scale, dx, dy in found:
        shift = np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]])
        whole = np.linalg.inv(to_small) @ shift @ similarity(scale, turn, center) @ to_small @ scene
        starts.append(Start(whole, score))
    return _apart(starts, ir_size, vi_size)[:keep]


@dataclass(frozen=True)
class _Spectra:
    """Fourier transforms of channels, of their square and of the mask."""

    channels: Tensor
    square: Tensor
    mask: Tensor

    @classmethod
    def of(cls, image: Array, mask: Array, fft: tuple[int, ...]) -> _Spectra:
        channels, inside = orientation_channels(image, mask)
        planes = [channels.transpose(2, 0, 1), (channels**2).sum(axis=2)[None], inside[None]]
        spectra = torch.fft.rfft2(torch.from_numpy(np.concatenate(planes)), s=fft)
        return cls(spectra[:-2], spectra[-2], spectra[-1])

    def sums(self, moving: _Spectra) -> Tensor:
        """For each shift, over what both cover: products, squares of either, pixels."""
        spectra = torch.stack(
            [
                (self.channels * moving.channels.conj()).sum(dim=0),
                self.square * moving.mask.conj(),
                self.mask * moving.square.conj(),
                self.mask * moving.mask.conj(),
            ]
        )
        size = (self.mask.shape[-2], 2 * (self.mask.shape[-1] - 1))
        sums: Tensor = torch.fft.irfft2(spectra, s=size)
        return sums


def _scores(sums: Tensor, whole: float) -> Array:
    """Correlation for each shift, less where the overlap is small, 0 where it is too small."""
    products, fixed, moving, pixels = sums
    part = pixels / whole
    ncc = products / (fixed.clamp(min=1e-3) * moving.clamp(min=1e-3)).sqrt()
    weighted = ncc * part.clamp(0, 1).sqrt()
    return torch.where(part >= LEAST_OVERLAP, weighted, torch.zeros(())).numpy()


def _peaks(ncc: Array, origin: Array, reach: Size) -> list[tuple[float, int, int]]:
    """The three best shifts within reach: score, rows, columns."""
    rows = np.arange(-reach[0], reach[0] + 1)
    cols = np.arange(-reach[1], reach[1] + 1)
    # A shift by d puts canvas pixel x on pixel x - origin + d of VI.
    window = ncc[np.ix_((rows - origin[1]) % ncc.shape[0], (cols - origin[0]) % ncc.shape[1])]
    window = window.copy()
    best: list[tuple[float, int, int]] = []
    for _ in range(3):
        row, col = np.unravel_index(int(window.argmax()), window.shape)
        best.append((float(window[row, col]), int(rows[row]), int(cols[col])))
        window[max(row - 4, 0) : row + 5, max(col - 4, 0) : col + 5] = -1
    return best


def _apart(starts: list[Start], ir: Size, vi: Size) -> list[Start]:
    """Those that no better one is near to, by the corners of IR."""
    kept: list[tuple[Start, Array]] = []
    for start in starts:
        at = move(start.matrix, corners(ir))
        if all(np.linalg.norm(at - other, axis=1).mean() > 0.05 * vi[1] for _, other in kept):
            kept.append((start, at))
        if len(kept) >= 24:
            break
    return [start for start, _ in kept]


def _quick(size: int) -> int:
    """The next even size with factors of 2, 3 and 5 only."""
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1 and size % 2 == 0:
            return size
        size += 1
