"""Two cameras that are fixed to each other: one alignment, found from many pairs, kept in a file.

Joint estimation sums the evidence of all pairs before anything is decided, so it finds what single
pairs leave open, and repeats 2 to 3 times better than the best of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mma_unet.errors import InputError
from mma_unet.files import write_text
from mma_unet.registration.estimation import Picture, gray_of, locate
from mma_unet.registration.geometry import Array, Size, resizing

__all__ = ["Rig", "calibrate"]

MOST_PAIRS = 24
"""Pairs that are used at most, at even steps."""


@dataclass(frozen=True)
class Rig:
    """How two cameras that are fixed to each other see.

    Attributes:
        matrix: ``(3, 3)``: ``(column, row, 1)`` in IR to the same in VI, up to scale.
        ir_size: Height and width of IR, in pixels.
        vi_size: Height and width of VI.
        model: `"similarity"`, `"affine"` or `"homography"`.
        confidence: Agreement of the edges over all pairs; 0 for one made from points.
        pairs: Names of the pairs that it comes from.
    """

    matrix: Array
    ir_size: Size
    vi_size: Size
    model: str
    confidence: float
    pairs: tuple[str, ...] = ()

    def matrix_for(self, ir: Size, vi: Size) -> Array:
        """The matrix for pictures of the same cameras at other sizes.

        Args:
            ir: Height and width of IR.
            vi: Height and width of VI.

        Raises:
            InputError: One has another shape than the camera: it is a crop, or of another camera.
        """
        for name, size, own in (("infrared", ir, self.ir_size), ("visible", vi, self.vi_size)):
            if abs(size[0] * own[1] / (size[1] * own[0]) - 1) > 0.01:
                raise InputError(
                    f"the {name} picture is {size[1]}x{size[0]} pixels, the camera of the rig "
                    f"{own[1]}x{own[0]}, which is another shape: calibrate with such pictures"
                )
        whole = resizing(self.vi_size, vi) @ self.matrix @ resizing(ir, self.ir_size)
        scaled: Array = whole / whole[2, 2]
        return scaled

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON.

        Raises:
            InputError: The place cannot be written.
        """
        content = {
            "matrix": [[float(x) for x in row] for row in self.matrix],
            "ir_size": {"height": self.ir_size[0], "width": self.ir_size[1]},
            "vi_size": {"height": self.vi_size[0], "width": self.vi_size[1]},
            "model": self.model,
            "confidence": round(self.confidence, 4),
            "pairs": list(self.pairs),
        }
        write_text(Path(path), json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Rig:
        """Read what `save` wrote.

        Raises:
            InputError: The file is missing or is no rig.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            matrix = np.array(content["matrix"], np.float64)
            sizes = [
                (int(content[name]["height"]), int(content[name]["width"]))
                for name in ("ir_size", "vi_size")
            ]
            rig = cls(
                matrix, sizes[0], sizes[1], str(content["model"]), float(content["confidence"]),
                tuple(map(str, content["pairs"])),
            )  # fmt: skip
        except OSError as error:
            raise InputError(
                f"{os.fspath(path)} cannot be read ({error.strerror or error}): give auto or a "
                "file that mma-unet align calibrate wrote"
            ) from None
        except (ValueError, KeyError, TypeError):
            rig = None
        if (
            rig is None
            or rig.matrix.shape != (3, 3)
            or not np.isfinite(rig.matrix).all()
            or abs(np.linalg.det(rig.matrix)) < 1e-9
            or min(*rig.ir_size, *rig.vi_size) < 1
        ):
            raise InputError(
                f"{os.fspath(path)} is not a rig: make one with mma-unet align calibrate"
            )
        return rig


def calibrate(
    pairs: Sequence[tuple[Picture, Picture]],
    names: Sequence[str] | None = None,
    start: Rig | None = None,
) -> Rig:
    """Find the one alignment of many pairs of the same two cameras.

    Args:
        pairs: ``(ir, vi)`` as for `estimate`, all IR of one size and all VI of one size. A dozen
            with edges all over the picture is a good number; of more than 24, every n-th is used.
        names: What to call them in the rig; by default the names of their files.
        start: A rough rig, e.g. from points, to improve: needed where IR shows much less than VI.

    Returns:
        The rig; `confidence` is the agreement over all pairs.

    Raises:
        InputError: There is no pair, the sizes differ, a file cannot be read, or the result
            cannot be believed.

    Example:
        >>> from mma_unet.scene import render_scene
        >>> scenes = [render_scene(120, 160, seed, supersample=1) for seed in (0, 1)]
        >>> rig = calibrate([(scene.ir, scene.vi) for scene in scenes])
        >>> bool(abs(rig.matrix - np.eye(3)).max() < 3), rig.vi_size
        (True, (120, 160))
    """
    if not pairs:
        raise InputError("there is no pair to calibrate from: give a dozen")
    names = [_name(vi, i) for i, (_, vi) in enumerate(pairs)] if names is None else list(names)
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_PAIRS)).round())
    picked = [int(i) for i in chosen]
    gray: list[tuple[Array, Array]] = []
    for i in picked:
        ir, vi = (
            gray_of(one, f"{kind} of {names[i]}")
            for one, kind in zip(pairs[i], ("ir", "vi"), strict=True)
        )
        gray.append((ir, vi))
        for kind, one, first in (("infrared", ir, gray[0][0]), ("visible", vi, gray[0][1])):
            if one.shape != first.shape:
                raise InputError(
                    f"{names[i]}: the {kind} picture is {one.shape[1]}x{one.shape[0]} pixels, that "
                    f"of {names[picked[0]]} {first.shape[1]}x{first.shape[0]}: a rig is two "
                    "cameras, each of one size"
                )
    sizes = gray[0][0].shape, gray[0][1].shape
    found = locate(gray, None if start is None else start.matrix_for(*sizes))
    if not found.accepted:
        raise InputError(f"the rig could not be calibrated: {found.why}")
    used = tuple(names[i] for i in picked)
    return Rig(found.matrix, *sizes, found.model, found.confidence, used)


def _name(vi: Picture, index: int) -> str:
    return Path(vi).name if isinstance(vi, (str, os.PathLike)) else f"pair {index + 1}"
