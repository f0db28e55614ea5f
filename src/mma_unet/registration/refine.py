"""Refinement by Gauss-Newton: the channels of IR are bent onto those of VI, step by step.

The step is that of "Lucas-Kanade 20 Years On" (Baker and Matthews, IJCV 2004), forwards and
additive, damped where it does not help, with the gain between the two fitted along. Two cameras
side by side differ by a similarity and a little more: what goes beyond it is held back by a prior,
which matters less the more pairs there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mma_unet.registration.channels import CHANNELS, orientation_channels, shrunk
from mma_unet.registration.geometry import Array, resizing, warp
from mma_unet.registration.search import level_size, same_view

__all__ = ["Fit", "Level", "beyond", "refine"]

_STEPS = 12
_MODELS = {"similarity": 4, "affine": 6, "homography": 8}
_PRIOR = 0.02
"""Weight of the prior, in pixels' worth of evidence of one pair per squared half width."""
_DENSE = 150
"""Longer side up to which every pixel is used, and every second one beyond."""


@dataclass(frozen=True)
class Fit:
    """IR pixels to VI pixels, the agreement of the channels there, and what overlaps.

    Attributes:
        matrix: IR pixels to VI pixels.
        ncc: Agreement, at most 1.
        overlap: The part of the smaller picture that lies on the other.
    """

    matrix: Array
    ncc: float
    overlap: float

    @property
    def score(self) -> float:
        """To compare places by: agreement, less where little overlaps."""
        return self.ncc * float(np.sqrt(min(self.overlap / 0.8, 1.0)))


class Level:
    """Pairs at one working size.

    Args:
        pairs: ``(ir, vi)``, gray ``(H, W)`` each; all IR of one size, all VI of one size.
        side: Longer side of VI at this level, in pixels.
    """

    def __init__(self, pairs: Sequence[tuple[Array, Array]], side: int) -> None:
        self.ir_size, self.vi_size = pairs[0][0].shape, pairs[0][1].shape
        self.size = level_size(self.vi_size, side)
        self.to_level = resizing(self.vi_size, self.size)
        inside = np.ones(self.size, np.float32)
        self.fixed = [orientation_channels(shrunk(vi, self.size), inside) for _, vi in pairs]
        self._ir = [ir for ir, _ in pairs]
        self._octaves: dict[int, tuple[Array, list[Array]]] = {}
        step = 1 if max(self.size) <= _DENSE else 2
        self.grid = np.s_[step // 2 :: step, step // 2 :: step]
        self.rows, self.cols = (at[self.grid] for at in np.mgrid[: self.size[0], : self.size[1]])
        half = self.size[1] / 2
        x, y = (self.size[1] - 1) / 2, (self.size[0] - 1) / 2
        self.half, self.u, self.v = half, (self.cols - x) / half, (self.rows - y) / half
        self.from_unit = np.array([[half, 0, x], [0, half, y], [0, 0, 1]])

    def unit(self, matrix: Array) -> Array:
        """A matrix from IR to VI on coordinates from -1 to 1 of VI, 1 for the same view."""
        to_unit = np.linalg.inv(self.from_unit) @ self.to_level
        same = same_view(self.ir_size, self.vi_size)
        whole = to_unit @ matrix @ np.linalg.inv(to_unit @ same)
        result: Array = whole / whole[2, 2]
        return result

    def moving(self, matrix: Array) -> list[tuple[Array, Array]]:
        """Channels of IR, moved by a matrix from IR pixels to VI pixels."""
        whole = self.to_level @ matrix
        octave = max(int(np.floor(-np.log2(max(_scale(whole), 1e-6)))), 0)
        if octave not in self._octaves:
            height, width = self.ir_size
            size = (max(height >> octave, 8), max(width >> octave, 8))
            smaller = [shrunk(ir, size) for ir in self._ir] if octave else self._ir
            self._octaves[octave] = resizing((height, width), size), smaller
        shrink, images = self._octaves[octave]
        placed = whole @ np.linalg.inv(shrink)
        rest = _scale(placed)
        mask = warp(np.ones(images[0].shape, np.float32), placed, self.size, border=0)
        result = []
        for image in images:
            soft = cv2.GaussianBlur(image, (0, 0), 0.4 / rest) if rest < 0.9 else image
            result.append(orientation_channels(warp(soft, placed, self.size), mask))
        return result

    def agreement(self, matrix: Array) -> list[Fit]:
        """How well the channels of each pair agree under a matrix."""
        shown = self.ir_size[0] * self.ir_size[1] * _scale(self.to_level @ matrix) ** 2
        smaller = min(self.size[0] * self.size[1], shown)
        return [
            Fit(matrix, _ncc(sums), pixels / max(smaller, 1.0))
            for sums, pixels in map(self._sums, self.fixed, self.moving(matrix))
        ]

    @staticmethod
    def _sums(fixed: tuple[Array, Array], moving: tuple[Array, Array]) -> tuple[Array, float]:
        both = fixed[1] * moving[1]
        f, g = moving[0] * both[..., None], fixed[0] * both[..., None]
        return np.array([np.vdot(f, g), np.vdot(f, f), np.vdot(g, g)], np.float64), float(
            both.sum()
        )


def refine(level: Level, matrix: Array, model: str, rounds: int = 2) -> Fit:
    """Improve a matrix.

    Args:
        level: The pairs at one size.
        matrix: Where to start, IR pixels to VI pixels.
        model: `"similarity"`, `"affine"` or `"homography"`: what may change.
        rounds: How often the channels are made anew.

    Returns:
        The matrix, with the mean agreement and overlap of the pairs.
    """
    for _ in range(rounds):
        delta = _gauss_newton(level, level.moving(matrix), model, beyond(level.unit(matrix)))
        matrix = np.linalg.inv(delta @ level.to_level) @ level.to_level @ matrix
        matrix = matrix / matrix[2, 2]
    fits = level.agreement(matrix)
    ncc, overlap = (
        float(np.mean(x)) for x in zip(*((f.ncc, f.overlap) for f in fits), strict=True)
    )
    return Fit(matrix, ncc, overlap)


def _scale(matrix: Array) -> float:
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))


