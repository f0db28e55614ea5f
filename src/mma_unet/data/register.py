"""Bringing an infrared image onto the visible image of the same scene.

The two cameras see other brightnesses but mostly the same edges. So the strength of the edges is
compared, from coarse to fine, and a homography is fitted that makes them agree (Evangelidis and
Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization",
PAMI 2008, as OpenCV has it). It suits pairs that are off by a tenth of the picture at most and
have no strong parallax.

It is a rough tool. On rendered scenes moved by a known amount the corners end within 3 px. On real
pairs that are registered already it moves the corners of a 640x480 picture by 5 to 15 px (median
9 on MSRS, 5 on RoadScene, 15 on TNO, where the edges are few), so leave such pairs as they are.
"""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from mma_unet.data.images import Array, luminance
from mma_unet.errors import InputError

__all__ = ["Transform", "register"]

_MOTIONS = {"affine": cv2.MOTION_AFFINE, "homography": cv2.MOTION_HOMOGRAPHY}


@dataclass(frozen=True)
class Transform:
    """Where each pixel of the visible image lies in the infrared one.

    Attributes:
        matrix: ``(3, 3)``: ``(column, row, 1)`` in VI to the same in IR, up to scale.
        correlation: Agreement of the edges after the alignment, at most 1.
    """

    matrix: Array
    correlation: float

    def warp(self, ir: Array, size: tuple[int, int]) -> Array:
        """Resample an infrared image onto the pixels of the visible one.

        Args:
            ir: ``(H, W)`` or ``(H, W, 3)``; what lies outside is filled with its border.
            size: Height and width of the visible image.

        Returns:
            ``(size[0], size[1])`` or ``(size[0], size[1], 3)``, of the same dtype.
        """
        warped: Array = cv2.warpPerspective(
            ir,
            self.matrix,
            size[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return warped


def register(
    ir: Array,
    vi: Array,
    motion: Literal["affine", "homography"] = "affine",
    min_correlation: float = 0.3,
) -> tuple[Array, Transform]:
    """Align an infrared image to a visible one.

    Args:
        ir: ``(H, W)`` or ``(H, W, 3)``; its size may differ from that of ``vi``.
        vi: ``(H', W')`` or ``(H', W', 3)``.
        motion: ``affine`` (six numbers, the steadier) or ``homography`` (eight).
        min_correlation: Agreement of the edges below which the result is not believed.

    Returns:
        The infrared image on the pixels of ``vi``, and the transform that does it.

    Raises:
        InputError: The fit does not converge, is too poor, or would bend the image implausibly.
    """
    if motion not in _MOTIONS:
        raise InputError(f"{motion!r} is not a kind of motion: use affine or homography.")
    size = vi.shape[:2]
    ir_gray, vi_gray = (luminance(image).astype(np.float32) for image in (ir, vi))
    # Both on the grid of VI; the factor between the sizes is put back at the end.
    resize = np.diag([ir.shape[1] / size[1], ir.shape[0] / size[0], 1.0])
    shrunk = cv2.resize(ir_gray, size[::-1], interpolation=cv2.INTER_AREA)
    matrix = np.eye(3)
    correlation = 0.0
    levels = max(int(np.log2(min(size) / 48)), 0)
    for level in range(levels, -1, -1):
        factor = 0.5**level
        matrix, correlation = _fit(
            _edges(vi_gray, factor), _edges(shrunk, factor), matrix, factor,
            motion if level < levels else None,
        )  # fmt: skip
    _check(matrix, correlation, size, min_correlation)
    transform = Transform(resize @ matrix, correlation)
    return transform.warp(ir, size), transform


def _edges(image: Array, factor: float) -> Array:
    """Compressed gradient magnitude of an image scaled by a factor, with mean 0."""
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.7)
    magnitude = np.hypot(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    # Local contrast: a lamp's edge counts hardly more than a window's.
    local = cv2.GaussianBlur(magnitude, (0, 0), max(small.shape) / 16)
    edges = magnitude / (local + 0.1 * float(magnitude.mean()) + 1e-6)
    edges = np.log1p(edges).astype(np.float32)
    smooth: Array = cv2.GaussianBlur(edges, (0, 0), 0.6) - float(edges.mean())
    return smooth


def _fit(
    fixed: Array, moving: Array, start: Array, factor: float, motion: str | None
) -> tuple[Array, float]:
    """Refine a full-resolution matrix at one scale; only a shift where ``motion`` is None."""
    scale = np.diag([factor, factor, 1.0])
    warp = (scale @ start @ np.linalg.inv(scale)).astype(np.float32)
    if motion is None:
        (dx, dy), _ = cv2.phaseCorrelate(
            fixed.astype(np.float64), moving.astype(np.float64),
            np.asarray(cv2.createHanningWindow(fixed.shape[::-1], cv2.CV_64F)),
        )  # fmt: skip
        if np.hypot(dx, dy) < 0.2 * min(fixed.shape):
            warp[0, 2], warp[1, 2] = dx, dy
    kind = cv2.MOTION_TRANSLATION if motion is None else _MOTIONS[motion]
    rows = 3 if kind == cv2.MOTION_HOMOGRAPHY else 2
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 120, 1e-5)
    no_mask: Any = None  # OpenCV takes it, its type stubs do not say so
    try:
        correlation, found = cv2.findTransformECC(
            fixed, moving, np.ascontiguousarray(warp[:rows]), kind, criteria, no_mask, 3
        )
    except cv2.error:
        raise InputError(
            "the infrared image could not be aligned to the visible one (their edges do not "
            "agree): align the pair beforehand, or check that both show the same scene."
        ) from None
    full = np.eye(3)
    full[:rows] = np.asarray(found)
    return np.linalg.inv(scale) @ full @ scale, float(correlation)


def _check(
    matrix: Array, correlation: float, size: tuple[int, int], min_correlation: float
) -> None:
    """Refuse a fit that nobody would believe."""
    height, width = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], np.float64)
    moved = corners @ matrix.T
    moved = moved[:, :2] / moved[:, 2:]
    shift = np.linalg.norm(moved - corners[:, :2], axis=1).max() / np.hypot(height, width)
    if correlation < min_correlation or not np.isfinite(shift) or shift > 0.25:
        raise InputError(
            f"the infrared image could not be aligned to the visible one (agreement "
            f"{correlation:.2f}, corners off by {100 * shift:.0f} % of the diagonal): align the "
            "pair beforehand, or check that both show the same scene."
        )