def beyond(unit: Array) -> Array:
    """What makes a matrix more than a similarity: unequal scales, shear, two of perspective."""
    scale = max(_scale(unit), 1e-6)
    bend = unit[0, 0] - unit[1, 1], unit[0, 1] + unit[1, 0]
    return np.array([bend[0] / scale, bend[1] / scale, unit[2, 0], unit[2, 1]])


_MEASURES = np.zeros((4, 8))
"""`beyond` of a step, from its parameters."""
_MEASURES[[0, 0, 1, 1, 2, 3], [2, 5, 3, 4, 6, 7]] = 1, -1, 1, 1, -1, -1


def _gauss_newton(
    level: Level, moving: list[tuple[Array, Array]], model: str, bent: Array
) -> Array:
    """The matrix ``W`` on the grid of the level by which ``moving(W(x))`` is nearest to fixed."""
    number = _MODELS[model]
    rows = {"similarity": 0, "affine": 2, "homography": 4}[model]
    measures, bent = _MEASURES[:rows, :number], bent[:rows]
    stacks = [np.concatenate([f, *_gradient(f), m[..., None]], axis=2) for f, m in moving]
    fixed = [(g[level.grid], m[level.grid]) for g, m in level.fixed]
    to_unit = np.linalg.inv(level.from_unit)
    kept = params = np.zeros(number)
    damping, best = 1e-3, -np.inf
    hessian, slope = np.eye(number), np.zeros(number)
    for _ in range(_STEPS):
        now = level.from_unit @ _unit_matrix(params, model) @ to_unit
        new_hessian, new_slope, ncc = _equations(level, fixed, stacks, now, model)
        weight = _PRIOR * new_hessian[0, 0] / len(moving)
        off = bent - measures @ params
        new_hessian += weight * measures.T @ measures
        new_slope += weight * measures.T @ off
        value = ncc - _PRIOR / len(moving) * float(off @ off)
        if value > best + 1e-6:
            small = value - best < 1e-4
            kept, best, damping = params, value, damping / 3
            hessian, slope = new_hessian, new_slope
            if small:
                break
        else:
            damping *= 8
            if damping > 10:
                break
        params = kept + np.linalg.solve(hessian + damping * np.diag(np.diag(hessian) + 1e-9), slope)
    return level.from_unit @ _unit_matrix(kept, model) @ to_unit


def _unit_matrix(params: Array, model: str) -> Array:
    """The matrix of some parameters, on coordinates from -1 to 1."""
    matrix = np.eye(3)
    if model == "similarity":
        tx, ty, a, b = params
        matrix[:2] += [[a, -b, tx], [b, a, ty]]
        return matrix
    matrix[0] += params[[2, 3, 0]]
    matrix[1] += params[[4, 5, 1]]
    if model == "homography":
        matrix[2, :2] -= params[6:]
    return matrix


def _gradient(channels: Array) -> tuple[Array, Array]:
    step = np.array([[-0.5, 0, 0.5]], np.float32)
    return cv2.filter2D(channels, cv2.CV_32F, step), cv2.filter2D(channels, cv2.CV_32F, step.T)


def _equations(
    level: Level,
    fixed: list[tuple[Array, Array]],
    stacks: list[Array],
    matrix: Array,
    model: str,
) -> tuple[Array, Array, float]:
    """Normal equations of one step, and the correlation where it starts."""
    x, y, w = (row[0] * level.cols + row[1] * level.rows + row[2] for row in matrix)
    x, y = (x / w).astype(np.float32), (y / w).astype(np.float32)
    number = _MODELS[model]
    hessian, slope, sums = np.zeros((number, number)), np.zeros(number), np.zeros(3)
    along_x, along_y = _basis(level.u.ravel(), level.v.ravel(), model)
    for (g, gm), stack in zip(fixed, stacks, strict=True):
        at = cv2.remap(stack, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        both = ((at[..., -1] > 0.5) * gm)[..., None]
        f, fx, fy = (at[..., i * CHANNELS : (i + 1) * CHANNELS] * both for i in range(3))
        g = g * both
        fg, ff, gg = float(np.vdot(f, g)), float(np.vdot(f, f)), float(np.vdot(g, g))
        sums += fg, ff, gg
        gain = fg / max(ff, 1e-6)
        residual = g - gain * f
        factor = gain * level.half
        # Sums over the channels first: the basis is the same for all of them.
        products = ((fx, fx), (fx, fy), (fy, fy), (fx, residual), (fy, residual))
        xx, xy, yy, xr, yr = ((a * b).sum(axis=2).ravel() for a, b in products)
        part = along_x.T @ (xx[:, None] * along_x + 2 * xy[:, None] * along_y)
        part += along_y.T @ (yy[:, None] * along_y)
        hessian += factor**2 * (part + part.T) / 2
        slope += factor * (along_x.T @ xr + along_y.T @ yr)
    return hessian, slope, _ncc(sums)


def _basis(u: Array, v: Array, model: str) -> tuple[Array, Array]:
    """By how much each parameter moves each pixel: ``(N, P)`` along columns and along rows."""
    one, none = np.ones_like(u), np.zeros_like(u)
    if model == "similarity":
        along_x, along_y = [one, none, u, -v], [none, one, v, u]
    else:
        along_x, along_y = [one, none, u, v, none, none], [none, one, none, none, u, v]
    if model == "homography":
        along_x += [u * u, u * v]
        along_y += [u * v, v * v]
    return tuple(np.stack(a, 1).astype(np.float32) for a in (along_x, along_y))  # type: ignore[return-value]


def _ncc(sums: Array) -> float:
    return float(sums[0] / np.sqrt(max(sums[1] * sums[2], 1e-12)))
